import ChunkPipeline
import Cryptography
import ObjectStores
import ReplicationModel
import Testing
import Vault

/// Every byte of every object of a small vault, changed.
@Suite struct DamagedVaultTests {
    private static let credential = VaultCredential.keyFile(Secret(Array("thirty-two bytes that open a vault".utf8)))
    private static let contents: [ObjectKey: [UInt8]] = [
        "empty": [], "noise": noise(700, seed: 1), "text": Array(String(repeating: "vault ", count: 300).utf8),
    ]

    /// Who reads gets the right bytes or an error, never others.
    @Test func noChangedByteGivesOtherBytes() async throws {
        let base = try await made()
        var failed: [String: Int] = [:]
        let lengths = try await changeEachByte(of: base) { name, offset in
            guard let found = try? await contents(of: base) else { return failed[name, default: 0] += 1 }
            if found != Self.contents { Issue.record("byte \(offset) of \(name) gives other bytes") }
        }
        for (name, length) in lengths {
            if name.hasPrefix("pack/") {
                // A reader needs neither the footer of a pack nor its trailer, but the header and a record, which is longer than its tag.
                #expect(failed[name, default: 0] > 96 + 16, "\(name)")
            } else if name != VaultName.root(1) {
                #expect(failed[name] == length, "\(name)")
            }
        }
        #expect(try await contents(of: base) == Self.contents)
    }

    /// A check that reads all data says which object it is.
    @Test func aCheckNamesTheObjectOfEveryChangedByte() async throws {
        let base = try await made()
        try await changeEachByte(of: base) { name, offset in
            var named: [String] = []
            do throws(VaultError) {
                named = try await VaultCheck(open(base)).run(.init(data: .all, memory: 8 << 20)).findings.map(\.object)
            } catch {
                named = [error.object ?? ""]
            }
            if !named.contains(name) { Issue.record("byte \(offset) of \(name): \(named)") }
        }
        #expect(try await VaultCheck(open(base)).run(.init(data: .all)).isSound)
    }

    /// Calls with every byte changed by itself. Returns how many bytes each object has.
    @discardableResult
    private func changeEachByte(
        of base: MemoryStore, _ body: (_ name: String, _ offset: Int) async throws -> Void
    ) async throws -> [String: Int] {
        var lengths: [String: Int] = [:]
        for name in try await StoredObject.names("", in: base, limit: 100) {
            let whole = try await StoredObject.read(name, from: base, limit: 1 << 20)
            lengths[name] = whole.count
            for offset in whole.indices {
                var changed = whole
                changed[offset] ^= offset % 2 == 0 ? 0x01 : 0x80
                try await StoredObject.put(changed, name, to: base, condition: .unconditional)
                try await body(name, offset)
            }
            try await StoredObject.put(whole, name, to: base, condition: .unconditional)
        }
        return lengths
    }

    private func made() async throws -> MemoryStore {
        let base = MemoryStore()
        var options = VaultOptions(chunker: .fixed(size: 4096), compression: .auto)
        options.packSize = 8 << 20
        _ = try await VaultHandle.initialise(
            base, Self.credential, label: "", options: options, local: { _ in MemoryVaultState() },
            time: SystemTime())
        let writer = try await VaultStore.writing(
            open(base), source: "memory://source/", host: "host", memory: 32 << 20)
        for (key, bytes) in Self.contents { try await writer.write(key, bytes) }
        _ = try await writer.commit(.complete(failures: 0))
        return base
    }

    private func open(_ base: MemoryStore) async throws(VaultError) -> VaultHandle {
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
