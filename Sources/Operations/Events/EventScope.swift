package import HTTPStores
package import Replication
package import ReplicationModel

/// Which changes of a bucket are of a pair, and what becomes of them.
package struct EventScope: Sendable {
    package enum Placement: Sendable, Hashable {
        /// The key at the pair's source, to be copied.
        case copy(ObjectKey)
        /// Only a run over both listings can settle it.
        case reconcile
        /// Gone at the source; deletes are made by runs over both listings only.
        case removed
        /// Of no interest: elsewhere, or left out by filters.
        case foreign
    }

    private let location: ObjectLocation
    private let filter: ObjectFilter
    private let sets: ArtifactSets?

    /// - Parameter sets: of the pair's pointers, which are written only after sets that listings have shown to be complete.
    package init(location: ObjectLocation, filter: ObjectFilter, sets: ArtifactSets?) {
        self.location = location
        self.filter = filter
        self.sets = sets
    }

    package func place(_ change: ObjectChange) -> Placement {
        guard change.container == location.bucket, change.account ?? location.account == location.account,
            change.key.hasPrefix(location.prefix)
        else { return .foreign }
        let key = ObjectKey(Array(change.key.bytes.dropFirst(location.prefix.bytes.count)))
        guard !key.bytes.isEmpty, filter.includes(key) else { return .foreign }
        if change.kind == .removed { return .removed }
        return sets?.isPointer(key) == true ? .reconcile : .copy(key)
    }
}
