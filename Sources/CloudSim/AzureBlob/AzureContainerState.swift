/// What the storage does not know of a container: uncommitted blocks, snapshots and leases. Not kept across restarts.
final class AzureContainerState {
    let container: Bucket
    private(set) var uncommitted: [ObjectName: AzureUncommittedBlocks] = [:]
    /// Oldest first.
    var snapshots: [ObjectName: [AzureSnapshot]] = [:]

    private var leases: [ObjectName: AzureLease] = [:]

    private static let lifetimeSeconds: Int64 = 7 * 86_400

    init(container: Bucket) {
        self.container = container
    }

    /// The blocks of a blob that wait for a commit; they vanish a week after the last of them arrived.
    func blocks(of name: ObjectName, now: SimTime) -> AzureUncommittedBlocks? {
        guard let blocks = uncommitted[name] else { return nil }
        guard now.seconds - blocks.lastArrival.seconds < Self.lifetimeSeconds else {
            uncommitted[name] = nil
            return nil
        }
        return blocks
    }

    func addBlock(_ id: String, _ body: Body, of name: ObjectName, now: SimTime) throws(AzureError) {
        var blocks = blocks(of: name, now: now) ?? AzureUncommittedBlocks(lastArrival: now)
        // Taken out of the dictionary, so that the array inside is changed in place.
        uncommitted[name] = nil
        defer { uncommitted[name] = blocks.isEmpty ? nil : blocks }
        try blocks.add(id, body, now: now)
    }

    func lease(on name: ObjectName, now: SimTime) -> AzureLease? {
        leases[name].flatMap { $0.isActive(now: now) ? $0 : nil }
    }

    func setLease(_ lease: AzureLease?, on name: ObjectName) {
        leases[name] = lease
    }

    func dropBlocks(of name: ObjectName) {
        uncommitted[name] = nil
    }
}

/// The bytes and attributes a blob had when it was snapshotted.
struct AzureSnapshot {
    var id: String
    var blob: StoredObject
}

/// Blocks of one blob that are not committed, in the order they arrived.
struct AzureUncommittedBlocks {
    static let maximumCount = 100_000

    private(set) var lastArrival: SimTime
    private(set) var ordered: [(id: String, body: Body)] = []
    private var indices: [String: Int] = [:]

    init(lastArrival: SimTime) {
        self.lastArrival = lastArrival
    }

    var isEmpty: Bool { ordered.isEmpty }

    subscript(id: String) -> Body? { indices[id].map { ordered[$0].body } }

    /// All ids of a blob have one length; a block with a known id replaces it.
    mutating func add(_ id: String, _ body: Body, now: SimTime) throws(AzureError) {
        if let index = indices[id] {
            ordered[index].body = body
        } else {
            if let first = ordered.first, first.id.utf8.count != id.utf8.count { throw .invalidBlobOrBlock }
            guard ordered.count < Self.maximumCount else { throw .blockCountExceedsLimit }
            indices[id] = ordered.count
            ordered.append((id, body))
        }
        lastArrival = now
    }
}
