import ReplicationModel

extension FileStore {
    package func list(_ request: ListRequest) async throws(StoreError) -> ListPage {
        let limit = max(1, min(request.limit, capabilities.listPageLimit))
        do throws(StoreError) {
            return try await perform(.list, nil) { [listings] tree, cancellation throws(FileFailure) in
                try tree.verifyRoot()
                let listing = try listings.take(request, tree)
                var page = try listing.page(limit: limit, cancellation)
                page.next = listings.keep(listing)
                return page
            }
        } catch {
            if isAwaited(error) { return ListPage(objects: [], next: nil) }
            throw error
        }
    }
}
