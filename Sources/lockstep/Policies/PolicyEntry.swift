import Configuration
import ReplicationModel

/// One thing that a pair needs rights to, and the rights.
struct PolicyEntry: Sendable {
    /// A stable word: that of the side, `events`, `source-key`, `target-key`.
    enum Name: String, Sendable, CaseIterable {
        case source, target, control, events
        case sourceKey = "source-key"
        case targetKey = "target-key"

        init(_ side: PolicyUse.Side) {
            switch side {
            case .source: self = .source
            case .target: self = .target
            case .control: self = .control
            }
        }
    }

    var name: Name
    /// A location, a queue or a key.
    var place: String
    var policy: Policy

    init(_ use: PolicyUse) throws(CommandFailure) {
        name = Name(use.side)
        place = use.location.description
        policy = try Policy(for: use)
    }

    /// A queue whose cloud is not that of the source.
    init(queue: String, of kind: EventQueueKind) throws(CommandFailure) {
        name = .events
        place = queue
        policy =
            switch kind {
            case .sqs: try .aws(queue: queue)
            case .pubSub: try .google(queue: queue)
            case .storageQueue: try .azure(queue: queue)
            }
    }

    /// The key that opens the vault at one side. A vault that is only read is neither made nor given other keys.
    init(vaultKey: KeyServiceAddress, at side: PolicyUse.Side) throws(CommandFailure) {
        let encrypts = side == .target
        name = encrypts ? .targetKey : .sourceKey
        place = vaultKey.description
        policy =
            switch vaultKey.kind {
            case .aws: try .aws(vaultKey: vaultKey.key, encrypts: encrypts)
            case .google: .google(vaultKey: vaultKey.key, encrypts: encrypts)
            case .azure: .azure(vaultKey: vaultKey.key)
            case .hashiCorp: .hashiCorp(vaultKey: vaultKey.key, encrypts: encrypts)
            }
    }
}

extension Policy {
    /// `MOUNT/KEY` of a transit engine.
    fileprivate static func hashiCorp(vaultKey path: String, encrypts: Bool) -> Policy {
        let parts = path.split(separator: "/")
        let (mount, key) = (parts.dropLast().joined(separator: "/"), parts.last ?? "")
        let verbs = ["decrypt"] + (encrypts ? ["encrypt"] : [])
        let rules = verbs.map { "path \"\(mount)/\($0)/\(key)\" { capabilities = [\"update\"] }" }
        return Policy(
            cloud: "hashicorp", documents: [],
            notes: ["vault policy write lockstep - <<< '\(rules.joined(separator: " "))'"])
    }
}
