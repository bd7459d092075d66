import ObjectStores
import ReplicationModel

/// Stands for a listing when the keys are given (`--files-from`): looks each of them up, in key order.
struct KeyLookup {
    static let batch = 256
    static let parallel = 32

    let store: any ObjectStore
    let side: TransferFailure.Side
    private let keys: [ObjectKey]
    /// Told about every key that the store does not have.
    private let missing: @Sendable (ObjectKey) -> Void
    private var next = 0

    init(
        _ store: any ObjectStore, side: TransferFailure.Side, sortedKeys: [ObjectKey],
        missing: @escaping @Sendable (ObjectKey) -> Void = { _ in }
    ) {
        self.store = store
        self.side = side
        self.keys = sortedKeys
        self.missing = missing
    }

    /// The objects among the next keys; nil when all were looked up.
    mutating func nextPage() async throws -> [ListedObject]? {
        while next < keys.count {
            let part = Array(keys[next..<min(next + Self.batch, keys.count)])
            next += part.count
            let found = try await lookUp(part)
            if !found.isEmpty { return found }
        }
        return nil
    }

    private func lookUp(_ keys: [ObjectKey]) async throws -> [ListedObject] {
        let store = store
        let side = side
        let missing = missing
        return try await withThrowingTaskGroup(of: ListedObject?.self) { group in
            var found: [ListedObject] = []
            for (index, key) in keys.enumerated() {
                if index >= Self.parallel, let object = try await group.next() ?? nil { found.append(object) }
                group.addTask {
                    do throws(StoreError) {
                        // A key that the store cannot hold is not there, and need not be asked for.
                        if store.rules.problem(with: key) == nil { return try await store.head(key).object }
                    } catch {
                        guard error.code == .notFound else { throw TransferFailure(side, error) }
                    }
                    missing(key)
                    return nil
                }
            }
            for try await object in group { if let object { found.append(object) } }
            return found.sorted { $0.key < $1.key }
        }
    }
}
