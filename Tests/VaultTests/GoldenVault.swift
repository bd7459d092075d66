import Cryptography
import Digests
import Foundation
import ObjectStores
import ReplicationModel
import Testing
import Vault

/// A vault in a directory, and what each of its snapshots must hold: kept by hand, never read back from the vault.
struct GoldenVault {
    struct Object: Equatable {
        var bytes: [UInt8]
        var attributes = ObjectAttributes()
    }

    struct Snapshot {
        var id: UInt64
        var isPartial: Bool
        var objects: [ObjectKey: Object]
    }

    static let passphrase = "Vögel & \"Fische\" \u{2603}"
    static let keyFile = Array("a key file has thirty-two bytes or more of anything at all\n".utf8)

    private(set) var snapshots: [Snapshot] = []
    /// What opens it, of the two above.
    private(set) var credentials: [VaultCredential]
    private let base: FileStore
    private let options: VaultOptions
    private var objects: [ObjectKey: Object] = [:]
    private var writer: VaultStore?

    /// Makes an empty vault. A quick passphrase: these keys are no secret.
    init(_ directory: URL, _ credential: VaultCredential, _ options: VaultOptions) async throws {
        var options = options
        options.packSize = 8 << 20
        options.scrypt = Scrypt.Parameters(n: 1024, r: 8, p: 2)
        base = FileStore(root: directory.path, options: FileStoreOptions(createsRoot: true))
        self.options = options
        credentials = [credential]
        _ = try await VaultHandle.initialise(
            base, credential, label: "golden", options: options, local: { _ in MemoryVaultState() },
            time: SystemTime())
    }

    private func open(_ credential: VaultCredential) async throws -> VaultHandle {
        try await VaultHandle.open(base, credential, local: { _ in MemoryVaultState() }, time: SystemTime())
    }

    /// Begins a run, which ends with a commit that is not a checkpoint.
    private mutating func running() async throws -> VaultStore {
        if let writer { return writer }
        let writer = try await VaultStore.writing(
            open(credentials[0]), source: "memory://golden/", host: "golden", memory: 32 << 20)
        self.writer = writer
        return writer
    }

    mutating func write(_ key: ObjectKey, _ bytes: [UInt8], _ attributes: ObjectAttributes = .init()) async throws {
        try await running().write(key, bytes, attributes: attributes)
        objects[key] = Object(bytes: bytes, attributes: attributes)
    }

    mutating func copy(_ key: ObjectKey, to destination: ObjectKey) async throws {
        let writer = try await running()
        let source = try await writer.head(key).object
        _ = try await writer.copy(
            CopyRequest(
                source: key, sourceVersion: source.version, size: source.size, destination: destination,
                condition: .unconditional))
        objects[destination] = objects[key]
    }

    mutating func delete(_ key: ObjectKey) async throws {
        try await running().delete([DeleteRequest(key: key, version: nil)])[0].get()
        objects[key] = nil
    }

    mutating func commit(_ kind: CommitKind = .complete(failures: 0)) async throws {
        let id = try #require(UInt64(try await running().commit(kind).snapshot ?? ""))
        // A checkpoint lasts until the next commit.
        snapshots.removeAll { $0.isPartial }
        snapshots.append(Snapshot(id: id, isPartial: kind == .checkpoint, objects: objects))
        if kind != .checkpoint { writer = nil }
    }

    mutating func addKey(_ credential: VaultCredential) async throws {
        let vault = try await open(credentials[0])
        let slots = KeySlots(store: base, format: vault.format, time: SystemTime(), scrypt: options.scrypt)
        try await slots.add(credential, label: "second", keys: vault.keys)
        credentials.append(credential)
    }

    mutating func rotateKeys() async throws {
        let vault = try await open(credentials[0])
        _ = try await vault.slots.rotate(vault.keys)
    }

    /// Reads every snapshot with every credential.
    func check() async throws {
        for credential in credentials {
            for snapshot in snapshots {
                let store = try await VaultStore.reading(
                    open(credential), snapshot: .id(snapshot.id), memory: 32 << 20)
                var found: [ObjectKey: Object] = [:]
                for key in try await store.keys() {
                    found[key] = Object(
                        bytes: try await store.content(key), attributes: try await store.head(key).attributes)
                }
                #expect(found == snapshot.objects)
            }
        }
    }

    // MARK: What the readers of golden vaults compare with

    private struct Manifest: Encodable {
        struct Snapshot: Encodable {
            var id: UInt64
            var isPartial: Bool
            var objects: [Object]
        }

        struct Object: Encodable {
            /// Hexadecimal: keys are bytes.
            var key: String
            var size: Int
            var blake3: String
            var attributes: ObjectAttributes
        }

        var passphrase: String?
        /// Hexadecimal.
        var keyFile: String?
        var snapshots: [Snapshot]
    }

    func writeManifest(_ file: URL) throws {
        var manifest = Manifest(snapshots: [])
        for credential in credentials {
            switch credential {
            case .passphrase: manifest.passphrase = Self.passphrase
            case .keyFile: manifest.keyFile = Hex.encode(Self.keyFile)
            case .wrapper: Issue.record("golden vaults must open without a service")
            }
        }
        for snapshot in snapshots {
            let objects = snapshot.objects.sorted { $0.key < $1.key }.map { key, object in
                Manifest.Object(
                    key: Hex.encode(key.bytes), size: object.bytes.count,
                    blake3: object.bytes.withUnsafeBytes { Hex.encode(BLAKE3.hash($0)) },
                    attributes: object.attributes)
            }
            manifest.snapshots.append(.init(id: snapshot.id, isPartial: snapshot.isPartial, objects: objects))
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        try encoder.encode(manifest).write(to: file)
    }
}
