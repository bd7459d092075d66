import ReplicationModel

/// What is known of a pair whose rights are asked for.
struct PolicyPair: Sendable {
    var source: ObjectLocation
    var target: ObjectLocation
    var deletes = false
    var keepsDeleted = true
    var delta = false
    var sourceKeys: [String] = []
    var targetKeys: [String] = []
    var queue: String?

    func uses(_ tasks: Set<PolicyUse.Task>) -> [PolicyUse] {
        var read = PolicyUse(side: .source, location: source.underlying, tasks: tasks)
        read.keys = sourceKeys
        read.queue = queue
        var write = PolicyUse(side: .target, location: target.underlying, tasks: tasks)
        // A vault replaces its own objects, and deletes packs when it is pruned.
        write.deletes = deletes || target.isVault
        write.keepsDeleted = keepsDeleted && !target.isVault
        write.delta = delta && !target.isVault
        write.keys = targetKeys
        return [read, write]
    }
}
