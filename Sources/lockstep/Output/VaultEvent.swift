import Foundation
import ReplicationModel
import Vault

/// One line of `--json` of the vault commands. The schema's version is in every line; a field is never given another meaning, new ones
/// may come.
struct VaultEvent: Encodable {
    var schema = "lockstep.vault/1"
    var event: String
    /// Of a snapshot.
    var id: UInt64?
    var time: String?
    var objects: Int?
    var bytes: Int64?
    var source: String?
    var host: String?
    /// `complete` or `partial`.
    var state: String?
    var failures: Int?
    /// Of a root.
    var sequence: UInt64?
    var hash: String?
    /// Of a difference: `added`, `removed`, `changed`, with what differs.
    var change: String?
    var key: String?
    var keyBase64: String?
    var fields: [String]?
    var sizeBefore: Int64?
    var sizeAfter: Int64?
    /// Of a key slot; `id` is its own.
    var slot: String?
    var kind: String?
    var label: String?
    var created: String?
    /// Of a stage's speed: stored bytes for each plain one.
    var stage: String?
    var bytesPerSecond: Int64?
    var ratio: Double?

    /// Why a snapshot is kept.
    var reasons: [String]?
    /// Of a finding: the object of the storage, what is wrong with it, and which objects of which snapshots that costs.
    var object: String?
    var message: String?
    var keys: [String]?
    var keyCount: Int?
    var snapshots: [UInt64]?
    /// Everything that the end of a command says.
    var summary: AnyEncodable?

    init(_ event: String) {
        self.event = event
    }

    init(_ event: String, summary: some Encodable & Sendable) {
        self.init(event)
        self.summary = AnyEncodable(summary)
    }

    init(_ snapshot: Snapshot, as event: String = "snapshot") {
        self.init(event)
        id = snapshot.id
        time = Format.time(snapshot.time * 1_000_000_000)
        objects = snapshot.objects
        bytes = snapshot.bytes
        source = snapshot.source
        host = snapshot.host
        state = snapshot.isPartial ? "partial" : "complete"
        failures = snapshot.failures
    }

    init(_ finding: VaultCheckReport.Finding) {
        self.init("finding")
        object = finding.object
        message = finding.what
        guard finding.keyCount > 0 else { return }
        keys = finding.keys.map(\.text)
        keyCount = finding.keyCount
        snapshots = finding.snapshots
    }

    init(_ root: RootMark) {
        self.init("root")
        sequence = root.sequence
        hash = root.hash
    }

    mutating func name(_ key: ObjectKey) {
        self.key = key.text
        if key.utf8 == nil { keyBase64 = Data(key.bytes).base64EncodedString() }
    }
}

/// A value whose type does not matter to who writes it down.
struct AnyEncodable: Encodable, Sendable {
    private let value: any Encodable & Sendable

    init(_ value: some Encodable & Sendable) {
        self.value = value
    }

    func encode(to encoder: any Encoder) throws {
        try value.encode(to: encoder)
    }
}

extension Console {
    func data(_ line: VaultEvent) {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.keyEncodingStrategy = .convertToSnakeCase
        do {
            data(String(decoding: try encoder.encode(line), as: UTF8.self))
        } catch {
            self.error("a line could not be written as JSON: \(error)")
        }
    }
}
