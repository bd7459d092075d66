import HTTPTransport
package import ObjectStores
import ReplicationModel

extension GCSStore {
    /// Requests of one call that are under way at the same time.
    private static let parallelDeletes = 16

    package func delete(_ requests: [DeleteRequest]) async -> [Result<Void, StoreError>] {
        if requests.count == 1 { return [await deleteOne(requests[0])] }
        var results = [Result<Void, StoreError>?](repeating: nil, count: requests.count)
        await withTaskGroup(of: (Int, Result<Void, StoreError>).self) { group in
            for (index, request) in requests.enumerated() {
                if index >= Self.parallelDeletes, let (done, result) = await group.next() { results[done] = result }
                group.addTask { (index, await self.deleteOne(request)) }
            }
            for await (done, result) in group { results[done] = result }
        }
        return results.map { $0! }
    }

    private func deleteOne(_ request: DeleteRequest) async -> Result<Void, StoreError> {
        var url = address.object(request.key)
        do throws(StoreError) {
            if let token = request.version { url.appendMatch(try GCSVersion(token, .delete, key: request.key)) }
            _ = try await send(GCSRequest(.delete, .delete, url, key: request.key))
            return .success(())
        } catch {
            return error.code == .notFound ? .success(()) : .failure(error)
        }
    }
}
