import Cryptography
import Digests
import Foundation
import ObjectStores
import ReplicationModel
import Testing
import Vault

struct KeySlotsTests {
    private static let other = VaultCredential.passphrase(Secret("another one"))
    private static let file = VaultCredential.keyFile(Secret([UInt8](repeating: 9, count: 40)))
    private static let service = VaultCredential.wrapper(FakeWrapper(key: Array(1...32)))

    @Test func everyKindOpens() async throws {
        let fixture = VaultFixture()
        let handle = try await fixture.initialise()
        let slots = fixture.slots(handle)
        for (index, credential) in [Self.other, Self.file, Self.service].enumerated() {
            await expectError(.wrongKey) { try await fixture.open(credential) }
            let added = try await slots.add(credential, label: "slot \(index)", keys: handle.keys)
            #expect(try await fixture.open(credential).keys.chunkIDKey == handle.keys.chunkIDKey)
            #expect(try await slots.list(handle.keys).last == added)
        }
        _ = try await fixture.open()
        let list = try await slots.list(handle.keys)
        #expect(list.map(\.kind) == ["passphrase", "passphrase", "file", "fake-kms"])
        #expect(list.map(\.label) == ["first", "slot 0", "slot 1", "slot 2"])
        #expect(Set(list.map(\.id)).count == 4)
        #expect(try await fixture.names(VaultName.keyPrefix) == [VaultName.key(4)])
    }

    @Test func wrongCredentialsSayWhatWasTried() async throws {
        let fixture = VaultFixture()
        let handle = try await fixture.initialise()
        let slots = fixture.slots(handle)
        try await slots.add(Self.file, label: "", keys: handle.keys)
        try await slots.add(Self.service, label: "", keys: handle.keys)
        let wrong: [(VaultCredential, String)] = [
            (.passphrase(Secret("no")), "none of the 3 key slots opens with this passphrase"),
            (.keyFile(Secret([UInt8](repeating: 8, count: 40))), "none of the 3 key slots opens with this key file"),
            (.wrapper(FakeWrapper(key: Array(2...33))), "none of the 3 key slots opens with this key of fake-kms"),
            (.wrapper(FakeWrapper(kind: "other-kms", key: Array(1...32))), "none of the 3 key slots opens with"),
        ]
        for (credential, message) in wrong {
            let error = await expectError(.wrongKey) { try await fixture.open(credential) }
            #expect(error?.message.contains(message) == true)
        }
    }

    @Test func aServiceThatFailsIsNoWrongKey() async throws {
        let fixture = VaultFixture()
        let handle = try await fixture.initialise(Self.service)
        #expect(try await fixture.open(Self.service).keys.chunkIDKey == handle.keys.chunkIDKey)
        let down = FakeWrapper(key: Array(1...32), failure: VaultError(.store, "the service is down"))
        let error = await expectError(.store) { try await fixture.open(.wrapper(down)) }
        #expect(error?.message == "the service is down")
        let cancelled = FakeWrapper(key: Array(1...32), failure: VaultError(.cancelled, "interrupted"))
        await expectError(.cancelled) { try await fixture.open(.wrapper(cancelled)) }
        await expectError(.store) {
            try await fixture.slots(handle).add(.wrapper(down), label: "", keys: handle.keys)
        }
    }

    @Test func removes() async throws {
        let fixture = VaultFixture()
        let handle = try await fixture.initialise()
        let slots = fixture.slots(handle)
        let first = try await slots.list(handle.keys)[0].id
        let only = await expectError(.invalid) { try await slots.remove(first, keys: handle.keys) }
        #expect(only?.message.contains("add one first") == true)
        try await slots.add(Self.other, label: "", keys: handle.keys)
        let unknown = await expectError(.notFound) { try await slots.remove("00000000", keys: handle.keys) }
        #expect(unknown?.message.contains("00000000") == true)
        try await slots.remove(first, keys: handle.keys)
        await expectError(.wrongKey) { try await fixture.open() }
        _ = try await fixture.open(Self.other)
        #expect(try await fixture.names(VaultName.keyPrefix) == [VaultName.key(3)])
    }

    @Test func rotates() async throws {
        let fixture = VaultFixture()
        let handle = try await fixture.initialise()
        let slots = fixture.slots(handle)
        for credential in [Self.other, Self.file, Self.service] {
            try await slots.add(credential, label: "", keys: handle.keys)
        }
        let rotated = try await slots.rotate(handle.keys)
        #expect(rotated.newestVersion == 2)
        for credential in [VaultFixture.passphrase, Self.other, Self.file, Self.service] {
            let opened = try await fixture.open(credential)
            #expect(opened.keys.newestVersion == 2)
            #expect(opened.keys.chunkIDKey == handle.keys.chunkIDKey)
            // Sealed under the first root key.
            #expect(try await opened.roots.newest().root.sequence == 1)
        }
        let stale = await expectError(.conflict) { try await slots.rotate(handle.keys) }
        #expect(stale?.message.contains("run again") == true)
        await expectError(.conflict) { try await slots.add(Self.file, label: "", keys: handle.keys) }
        #expect(try await slots.rotate(rotated).newestVersion == 3)
    }

    @Test func limits() async throws {
        let fixture = VaultFixture()
        let handle = try await fixture.initialise()
        let slots = fixture.slots(handle)
        let impossible: [(VaultCredential, String)] = [
            (.passphrase(Secret("")), ""), (.keyFile(Secret([UInt8](repeating: 1, count: 31))), ""),
            (.keyFile(Secret([UInt8](repeating: 1, count: 1 << 20 + 1))), ""),
            (.wrapper(FakeWrapper(kind: "passphrase", key: Array(1...32))), ""),
            (.wrapper(FakeWrapper(kind: "", key: Array(1...32))), ""),
            (.wrapper(FakeWrapper(key: [UInt8](repeating: 1, count: 20_000))), ""),
            (.wrapper(FakeWrapper(key: Array(1...32), parameters: ["k": String(repeating: "v", count: 20_000)])), ""),
            (Self.file, String(repeating: "l", count: 257)),
        ]
        for (credential, label) in impossible {
            await expectError(.invalid) { try await slots.add(credential, label: label, keys: handle.keys) }
        }
        for _ in 1..<32 { try await slots.add(Self.file, label: "", keys: handle.keys) }
        await expectError(.invalid) { try await slots.add(Self.file, label: "", keys: handle.keys) }

        let worn = KeyRing(
            repository: handle.keys.repository, chunkIDKey: .random(32), slotsKey: .random(32),
            rootKeys: (0..<256).map { _ in .random(32) })
        await expectError(.invalid) { try await slots.rotate(worn) }
    }

    @Test func largestListOpens() async throws {
        let fixture = VaultFixture()
        let handle = try await fixture.initialise()
        let slots = fixture.slots(handle)
        let label = String(repeating: "\u{1}", count: 256)
        for _ in 1..<32 { try await slots.add(Self.file, label: label, keys: handle.keys) }
        var keys = handle.keys
        while keys.newestVersion < 256 { keys = try await slots.rotate(keys) }
        #expect(try await fixture.open().keys.newestVersion == 256)
    }

    /// Somebody else adds a slot just before our write: both are there in the end.
    @Test func twoAtATime() async throws {
        let fixture = VaultFixture()
        let handle = try await fixture.initialise()
        let store = FaultStore(fixture.base) { operation, _, number in
            guard operation == .put, number == 0 else { return nil }
            return .before { _ = try? await fixture.slots(handle).add(Self.other, label: "theirs", keys: handle.keys) }
        }
        try await fixture.slots(handle, through: store).add(Self.file, label: "mine", keys: handle.keys)
        #expect(try await handle.slots.list(handle.keys).map(\.label) == ["first", "theirs", "mine"])
    }

    /// They were so much faster that our number is free again.
    @Test func muchSlowerThanSomebodyElse() async throws {
        let fixture = VaultFixture()
        let handle = try await fixture.initialise()
        let store = FaultStore(fixture.base) { operation, _, number in
            guard operation == .put, number == 0 else { return nil }
            return .before {
                for _ in 0..<3 {
                    _ = try? await fixture.slots(handle).add(Self.other, label: "theirs", keys: handle.keys)
                }
            }
        }
        try await fixture.slots(handle, through: store).add(Self.file, label: "mine", keys: handle.keys)
        #expect(
            try await handle.slots.list(handle.keys).map(\.label) == ["first", "theirs", "theirs", "theirs", "mine"])
        #expect(try await fixture.names(VaultName.keyPrefix) == [VaultName.key(5)])
    }

    @Test func givesUpAgainstMany() async throws {
        let fixture = VaultFixture()
        let handle = try await fixture.initialise()
        let store = FaultStore(fixture.base) { operation, _, _ in
            guard operation == .put else { return nil }
            return .before { _ = try? await fixture.slots(handle).add(Self.other, label: "", keys: handle.keys) }
        }
        await expectError(.conflict) {
            try await fixture.slots(handle, through: store).add(Self.file, label: "mine", keys: handle.keys)
        }
        await expectError(.wrongKey) { try await fixture.open(Self.file) }
    }

    @Test func rotatedByTwoAtATime() async throws {
        let fixture = VaultFixture()
        let handle = try await fixture.initialise()
        let store = FaultStore(fixture.base) { operation, _, number in
            guard operation == .put, number == 0 else { return nil }
            return .before { _ = try? await fixture.slots(handle).rotate(handle.keys) }
        }
        await expectError(.conflict) { try await fixture.slots(handle, through: store).rotate(handle.keys) }
        #expect(try await fixture.open().keys.newestVersion == 2)
    }

    @Test(arguments: [Fault.lostReply, .lostRequest])
    func lostReplies(_ fault: Fault) async throws {
        let fixture = VaultFixture()
        let handle = try await fixture.initialise()
        let store = FaultStore(fixture.base) { operation, _, number in operation == .put && number == 0 ? fault : nil }
        let rotated = try await fixture.slots(handle, through: store).rotate(handle.keys)
        try await fixture.slots(handle).add(Self.other, label: "", keys: rotated)
        #expect(try await handle.slots.list(rotated).count == 2)
        #expect(try await fixture.open(Self.other).keys.newestVersion == 2)
    }

    @Test func olderSlotsThatCannotBeDeleted() async throws {
        let fixture = VaultFixture()
        let handle = try await fixture.initialise()
        let store = FaultStore(fixture.base) { operation, _, _ in operation == .delete ? .error(.forbidden) : nil }
        let error = await expectError(.store) {
            try await fixture.slots(handle, through: store).add(Self.other, label: "", keys: handle.keys)
        }
        #expect(error?.object == VaultName.key(1))
        #expect(error?.message.contains("the keys are changed") == true)
        _ = try await fixture.open(Self.other)
    }

    /// Who has no key adds a slot and makes the checksum fit.
    @Test func nobodyElseAddsASlot() async throws {
        let fixture = VaultFixture()
        _ = try await fixture.initialise()
        let stranger = VaultFixture()
        _ = try await stranger.initialise(Self.other)
        try await forge(fixture) { list in
            let theirs = try await Self.lines(stranger).content
            list["slots"] = (list["slots"] as! [Any]) + (theirs["slots"] as! [Any])
        }
        await expectError(.damaged) { try await fixture.open() }
    }

    /// A public key is enough to seal a ring to a slot: without the binding, a store could give the keys.
    @Test func nobodyElseGivesTheKeys() async throws {
        let fixture = VaultFixture()
        let handle = try await fixture.initialise()
        let slotsKey = Secret.random(32)
        try await forge(fixture, slotsKey: slotsKey) { list in
            var slot = (list["slots"] as! [[String: Any]])[0]
            let publicKey = try X25519PublicKey(raw: #require(Hex.decode(slot["publicKey"] as! String)))
            let ring =
                Array("LSRING01".utf8) + handle.format.repository + SecureRandom.bytes(32)
                + slotsKey.withBytes { Array($0) } + [1, 0, 0, 0] + SecureRandom.bytes(32)
            let ephemeral = try X25519PrivateKey.generate()
            let key = HKDFSHA256.derive(
                32, from: try ephemeral.sharedSecret(with: publicKey), salt: ephemeral.publicKey.raw + publicKey.raw,
                info: Array("lockstep vault ring".utf8) + handle.format.repository
                    + Array((slot["id"] as! String).utf8))
            var sealed = [UInt8](repeating: 0, count: ring.count + 16)
            ring.withUnsafeBytes { ring in
                sealed.withUnsafeMutableBytes {
                    AES256GCM(key: key).seal(
                        ring, nonce: (0, 0), associated: UnsafeRawBufferPointer(start: nil, count: 0),
                        into: $0.baseAddress!)
                }
            }
            slot["ring"] = Hex.encode(sealed)
            slot["ephemeralKey"] = Hex.encode(ephemeral.publicKey.raw)
            list["slots"] = [slot]
        }
        let error = await expectError(.damaged) { try await fixture.open() }
        #expect(error?.message.contains("does not hold the keys of this vault") == true)
    }

    @Test func otherVersionsAndBounds() async throws {
        let changes: [(VaultError.Code, @Sendable (inout [String: Any]) -> Void)] = [
            (.newerFormat, { $0["version"] = 2 }), (.damaged, { $0["magic"] = "keys" }),
            (.damaged, { $0["sequence"] = 2 }), (.damaged, { $0["slots"] = [Any]() }),
            (.damaged, { $0["format"] = String(repeating: "0", count: 64) }),
            (.damaged, { $0["slots"] = [Any](repeating: ($0["slots"] as! [Any])[0], count: 33) }),
            (
                .newerFormat,
                {
                    var slot = ($0["slots"] as! [[String: Any]])[0]
                    slot["scrypt"] = ["n": 1 << 22, "r": 8, "p": 1]
                    $0["slots"] = [slot]
                }
            ),
            (
                .damaged,
                {
                    var slot = ($0["slots"] as! [[String: Any]])[0]
                    slot["salt"] = nil
                    $0["slots"] = [slot]
                }
            ),
        ]
        for (code, change) in changes {
            let fixture = VaultFixture()
            _ = try await fixture.initialise()
            try await forge(fixture) { change(&$0) }
            await expectError(code) { try await fixture.open() }
        }
    }

    /// Rewrites `key/1` with a checksum that fits, and a code under another key.
    private func forge(
        _ fixture: VaultFixture, slotsKey: Secret = .random(32), _ change: (inout [String: Any]) async throws -> Void
    ) async throws {
        var list = try await Self.lines(fixture).content
        try await change(&list)
        let line = try Array(JSONSerialization.data(withJSONObject: list, options: [.sortedKeys])) + [10]
        let seal = [
            "blake3": line.withUnsafeBytes { Hex.encode(BLAKE3.hash($0)) },
            "code": Hex.encode(HMACSHA256.authenticate(key: slotsKey, message: line)),
        ]
        try await fixture.put(line + JSONSerialization.data(withJSONObject: seal), VaultName.key(1))
    }

    private static func lines(_ fixture: VaultFixture) async throws -> (content: [String: Any], seal: [String: Any]) {
        let parts = try await fixture.bytes(VaultName.key(1)).split(separator: 10).map {
            try #require(JSONSerialization.jsonObject(with: Data($0)) as? [String: Any])
        }
        return (parts[0], parts[1])
    }
}
