import ChunkPipeline
import Cryptography
import ObjectStores
import ReplicationModel
import Testing
import Vault

/// Whatever byte of a vault is changed: who reads it gets the right bytes or an error, never others.
@Suite struct DamagedVaultTests {
    private static let credential = VaultCredential.keyFile(Secret(Array("thirty-two bytes that open a vault".utf8)))
    private static let contents: [ObjectKey: [UInt8]] = [
        "empty": [], "noise": noise(700, seed: 1), "text": Array(String(repeating: "vault ", count: 300).utf8),
    ]

    @Test func noChangedByteGivesOtherBytes() async throws {
        let base = MemoryStore()
        try await fill(base)
        var noticed: [String: Int] = [:]
        for name in try await StoredObject.names("", in: base, limit: 100) {
            let whole = try await StoredObject.read(name, from: base, limit: 1 << 20)
            for offset in whole.indices {
                for bit: UInt8 in [0x01, 0x80] {
                    var changed = whole
                    changed[offset] ^= bit
                    try await StoredObject.put(changed, name, to: base, condition: .unconditional)
                    do {
                        let found = try await contents(of: base)
                        if found != Self.contents { Issue.record("byte \(offset) of \(name) gives other bytes") }
                    } catch {
                        noticed[name, default: 0] += 1
                    }
                }
            }
            try await StoredObject.put(whole, name, to: base, condition: .unconditional)
            // A reader looks at every byte of these, whatever it reads.
            if ["format", "key/", "root/00000000000000000002", "snap/", "index/"].contains(where: name.hasPrefix) {
                #expect(noticed[name] == 2 * whole.count, "\(name)")
            }
        }
        #expect(noticed.keys.contains { $0.hasPrefix("pack/") })
        #expect(try await contents(of: base) == Self.contents)
    }

    private func fill(_ base: MemoryStore) async throws {
        var options = VaultOptions(chunker: .fixed(size: 4096), compression: .auto)
        options.packSize = 8 << 20
        _ = try await VaultHandle.initialise(
            base, Self.credential, label: "", options: options, local: { _ in MemoryVaultState() },
            time: SystemTime())
        let writer = try await VaultStore.writing(
            open(base), source: "memory://source/", host: "host", memory: 32 << 20)
        for (key, bytes) in Self.contents { try await writer.write(key, bytes) }
        _ = try await writer.commit(.complete(failures: 0))
    }

    private func open(_ base: MemoryStore) async throws -> VaultHandle {
        try await VaultHandle.open(
            base, Self.credential, local: { _ in MemoryVaultState() }, time: SystemTime())
    }

    private func contents(of base: MemoryStore) async throws -> [ObjectKey: [UInt8]] {
        let store = try await VaultStore.reading(open(base), snapshot: .latest, memory: 1 << 20)
        var contents: [ObjectKey: [UInt8]] = [:]
        for key in try await store.keys() { contents[key] = try await store.content(key) }
        return contents
    }
}
