/// Which state of a vault is read.
package enum SnapshotChoice: Sendable, Hashable {
    /// The newest complete snapshot; the newest of all where none is complete.
    case latest
    /// The newest, complete or not: what a writer goes on from.
    case newest
    case id(UInt64)
    /// The newest complete one that is not younger, seconds since 1970.
    case at(Int64)

    /// The snapshot of a root's list; nil in a vault without snapshots. Throws `.notFound`.
    package func find(in snapshots: [Snapshot]) throws(VaultError) -> Snapshot? {
        switch self {
        case .latest: return snapshots.last { !$0.isPartial } ?? snapshots.last
        case .newest: return snapshots.last
        case .id(let id):
            guard let found = snapshots.first(where: { $0.id == id }) else {
                throw VaultError(
                    .notFound, "there is no snapshot \(id); lockstep vault snapshots lists those that there are")
            }
            return found
        case .at(let time):
            guard let found = snapshots.last(where: { !$0.isPartial && $0.time <= time }) else {
                throw VaultError(.notFound, "no snapshot is as old as that; lockstep vault snapshots lists all")
            }
            return found
        }
    }
}
