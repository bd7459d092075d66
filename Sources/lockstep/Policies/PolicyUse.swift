import ObjectStores
import ReplicationModel

/// What is done at one side of a pair: which rights are asked for.
struct PolicyUse: Sendable {
    enum Side: String, Sendable, CaseIterable {
        case source, target
        /// Where the manifest is published, if not at the target.
        case control
    }

    enum Task: String, Sendable, CaseIterable {
        case sync, check, sweep, doctor
    }

    /// Where a call is made.
    enum Scope: Sendable, Hashable {
        /// Everything below the location.
        case objects
        /// What the program keeps for itself, below `.lockstep/` of the location.
        case own
    }

    struct Right: Sendable, Hashable {
        var operation: StoreOperation
        var scope: Scope
    }

    var side: Side
    var location: ObjectLocation
    var tasks: Set<Task>
    /// `sync --delete`; `keepsDeleted` unless `--permanent-delete`.
    var deletes = false
    var keepsDeleted = true
    /// `sync --delta`.
    var delta = false
    /// Keys of a key management service that the service encrypts the objects with.
    var keys: [String] = []
    /// Where changes of the source are told.
    var queue: String?

    /// The calls of the engine; the one table that all policies are made of.
    var rights: Set<Right> {
        var rights: Set<Right> = []
        func may(_ operations: StoreOperation..., at scope: Scope = .objects) {
            for operation in operations { rights.insert(Right(operation: operation, scope: scope)) }
        }
        let looks = tasks.contains(.sync) || tasks.contains(.check) || tasks.contains(.doctor)
        if looks { may(.list, .head, .read, at: side == .control ? .own : .objects) }
        if side == .control, tasks.contains(.sync) { may(.put, .delete, at: .own) }
        if side == .control, tasks.contains(.doctor) { allowDoctor(&rights) }
        guard side == .target else { return rights }
        if tasks.contains(.sync) {
            may(.put, .beginUpload, .uploadPart, .listParts, .completeUpload, .abortUpload, .openUploads)
            // Pages of older manifests, and the probe of conditional writes.
            may(.delete, at: .own)
            if delta { may(.copyPart) }
            if deletes {
                may(.delete)
                if keepsDeleted { may(.copy, .copyPart) }
            }
        }
        if tasks.contains(.sweep) { may(.openUploads, .abortUpload) }
        if tasks.contains(.doctor) { allowDoctor(&rights) }
        return rights
    }

    /// What the doctor asks of a place that is written to.
    private func allowDoctor(_ rights: inout Set<Right>) {
        let operations: [StoreOperation] = [
            .put, .beginUpload, .uploadPart, .listParts, .completeUpload, .abortUpload, .openUploads, .copy, .copyPart,
            .delete,
        ]
        for operation in operations { rights.insert(Right(operation: operation, scope: .own)) }
    }

    /// The rights of one scope; those below `.lockstep/` without those that are given everywhere.
    func operations(_ scope: Scope) -> Set<StoreOperation> {
        let everywhere = Set(rights.filter { $0.scope == .objects }.map(\.operation))
        guard scope == .own else { return everywhere }
        return Set(rights.filter { $0.scope == .own }.map(\.operation)).subtracting(everywhere)
    }

    /// Key prefix of the location, `""` or ending in a slash.
    var prefix: String { location.prefix.text }

    /// Key prefix of what the program keeps for itself.
    var ownPrefix: String { prefix + ".lockstep/" }
}
