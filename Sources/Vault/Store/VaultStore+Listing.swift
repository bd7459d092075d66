import Digests
package import ObjectStores
import ReplicationModel

extension VaultStore {
    /// The committed tree's page, with this process's own changes in it.
    package func list(_ request: ListRequest) async throws(StoreError) -> ListPage {
        let after = try cursor(request) ?? request.startAfter
        let limit = max(1, min(request.limit, capabilities.listPageLimit))
        while true {
            let state = state
            let committed: [VaultEntry]
            do throws(VaultError) {
                committed = try await state.tree.entries(prefix: request.prefix, after: after, limit: limit)
            } catch {
                throw error.asStoreError(.list)
            }
            let last = committed.count == limit ? committed.last?.key : nil
            var entries = committed
            if let writer {
                let own = writer.changes(prefix: request.prefix, after: after, upTo: last, limit: limit)
                // A commit came in between: its changes are no longer the writer's, and not in this page.
                guard own.base === state else { continue }
                entries = Self.merge(committed, own.changes)
                // More changes than fit may follow the last one that was taken.
                if own.changes.count == limit, let bound = own.changes.last?.0 {
                    entries.removeAll { bound < $0.key }
                    if entries.isEmpty { return ListPage(objects: [], next: Hex.encode(bound.bytes)) }
                    return page(entries, bound: bound, limit: limit, before: request.endBefore)
                }
            }
            return page(entries, bound: last, limit: limit, before: request.endBefore)
        }
    }

    /// - Parameter bound: the key up to which the entries are complete; nil: to the end.
    private func page(_ entries: [VaultEntry], bound: ObjectKey?, limit: Int, before end: ObjectKey?) -> ListPage {
        var shown = entries.prefix(limit)
        if let end, let first = shown.firstIndex(where: { !($0.key < end) }) {
            shown = shown[..<first]
            return ListPage(objects: shown.map(\.listed), next: nil)
        }
        let next = shown.count < entries.count ? shown.last?.key : bound
        return ListPage(objects: shown.map(\.listed), next: next.map { Hex.encode($0.bytes) })
    }

    private func cursor(_ request: ListRequest) throws(StoreError) -> ObjectKey? {
        guard let text = request.cursor else { return nil }
        guard let bytes = Hex.decode(text) else {
            throw StoreError(.invalidRequest, .list, message: "this is no place in a listing: \(text)")
        }
        return ObjectKey(bytes)
    }

    private static func merge(_ committed: [VaultEntry], _ changes: [(ObjectKey, VaultEntry?)]) -> [VaultEntry] {
        guard !changes.isEmpty else { return committed }
        var result: [VaultEntry] = []
        result.reserveCapacity(committed.count + changes.count)
        var index = 0
        for (key, entry) in changes {
            while index < committed.count, committed[index].key < key {
                result.append(committed[index])
                index += 1
            }
            if index < committed.count, committed[index].key == key { index += 1 }
            if let entry { result.append(entry) }
        }
        return result + committed[index...]
    }
}
