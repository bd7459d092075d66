import Configuration
import ReplicationModel

/// What is known of a pair whose rights are asked for.
struct PolicyPair: Sendable {
    var source: ObjectLocation
    var target: ObjectLocation
    /// Where the manifest is published; nil: at the target.
    var control: ObjectLocation?
    var deletes = false
    var keepsDeleted = true
    var delta = false
    var sourceKeys: [String] = []
    var targetKeys: [String] = []
    var queue: String?
    /// What opens the vaults at the two sides, where that is a key of a key service.
    var sourceVaultKey: KeyServiceAddress?
    var targetVaultKey: KeyServiceAddress?

    func entries(_ tasks: Set<PolicyUse.Task>) throws(CommandFailure) -> [PolicyEntry] {
        var entries: [PolicyEntry] = []
        var read = PolicyUse(side: .source, location: source.underlying, tasks: tasks)
        read.keys = sourceKeys
        let events = tasks.contains(.sync) ? queue : nil
        let foreign = events.flatMap { EventQueueKind($0) }.flatMap { $0.service == source.service ? nil : $0 }
        if foreign == nil { read.queue = events }
        entries.append(try PolicyEntry(read))
        var write = PolicyUse(side: .target, location: target.underlying, tasks: tasks)
        // A vault replaces its own objects, and deletes packs when it is pruned.
        write.deletes = deletes || target.isVault
        write.keepsDeleted = keepsDeleted && !target.isVault
        write.delta = delta && !target.isVault
        write.keys = targetKeys
        entries.append(try PolicyEntry(write))
        if let control { entries.append(try PolicyEntry(PolicyUse(side: .control, location: control, tasks: tasks))) }
        if let events, let foreign { entries.append(try PolicyEntry(queue: events, of: foreign)) }
        if let sourceVaultKey { entries.append(try PolicyEntry(vaultKey: sourceVaultKey, at: .source)) }
        if let targetVaultKey { entries.append(try PolicyEntry(vaultKey: targetVaultKey, at: .target)) }
        return entries
    }
}

extension PolicyPair {
    /// A pair of the configuration file. What its source is encrypted with, the file does not say.
    init(of configured: ConfiguredPair) {
        let (pair, request) = (configured.pair, configured.request())
        // A folder of a vault is a name in it: its objects are at its root.
        self.init(
            source: request.source.connection.origin?.root ?? pair.source.location,
            target: request.target.connection.origin?.root ?? pair.target.location)
        control = pair.control?.location
        deletes = pair.settings.deletion.isEnabled
        keepsDeleted = !pair.settings.deletion.isPermanent
        delta = pair.settings.delta
        targetKeys = Self.key(of: pair.target.encryption).map { [$0] } ?? []
        queue = pair.events?.queue
        sourceVaultKey = request.source.connection.vault.kms
        targetVaultKey = request.target.connection.vault.kms
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
