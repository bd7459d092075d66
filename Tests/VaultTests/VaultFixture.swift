import ChunkPipeline
import Cryptography
import ObjectStores
import ReplicationModel
import Testing
import Vault

/// A vault in memory that is quick to open.
struct VaultFixture {
    static let passphrase = VaultCredential.passphrase(Secret("correct horse"))
    static let quick = Scrypt.Parameters(n: 16, r: 1, p: 1)
    static let options = VaultOptions(scrypt: quick)

    let base = MemoryStore()
    let state = MemoryVaultState()

    func initialise(
        through store: (any ObjectStore)? = nil, _ credential: VaultCredential = passphrase,
        options: VaultOptions = options
    ) async throws(VaultError) -> VaultHandle {
        try await VaultHandle.initialise(
            store ?? base, credential, label: "first", options: options, local: { [state] _ in state },
            time: SystemTime())
    }

    func open(
        through store: (any ObjectStore)? = nil, _ credential: VaultCredential = passphrase,
        state: (any VaultLocalState)? = nil
    ) async throws(VaultError) -> VaultHandle {
        let state = state ?? self.state
        return try await VaultHandle.open(store ?? base, credential, local: { _ in state }, time: SystemTime())
    }

    /// Slots whose passphrases are quick to make.
    func slots(_ handle: VaultHandle, through store: (any ObjectStore)? = nil) -> KeySlots {
        KeySlots(store: store ?? base, format: handle.format, time: SystemTime(), scrypt: Self.quick)
    }

    func names(_ prefix: String = "") async throws -> [String] {
        try await StoredObject.names(prefix, in: base, limit: 1000)
    }

    func bytes(_ name: String) async throws -> [UInt8] {
        try await StoredObject.read(name, from: base, limit: 1 << 30)
    }

    func put(_ bytes: [UInt8], _ name: String) async throws {
        try await StoredObject.put(bytes, name, to: base, condition: .unconditional)
    }

    func delete(_ name: String) async throws {
        try await base.delete([DeleteRequest(key: ObjectKey(name), version: nil)])[0].get()
    }
}

/// A cloud's key service, in memory.
final class FakeWrapper: KeyWrapper {
    let kind: String
    let parameters: [String: String]
    private let key: [UInt8]
    private let failure: VaultError?

    init(kind: String = "fake-kms", key: [UInt8], parameters: [String: String] = [:], failure: VaultError? = nil) {
        self.kind = kind
        self.key = key
        self.parameters = parameters
        self.failure = failure
    }

    func wrap(_ secret: Secret) async throws(VaultError) -> [UInt8] {
        if let failure { throw failure }
        return key + secret.withBytes { bytes in zip(bytes, key).map { $0 ^ $1 } }
    }

    func unwrap(_ wrapped: [UInt8], parameters: [String: String]) async throws(VaultError) -> Secret {
        if let failure { throw failure }
        guard parameters == self.parameters, wrapped.starts(with: key) else {
            throw VaultError(.wrongKey, "another key")
        }
        return Secret(zip(wrapped.dropFirst(key.count), key).map { $0 ^ $1 })
    }
}

/// The error of a call, which must be there and, if a code is given, be of that.
@discardableResult
func expectError<Result>(
    _ code: VaultError.Code?, sourceLocation: SourceLocation = #_sourceLocation, _ call: () async throws -> Result
) async -> VaultError? {
    do {
        _ = try await call()
        Issue.record("nothing was thrown", sourceLocation: sourceLocation)
        return nil
    } catch {
        let found = error as? VaultError
        #expect(found != nil && (code == nil || found?.code == code), "\(error)", sourceLocation: sourceLocation)
        return found
    }
}
