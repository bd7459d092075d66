import ObjectStores
import ReplicationModel
import Synchronization
import Testing
import Vault

@Suite struct VaultCheckTests {
    /// Three snapshots; `large` has a list of its chunks.
    private func made() async throws -> CollectionFixture {
        let vault = try await CollectionFixture()
        try await vault.sync([("a", [1, 2]), ("large", (100..<180).map { UInt64($0) })])
        try await vault.sync([("b", [3])])
        try await vault.sync([("c", [4])])
        return vault
    }

    private func check(
        _ vault: CollectionFixture, _ data: VaultCheck.DataShare = .none
    ) async throws -> VaultCheckReport {
        try await VaultCheck(vault.open(through: nil, MemoryVaultState())).run(.init(data: data, memory: 0))
    }

    @Test func `a sound vault has no findings, and everything is counted`() async throws {
        let vault = try await made()
        try await StoredObject.put([1], "notes.txt", to: vault.base)
        let report = try await check(vault, .all)
        #expect(report.isSound && report.findings.isEmpty)
        #expect(report.root == 4 && report.roots == 4 && report.snapshots == 3 && report.segments == 3)
        #expect(report.packs == report.verifiedObjects && report.packs >= 4)
        // Pages that hold three states of few objects.
        #expect(report.pages == 3 && report.objects == 2 + 3 + 4)
        #expect(report.verifiedBytes > 80 * Int64(CollectionFixture.chunk))
        #expect(report.unreferenced.count == 0)
        let keyless = try await VaultCheck.keyless(vault.base)
        #expect(keyless.isSound && keyless.roots == 4 && keyless.foreign == 1)
        #expect(try await keyless.verifiedObjects == vault.names("").count - 1)
    }

    @Test func `leftovers are counted and are no errors`() async throws {
        let vault = try await made()
        try await vault.forget([2, 3])
        let report = try await check(vault)
        #expect(report.isSound && report.unreferenced.count == 2)
    }

    @Test func `a missing pack is named with the objects and snapshots that need it`() async throws {
        let vault = try await made()
        let packs = try await Set(vault.names("pack/"))
        try await vault.sync([("d", [9])])
        let pack = try await vault.names("pack/").first { !packs.contains($0) }!
        try await vault.delete(pack)
        let report = try await check(vault)
        #expect(report.findingCount == 1)
        let finding = try #require(report.findings.first)
        #expect(finding.object == pack && finding.keys == ["d"] && finding.keyCount == 1 && finding.snapshots == [5])
        // Everything else was looked at.
        #expect(report.objects == 2 + 3 + 4 + 5)
    }

    @Test func `a damaged record is found by reading the data, and names who needs it`() async throws {
        let vault = try await CollectionFixture()
        try await vault.sync([("a", [1])])
        let pack = try await vault.names("pack/")[0]
        try await vault.flip(pack, at: 96)
        #expect(try await check(vault).isSound)
        let report = try await check(vault, .all)
        #expect(!report.isSound && report.findings.allSatisfy { $0.object == pack })
        #expect(report.findings.contains { $0.keys == ["a"] && $0.snapshots == [2] })
        let keyless = try await VaultCheck.keyless(vault.base)
        #expect(keyless.findings.map(\.object) == [pack])
    }

    @Test func `shares are disjoint and together everything`() async throws {
        let vault = try await made()
        var verified = 0
        for number in 1...3 { verified += try await check(vault, .share(number: number, count: 3)).verifiedObjects }
        #expect(try await verified == vault.names("pack/").count)
        await expectError(.invalid) { try await self.check(vault, .share(number: 4, count: 3)) }
    }

    @Test func `a pack that is cut short is found without reading it`() async throws {
        let vault = try await CollectionFixture()
        try await vault.sync([("a", [1])])
        let pack = try await vault.names("pack/")[0]
        try await vault.cut(pack, to: 1000)
        let report = try await check(vault)
        #expect(report.findings.map(\.object) == [pack] && report.findings[0].keys == ["a"])
        #expect(try await VaultCheck.keyless(vault.base).findings.map(\.object) == [pack])
    }

    @Test(arguments: ["index/", "snap/"], [true, false])
    func `a lost or changed segment or page is found, and the check goes on`(prefix: String, isLost: Bool) async throws
    {
        let vault = try await made()
        let before = try await Set(vault.names(prefix))
        try await vault.sync([("e", [8])])
        let name = try await vault.names(prefix).first { !before.contains($0) }!
        if isLost { try await vault.delete(name) } else { try await vault.flip(name, at: 200) }
        let report = try await check(vault)
        #expect(report.findings.contains { $0.object == name })
        #expect(report.objects >= 2 + 3 + 4)
        if prefix == "snap/" {
            #expect(report.findingCount == 1 && report.findings[0].snapshots == [5])
        } else {
            #expect(report.findings.contains { $0.keys == ["e"] && $0.snapshots == [5] })
        }
        if !isLost { #expect(try await VaultCheck.keyless(vault.base).findings.map(\.object) == [name]) }
    }

    @Test func `a missing and a changed root are found`() async throws {
        let vault = try await made()
        let name = try await vault.names("root/")[1]
        try await vault.flip(name, at: -60)
        #expect(try await check(vault).findings.map(\.object) == [name])
        #expect(try await VaultCheck.keyless(vault.base).findings.map(\.object) == [name])
        try await vault.delete(name)
        let keyless = try await VaultCheck.keyless(vault.base)
        #expect(keyless.findings.map(\.object) == [name])
    }

    @Test func `format and keys are looked at without a key`() async throws {
        let vault = try await made()
        try await vault.flip("format", at: 3)
        try await vault.flip(vault.names("key/")[0], at: 30)
        let found = try await VaultCheck.keyless(vault.base).findings.map(\.object)
        #expect(try await found == ["format", vault.names("key/")[0]])
        try await vault.delete("format")
        try await vault.delete(vault.names("key/")[0])
        #expect(try await VaultCheck.keyless(vault.base).findings.map(\.object) == ["format", "key/"])
    }

    @Test func `a store that does not answer is no finding`() async throws {
        let vault = try await made()
        let failing = FaultStore(vault.base) { operation, key, _ in
            key?.text.hasPrefix("snap/") == true ? .error(.unavailable, .transient) : nil
        }
        let handle = try await vault.open(through: failing, MemoryVaultState())
        await expectError(.store) { try await VaultCheck(handle).run() }
    }

    @Test func `what garbage collection deletes meanwhile is no finding`() async throws {
        let vault = try await CollectionFixture()
        try await vault.sync([("a", [1])])
        try await vault.sync([("a", [2])])
        try await vault.forget([2])
        let isArmed = Atomic(false)
        let raced = FaultStore(vault.base) { operation, _, _ in
            // The first look at an old root: the newest one was read.
            guard operation == .read, isArmed.exchange(false, ordering: .relaxed) else { return nil }
            return .after {
                do { _ = try await vault.collect(through: nil, MemoryVaultState()) } catch { Issue.record(error) }
            }
        }
        let check = try await VaultCheck(vault.open(through: raced, MemoryVaultState()))
        isArmed.store(true, ordering: .relaxed)
        #expect(try await check.run(.init(data: .all, memory: 0)).isSound)
        let isLeft = isArmed.load(ordering: .relaxed)
        #expect(!isLeft)
    }

    @Test func `progress is told`() async throws {
        let vault = try await made()
        let phases = Mutex<Set<String>>([])
        _ = try await VaultCheck(vault.open()).run(.init(data: .all, memory: 0)) { progress in
            phases.withLock { _ = $0.insert(progress.phase.rawValue) }
        }
        #expect(phases.withLock { $0 } == ["roots", "index", "packs", "snapshots"])
    }
}
