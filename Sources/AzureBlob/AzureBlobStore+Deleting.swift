import HTTPTransport
package import ObjectStores

extension AzureBlobStore {
    /// One Delete Blob each, several under way at the same time.
    ///
    /// A blob with snapshots is not deleted: that would destroy them, and they are not replicated.
    package func delete(_ requests: [DeleteRequest]) async -> [Result<Void, StoreError>] {
        await withTaskGroup(of: (Int, Result<Void, StoreError>).self) { group in
            var results = [Result<Void, StoreError>](repeating: .success(()), count: requests.count)
            var next = 0
            var running = 0
            while next < requests.count || running > 0 {
                if next < requests.count, running < Self.deleteConcurrency {
                    let index = next
                    let request = requests[index]
                    group.addTask { (index, await self.delete(request)) }
                    next += 1
                    running += 1
                } else if let (index, result) = await group.next() {
                    results[index] = result
                    running -= 1
                }
            }
            return results
        }
    }

    private func delete(_ request: DeleteRequest) async -> Result<Void, StoreError> {
        var delete = AzureBlobRequest(.delete, .delete, key: request.key)
        if let version = request.version { delete.headers.append("if-match", version.quoted) }
        do throws(StoreError) {
            _ = try await send(delete)
            return .success(())
        } catch {
            return error.code == .notFound ? .success(()) : .failure(error)
        }
    }
}
