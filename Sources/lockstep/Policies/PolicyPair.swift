import Configuration
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

extension PolicyPair {
    /// A pair of the configuration file. What its source is encrypted with, the file does not say.
    init(of pair: PairConfiguration) {
        self.init(source: pair.source.location, target: pair.target.location)
        deletes = pair.settings.deletion.isEnabled
        keepsDeleted = !pair.settings.deletion.isPermanent
        delta = pair.settings.delta
        targetKeys = Self.key(of: pair.target.encryption).map { [$0] } ?? []
        queue = pair.events?.queue
    }

    /// The key that an encryption names: `aws:kms:KEY`, `aws:kms:dsse:KEY`, the key's resource name, or a scope.
    private static func key(of encryption: String?) -> String? {
        guard let encryption, encryption != "AES256", encryption != "aws:kms", encryption != "aws:kms:dsse" else {
            return nil
        }
        for mark in ["aws:kms:dsse:", "aws:kms:"] where encryption.hasPrefix(mark) {
            return String(encryption.dropFirst(mark.count))
        }
        return encryption
    }
}
