import Cryptography
import Digests
import Foundation
import ObjectStores
import ReplicationModel
import Testing
import Vault

struct RootLogTests {
    private let fixture = VaultFixture()

    private static func next(_ entry: RootLog.Entry, time: Int64 = 0) -> VaultRoot {
        VaultRoot(
            sequence: entry.root.sequence + 1, previous: entry.hash, time: time,
            nonce: Hex.encode(SecureRandom.bytes(16)), fence: 0, segments: [], snapshots: [],
            collection: CollectionState())
    }

    /// Commits so many roots, one after the other.
    private func grow(_ log: RootLog, _ count: Int) async throws {
        for _ in 0..<count {
            guard case .committed = try await log.append(Self.next(try await log.newest())) else {
                Issue.record("nobody else is here")
                return
            }
        }
    }

    private func log(_ handle: VaultHandle, through store: (any ObjectStore)? = nil) -> RootLog {
        RootLog(store: store ?? fixture.base, keys: handle.keys, local: MemoryVaultState())
    }

    @Test func appendsAndReads() async throws {
        let handle = try await fixture.initialise()
        try await grow(handle.roots, 3)
        let newest = try await handle.roots.newest()
        #expect(newest.root.sequence == 4)
        #expect(try await handle.roots.read(3).hash == newest.root.previous)
        #expect(fixture.state.rememberedRoot() == RememberedRoot(sequence: 4, hash: newest.hash))
        let object = try await fixture.bytes(VaultName.root(4))
        #expect(object.withUnsafeBytes { Hex.encode(BLAKE3.hash($0)) } == newest.hash)
    }

    @Test func oneOfTwoCommits() async throws {
        let handle = try await fixture.initialise()
        let (mine, theirs) = (log(handle), log(handle))
        let base = try await mine.newest()
        _ = try await theirs.newest()
        let root = Self.next(base)
        guard case .committed(let hash) = try await theirs.append(root) else {
            Issue.record("the first one wins")
            return
        }
        guard case .lost(let newest, let found) = try await mine.append(Self.next(base)) else {
            Issue.record("the second one loses")
            return
        }
        #expect(newest == root)
        #expect(found == hash)
        #expect(mine.local is MemoryVaultState)
        #expect(try mine.local.rememberedRoot()?.sequence == 2)
    }

    @Test func manyAtATime() async throws {
        let handle = try await fixture.initialise()
        let outcomes = await withTaskGroup(of: Int.self) { group in
            for _ in 0..<4 {
                group.addTask {
                    let log = log(handle)
                    var committed = 0
                    for _ in 0..<10 {
                        if let newest = try? await log.newest(),
                            case .committed? = try? await log.append(Self.next(newest))
                        {
                            committed += 1
                        }
                    }
                    return committed
                }
            }
            return await group.reduce(0, +)
        }
        #expect(outcomes >= 10)
        #expect(try await log(handle).newest().root.sequence == UInt64(1 + outcomes))
    }

    @Test(arguments: [Fault.lostReply, .lostRequest])
    func settlesALostReply(_ fault: Fault) async throws {
        let handle = try await fixture.initialise()
        let store = FaultStore(fixture.base) { operation, _, number in operation == .put && number == 0 ? fault : nil }
        let log = log(handle, through: store)
        let root = Self.next(try await log.newest())
        guard case .committed(let hash) = try await log.append(root) else {
            Issue.record("nobody else is here")
            return
        }
        let newest = try await handle.roots.newest()
        #expect(newest.root == root)
        #expect(newest.hash == hash)
    }

    /// The reply is lost, and somebody else was first.
    @Test func losesBehindALostReply() async throws {
        let handle = try await fixture.initialise()
        let base = try await handle.roots.newest()
        let theirs = Self.next(base)
        let store = FaultStore(fixture.base) { operation, _, number in operation == .put ? .lostRequest : nil }
        _ = try await handle.roots.append(theirs)
        guard case .lost(let newest, _) = try await log(handle, through: store).append(Self.next(base)) else {
            Issue.record("somebody else was first")
            return
        }
        #expect(newest == theirs)
    }

    @Test func noReplyAtAll() async throws {
        let handle = try await fixture.initialise()
        let store = FaultStore(fixture.base) { operation, _, _ in operation == .put ? .lostRequest : nil }
        let log = log(handle, through: store)
        let root = Self.next(try await log.newest())
        let error = await expectError(.store) { try await log.append(root) }
        #expect(error?.object == VaultName.root(2))
        #expect(store.count(.put) == 4)
    }

    @Test func refusesARollback() async throws {
        let handle = try await fixture.initialise()
        try await grow(handle.roots, 4)
        for sequence: UInt64 in [5, 4] { try await fixture.delete(VaultName.root(sequence)) }
        let error = await expectError(.rolledBack) { try await handle.roots.newest() }
        #expect(error?.message.contains("root 5") == true)
        #expect(error?.message.contains("root 3") == true)
        #expect(error?.message.contains(fixture.state.forgetting) == true)
        #expect(fixture.state.rememberedRoot()?.sequence == 5)
        // Who has seen nothing newer cannot know.
        #expect(try await log(handle).newest().root.sequence == 3)
        for name in try await fixture.names(VaultName.rootPrefix) { try await fixture.delete(name) }
        let none = await expectError(.rolledBack) { try await handle.roots.newest() }
        #expect(none?.message.contains("none") == true)
        let missing = await expectError(.missing) { try await log(handle).newest() }
        #expect(missing?.message.contains("vault init") == true)
    }

    /// Another history after root 1, as long as or longer than the one that was seen.
    @Test(arguments: [3, 4, 5, 40])
    func refusesAFork(_ length: Int) async throws {
        let handle = try await fixture.initialise()
        try await grow(handle.roots, 3)
        for sequence: UInt64 in 2...4 { try await fixture.delete(VaultName.root(sequence)) }
        let forked = log(handle)
        try await grow(forked, length)
        await expectError(.rolledBack) { try await handle.roots.newest() }
        #expect(try await forked.newest().root.sequence == UInt64(length + 1))
    }

    @Test func followsALongChain() async throws {
        let handle = try await fixture.initialise()
        let other = log(handle)
        try await grow(other, 45)
        #expect(fixture.state.rememberedRoot()?.sequence == 1)
        #expect(try await handle.roots.newest().root.sequence == 46)
        #expect(fixture.state.rememberedRoot()?.sequence == 46)
    }

    /// A root in between is another one than its successor was made from.
    @Test(arguments: [2, 10, 30, 39] as [UInt64])
    func findsABrokenChain(_ place: UInt64) async throws {
        let handle = try await fixture.initialise()
        let other = log(handle)
        try await grow(other, 39)
        var root = try await other.read(place).root
        root.time += 1
        let forged = handle.keys.seal(
            Array(try JSONEncoder().encode(root)), as: .root, name: VaultName.root(place))
        try await fixture.put(forged, VaultName.root(place))
        let error = await expectError(.damaged) { try await handle.roots.newest() }
        #expect(error?.object == VaultName.root(place))
    }

    @Test func findsAGap() async throws {
        let handle = try await fixture.initialise()
        try await grow(handle.roots, 5)
        try await fixture.delete(VaultName.root(3))
        let error = await expectError(.missing) { try await log(handle).newest() }
        #expect(error?.object == VaultName.root(3))
        // Those before the remembered root are not listed.
        #expect(try await handle.roots.newest().root.sequence == 6)
        await expectError(.missing) { try await handle.roots.read(3) }
    }

    /// A listing that was overtaken shows a gap that is none.
    @Test func looksAgainWhereAListingHasAGap() async throws {
        let handle = try await fixture.initialise()
        try await grow(handle.roots, 5)
        let store = FaultStore(fixture.base) { operation, _, _ in
            operation == .list
                ? .page { page in
                    ListPage(objects: page.objects.filter { $0.key.text != VaultName.root(4) }, next: page.next)
                } : nil
        }
        #expect(try await log(handle, through: store).newest().root.sequence == 6)
    }

    @Test func unreadableRoots() async throws {
        let handle = try await fixture.initialise()
        try await grow(handle.roots, 1)
        let root = try await fixture.bytes(VaultName.root(2))
        // The one before under this name; cut short; another vault's; its content of another number; no content.
        var moved = try await handle.roots.read(2).root
        moved.sequence = 3
        let name = VaultName.root(2)
        for wrong in [
            try await fixture.bytes(VaultName.root(1)), Array(root.dropLast()), [],
            KeyRing.generate(repository: handle.format.repository).seal([1], as: .root, name: name),
            handle.keys.seal(Array(try JSONEncoder().encode(moved)), as: .root, name: name),
            handle.keys.seal(Array("{}".utf8), as: .root, name: name),
        ] {
            try await fixture.put(wrong, name)
            let error = await expectError(.damaged) { try await handle.roots.newest() }
            #expect(error?.object == name)
        }
        try await fixture.put(root, name)
        _ = try await handle.roots.newest()
    }

    /// The commit stands, and says so, when this machine cannot remember it.
    @Test func committedAndNotRemembered() async throws {
        let handle = try await fixture.initialise()
        let base = try await handle.roots.newest()
        let log = RootLog(store: fixture.base, keys: handle.keys, local: ForgetfulState())
        let error = await expectError(.local) { try await log.append(Self.next(base)) }
        #expect(error?.message.contains("root 2 is committed") == true)
        #expect(try await handle.roots.newest().root.sequence == 2)
    }

    private struct ForgetfulState: VaultLocalState {
        func rememberedRoot() -> RememberedRoot? { nil }
        func remember(_ root: RememberedRoot) throws(VaultError) { throw VaultError(.local, "the disk is full") }
        var forgetting: String { "" }
        func openSessions() -> [SessionName] { [] }
        func noteSession(_ session: SessionName) {}
        func forgetSession(_ session: SessionName) {}
        var cacheDirectory: String? { nil }
    }
}
