import ObjectStores
import ReplicationModel

extension ObjectStore {
    /// Everything whose name starts with `prefix`, in order, until `body` returns false. A listing that does not go forward is an error.
    func forEachObject(
        prefix: String = "", startAfter: ObjectKey? = nil, endBefore: String? = nil,
        _ body: (ListedObject) throws(VaultError) -> Bool
    ) async throws(VaultError) {
        let end = endBefore.map { ObjectKey($0) }
        var cursor: String?
        var last = startAfter
        repeat {
            let page: ListPage
            do throws(StoreError) {
                page = try await list(
                    ListRequest(prefix: ObjectKey(prefix), startAfter: startAfter, endBefore: end, cursor: cursor))
            } catch {
                throw VaultError(error)
            }
            for object in page.objects {
                if let last, !(last < object.key) {
                    throw VaultError(.store, object: prefix, "the listing is not in order, or does not end")
                }
                last = object.key
                if let end, !(object.key < end) { return }
                guard try body(object) else { return }
            }
            guard page.next == nil || page.next != cursor else {
                throw VaultError(.store, object: prefix, "the listing does not end")
            }
            cursor = page.next
        } while cursor != nil
    }
}
