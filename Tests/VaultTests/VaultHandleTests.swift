import ChunkPipeline
import Cryptography
import Digests
import ObjectStores
import ReplicationModel
import Synchronization
import Testing
import Vault

struct VaultHandleTests {
    @Test func opensWhatWasMade() async throws {
        let fixture = VaultFixture()
        let made = try await fixture.initialise()
        #expect(try await fixture.names() == ["format", VaultName.key(1), VaultName.root(1)])
        #expect(!made.format.isSingleWriter)
        let handle = try await fixture.open()
        #expect(handle.keys.repository == made.format.repository)
        #expect(handle.keys.chunkIDKey == made.keys.chunkIDKey)
        let newest = try await handle.roots.newest()
        #expect(newest.root.sequence == 1)
        #expect(newest.root.snapshots.isEmpty)
    }

    @Test func twoVaultsDiffer() async throws {
        let (one, other) = (try await VaultFixture().initialise(), try await VaultFixture().initialise())
        #expect(one.format.repository != other.format.repository)
        #expect(one.keys.chunkIDKey != other.keys.chunkIDKey)
    }

    @Test func noVaultAndOneAlready() async throws {
        let fixture = VaultFixture()
        await expectError(.notAVault) { try await fixture.open() }
        _ = try await fixture.initialise()
        await expectError(.exists) { try await fixture.initialise() }
        await expectError(.wrongKey) { try await fixture.open(.passphrase(Secret("wrong"))) }
        await expectError(.invalid) { try await fixture.open(.passphrase(Secret(""))) }
        await expectError(.invalid) { try await VaultFixture().initialise(.keyFile(Secret("short"))) }
    }

    /// Stopped at each of its writes, with and without that write having happened; then called again.
    @Test(arguments: 0..<5, [false, true])
    func continuesAfterAnInterruption(_ stop: Int, _ happens: Bool) async throws {
        let fixture = VaultFixture()
        let store = FaultStore(fixture.base) { operation, key, number in
            guard operation == .put, number >= stop else { return nil }
            if number > stop || !happens { return .error(.forbidden) }
            return nil
        }
        let isDone = happens && stop == 4
        do {
            _ = try await fixture.initialise(through: store)
            #expect(isDone)
        } catch {
            #expect(!isDone)
            _ = try await fixture.initialise()
        }
        let handle = try await fixture.open()
        #expect(try await handle.roots.newest().root.sequence == 1)
        #expect(try await handle.slots.list(handle.keys).count == 1)
        await expectError(.exists) { try await fixture.initialise() }
    }

    /// Each write loses its reply once, having happened or not.
    @Test(arguments: 0..<5, [false, true])
    func settlesLostReplies(_ lost: Int, _ happens: Bool) async throws {
        let fixture = VaultFixture()
        let store = FaultStore(fixture.base) { operation, _, number in
            operation == .put && number == lost ? (happens ? .lostReply : .lostRequest) : nil
        }
        let made = try await fixture.initialise(through: store)
        #expect(!made.format.isSingleWriter)
        let handle = try await fixture.open()
        #expect(handle.keys.chunkIDKey == made.keys.chunkIDKey)
        #expect(try await handle.roots.newest().root.sequence == 1)
        #expect(try await fixture.names("probe/").allSatisfy { _ in happens })
    }

    @Test func probeGivesUp() async throws {
        let fixture = VaultFixture()
        let store = FaultStore(fixture.base) { operation, _, _ in operation == .put ? .lostRequest : nil }
        await expectError(.store) { try await fixture.initialise(through: store) }
        #expect(store.count(.put) == 5)
        #expect(try await fixture.names().isEmpty)
    }

    @Test func ignoredConditionsMakeASingleWriter() async throws {
        let fixture = VaultFixture()
        let base = fixture.base
        let store = FaultStore(base) { operation, key, _ in
            guard operation == .put, let key, key.text.hasPrefix("probe/") else { return nil }
            return .before { _ = await base.delete([DeleteRequest(key: key, version: nil)]) }
        }
        #expect(try await fixture.initialise(through: store).format.isSingleWriter)
        #expect(try await fixture.open().format.isSingleWriter)
    }

    /// Somebody else makes the vault while we do, just before each of our writes.
    @Test(arguments: 0..<5)
    func twoAtATime(_ moment: Int) async throws {
        let fixture = VaultFixture()
        let other = VaultCredential.passphrase(Secret("the other's"))
        let store = FaultStore(fixture.base) { operation, _, number in
            guard operation == .put, number == moment else { return nil }
            return .before { _ = try? await fixture.initialise(other) }
        }
        let mine = try? await fixture.initialise(through: store)
        let owner = mine == nil ? other : VaultFixture.passphrase
        let handle = try await fixture.open(owner)
        #expect(try await handle.roots.newest().root.sequence == 1)
        #expect(try await handle.slots.list(handle.keys).count == 1)
        await expectError(.wrongKey) { try await fixture.open(mine == nil ? VaultFixture.passphrase : other) }
        // Leftovers of the one who lost go with the next change.
        try await fixture.slots(handle).add(.keyFile(.random(32)), label: "", keys: handle.keys)
        #expect(try await fixture.names(VaultName.keyPrefix).count == 1)
        #expect(try await fixture.open(owner).keys.chunkIDKey == handle.keys.chunkIDKey)
    }

    @Test func interruptedWithOtherSettings() async throws {
        let fixture = VaultFixture()
        _ = try await fixture.initialise()
        try await fixture.delete(VaultName.root(1))
        await expectError(.exists) {
            try await fixture.initialise(options: VaultOptions(packSize: 64 << 20, scrypt: VaultFixture.quick))
        }
        await expectError(.exists) { try await fixture.initialise(.passphrase(Secret("other"))) }
    }

    @Test func aVaultThatLostItsFormatIsNotOverwritten() async throws {
        for name in [VaultName.root(1), "pack/x/y", "index/x/y", "snap/x/y"] {
            let fixture = VaultFixture()
            try await fixture.put([1], name)
            let error = await expectError(.damaged) { try await fixture.initialise() }
            #expect(error?.object == "format")
            #expect(try await fixture.names() == [name])
        }
    }

    @Test func everyFlippedByteOfTheClearObjectsIsFound() async throws {
        for name in ["format", VaultName.key(1)] {
            let fixture = VaultFixture()
            _ = try await fixture.initialise()
            let bytes = try await fixture.bytes(name)
            for index in bytes.indices {
                for mask: UInt8 in [1, 2, 0x20, 0x80] {
                    var changed = bytes
                    changed[index] ^= mask
                    try await fixture.put(changed, name)
                    let error = await expectError(nil) { try await fixture.open() }
                    #expect(error?.code == .damaged || error?.code == .newerFormat, "\(name) \(index)")
                }
            }
            try await fixture.put(bytes, name)
            _ = try await fixture.open()
        }
    }

    @Test func oversizedAndMissingObjects() async throws {
        let fixture = VaultFixture()
        _ = try await fixture.initialise()
        let format = try await fixture.bytes("format")
        try await fixture.put(format + [UInt8](repeating: 32, count: 1 << 20), "format")
        await expectError(.damaged) { try await fixture.open() }
        try await fixture.put(format, "format")
        try await fixture.delete(VaultName.key(1))
        await expectError(.missing) { try await fixture.open() }
    }

    @Test func noObjectHoldsAKey() async throws {
        let fixture = VaultFixture()
        let handle = try await fixture.initialise()
        _ = try await fixture.slots(handle).rotate(handle.keys)
        let key = handle.keys.chunkIDKey.withBytes { Array($0) }
        for name in try await fixture.names() {
            let bytes = try await fixture.bytes(name)
            let text = String(decoding: bytes, as: UTF8.self)
            #expect(!bytes.indices.contains { bytes[$0...].starts(with: key) })
            #expect(!text.contains(Hex.encode(key)) && !text.contains(Base64.encode(key)))
            #expect(!text.contains("correct horse"))
        }
    }

    @Test func storeFailures() async throws {
        let fixture = VaultFixture()
        _ = try await fixture.initialise()
        for operation in [StoreOperation.head, .read, .list] {
            let store = FaultStore(fixture.base) { called, _, _ in called == operation ? .error(.forbidden) : nil }
            let error = await expectError(.store) { try await fixture.open(through: store) }
            #expect(error?.store?.code == .forbidden)
        }
        let cancelled = FaultStore(fixture.base) { _, _, _ in .error(.cancelled) }
        await expectError(.cancelled) { try await fixture.open(through: cancelled) }
    }

    @Test func listingsThatDoNotEnd() async throws {
        let fixture = VaultFixture()
        _ = try await fixture.initialise()
        let stuck = FaultStore(fixture.base) { operation, _, _ in
            operation == .list ? .page { ListPage(objects: $0.objects, next: "the same") } : nil
        }
        let error = await expectError(.store) { try await fixture.open(through: stuck) }
        #expect(error?.store?.code == .invalidResponse)
        #expect(stuck.count(.list) == 2)

        let empty = FaultStore(MemoryStore()) { operation, _, number in
            operation == .list ? .page { _ in ListPage(objects: [], next: "\(number)") } : nil
        }
        let endless = await expectError(.store) { try await fixture.initialise(through: empty) }
        #expect(endless?.store?.code == .invalidResponse)
        await expectError(.damaged) { _ = try await StoredObject.names("key/", in: empty, limit: 100) }
    }
}
