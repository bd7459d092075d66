import Manifests
import ObjectStores
import Replication
import ReplicationModel
import Testing

/// Targets that show writes by commits: the ledger never says more than a commit has made true.
@Suite(.timeLimit(.minutes(10))) struct StagedTests {
    private static let large = EngineFixture.pattern(3 << 20 | 7)

    private func fixture() async -> StagedFixture {
        let pair = StagedFixture()
        for index in 0..<6 { await pair.put(ObjectKey("k\(index)"), EngineFixture.pattern(100 + index)) }
        await pair.put("large", Self.large)
        await pair.put("empty", [])
        return pair
    }

    /// The process dies before, or right after, the commit of this kind.
    private static func dies(
        after: Bool, at kind: CommitKind = .complete(failures: 0)
    ) -> @Sendable (CommitKind, StagedFixture.Process) async -> StagedMemoryStore.CommitFault? {
        { asked, process in
            guard asked == kind else { return nil }
            process.die()
            return after ? .lostReply : .fails
        }
    }

    @Test(arguments: [false, true]) func `one commit, and nothing to do afterwards`(isSequential: Bool) async throws {
        let pair = await fixture()
        let first = await pair.run(isSequential: isSequential)
        #expect(first.summary.failure == nil && first.recorder.failures.isEmpty)
        #expect(first.store.kinds == [.complete(failures: 0)])
        #expect(first.summary.snapshot == "snapshot 1")
        #expect(first.noted == ["record"], "uploads end with their process: the ledger hears of objects only")
        #expect(first.store.unfinished == 0)
        #expect(try await pair.isIdentical())
        #expect(try await pair.falseRows().isEmpty)
        #expect(try await pair.ledger.row(for: "large")?.blake3 != nil)
        let second = await pair.run(isSequential: isSequential)
        #expect(second.summary.counts.unchangedObjects == 8 && second.summary.snapshot == nil)
        #expect(Set(second.target.requests.keys) == [.list] && second.noted.isEmpty)
        #expect(pair.shared.commits == 1)
    }

    @Test func `killed before the commit, everything is copied again`() async throws {
        let pair = await fixture()
        _ = await pair.run(commit: Self.dies(after: false))
        #expect(pair.shared.contents.isEmpty)
        #expect(try await pair.ledger.count() == 0)
        let next = await pair.run()
        #expect(next.summary.counts.copiedObjects == 8 && next.recorder.skips.isEmpty)
        #expect(try await pair.isIdentical())
    }

    @Test func `killed between the commit and the ledger, the next run adopts without copying`() async throws {
        let pair = await fixture()
        _ = await pair.run(commit: Self.dies(after: true))
        #expect(try await pair.isIdentical())
        #expect(try await pair.ledger.count() == 0)
        let next = await pair.run()
        #expect(next.summary.counts.adoptedObjects == 8 && next.summary.counts.copiedObjects == 0)
        #expect(next.source.requests[.read] == nil && next.summary.counts.sentBytes == 0)
        #expect(try await pair.ledger.count() == 8)
        #expect(try await pair.falseRows().isEmpty)
    }

    /// Killed before or after the commit; the source's object changes again or does not before the next run.
    @Test(arguments: [false, true], [false, true])
    func `what replaces an object is never taken for somebody else's`(after: Bool, changesAgain: Bool) async throws {
        let pair = await fixture()
        _ = await pair.run()
        await pair.put("k1", [1, 2, 3])
        await pair.put("large", EngineFixture.pattern(2 << 20 | 5, seed: 3))
        _ = await pair.run(commit: Self.dies(after: after))
        if changesAgain {
            await pair.put("k1", [4, 5])
            await pair.put("large", EngineFixture.pattern(2 << 20 | 9, seed: 4))
        }
        let next = await pair.run()
        #expect(next.recorder.skips.isEmpty && next.recorder.failures.isEmpty)
        #expect(next.summary.counts.conflicts == 0)
        #expect(next.summary.counts.adoptedObjects == (after && !changesAgain ? 2 : 0))
        #expect(next.summary.counts.copiedObjects == (after && !changesAgain ? 0 : 2))
        #expect(try await pair.isIdentical())
        #expect(try await pair.falseRows().isEmpty)
    }

    @Test func `a key that is not kept is named, remembered, and copied by the next run`() async throws {
        let pair = await fixture()
        _ = await pair.run()
        await pair.put("k1", [1, 2, 3])
        await pair.put("new", [4])
        let run = await pair.run(prepare: { store in
            store.refuse("k1", "what it rests on was collected")
            store.refuse("new", "what it rests on was collected")
        })
        #expect(run.summary.counts.rejectedObjects == 2 && run.summary.counts.failedObjects == 2)
        #expect(Set(run.recorder.failures.keys) == ["k1", "new"])
        #expect(run.recorder.failures["k1"]?.message == "what it rests on was collected")
        #expect(run.summary.failure == nil)
        #expect(Set(try await pair.ledger.failures(limit: 10).map(\.key)) == ["k1", "new"])
        #expect(try await pair.falseRows().isEmpty)
        let next = await pair.run()
        #expect(next.summary.counts.copiedObjects == 2 && next.recorder.skips.isEmpty)
        #expect(try await pair.isIdentical())
        #expect(try await pair.ledger.failures(limit: 10).isEmpty)
        #expect(Set((await pair.run()).target.requests.keys) == [.list])
    }

    @Test func `what somebody else commits meanwhile stays, and is a conflict for the next run`() async throws {
        let pair = await fixture()
        _ = await pair.run()
        await pair.put("k1", [1, 2, 3])
        await pair.put("new", [4])
        let shared = pair.shared
        let run = await pair.run(commit: { _, _ in
            shared.change("k1", [9])
            shared.change("new", [9, 9])
            return nil
        })
        #expect(Set(run.recorder.failures.keys) == ["k1", "new"])
        let next = await pair.run()
        #expect(next.recorder.skips == ["k1": .conflict, "new": .conflict])
        #expect(pair.shared.contents["k1"]?.bytes == [9] && pair.shared.contents["new"]?.bytes == [9, 9])
    }

    @Test func `a checkpoint that is due is committed while transfers go on`() async throws {
        let pair = await fixture()
        pair.options.concurrency = 1
        let run = await pair.run(reading: { store, key in
            guard key == "k3" else { return }
            store.makeDue()
            while store.kinds.isEmpty { await Task.yield() }
        })
        #expect(run.store.kinds == [.checkpoint, .complete(failures: 0)])
        #expect(run.summary.snapshot == "snapshot 2" && run.recorder.failures.isEmpty)
        #expect(try await pair.isIdentical())
        #expect(try await pair.falseRows().isEmpty)
    }

    @Test func `held changes are bounded, and a kill costs what came after the last checkpoint`() async throws {
        let pair = StagedFixture()
        for index in 0..<50 { await pair.put(ObjectKey("k\(index)"), EngineFixture.pattern(10 + index)) }
        pair.options.maxHeldChanges = 5
        pair.options.concurrency = 1
        let commits = Counter()
        _ = await pair.run(commit: { _, process in
            guard commits.next() == 3 else { return nil }
            process.die()
            return .fails
        })
        let held = pair.shared.contents.count
        #expect(held >= 10 && held < 50)
        #expect(try await pair.falseRows().isEmpty)
        #expect(try await pair.ledger.count() > 0)
        let next = await pair.run()
        #expect(next.summary.counts.copiedObjects == 50 - held && next.recorder.skips.isEmpty)
        #expect(next.store.kinds.contains(.checkpoint) && next.store.kinds.last == .complete(failures: 0))
        #expect(try await pair.isIdentical())
        #expect(try await pair.ledger.count() == 50)
    }

    @Test func `deletions belong to the last commit, and leave no copies`() async throws {
        let pair = await fixture()
        pair.options.deletion = .on(limit: .standard, backupPrefix: ReservedKeys.deletedPrefix)
        _ = await pair.run()
        _ = await pair.source.delete([DeleteRequest(key: "k2", version: nil)])
        let killed = await pair.run(commit: Self.dies(after: false))
        #expect(killed.summary.counts.deletedObjects == 1)
        #expect(pair.shared.contents["k2"] != nil)
        #expect(try await pair.ledger.row(for: "k2")?.evidence == .reported)
        let next = await pair.run()
        #expect(next.summary.counts.deletedObjects == 1 && next.store.kinds == [.complete(failures: 0)])
        #expect(Set(pair.shared.contents.keys) == Set(try await EngineFixture.contents(of: pair.source).keys))
        #expect(try await pair.ledger.row(for: "k2") == nil)
    }

    @Test func `killed after the commit of a deletion, the row is forgotten`() async throws {
        let pair = await fixture()
        pair.options.deletion = .on(limit: .standard, backupPrefix: nil)
        _ = await pair.run()
        _ = await pair.source.delete([DeleteRequest(key: "k2", version: nil)])
        _ = await pair.run(commit: Self.dies(after: true))
        #expect(try await pair.ledger.row(for: "k2") != nil)
        let next = await pair.run()
        #expect(next.summary.counts.deletedObjects == 0 && next.recorder.skips.isEmpty)
        #expect(try await pair.ledger.row(for: "k2") == nil)
    }

    @Test func `a limit cuts the commit short`() async throws {
        let pair = await fixture()
        pair.options.maxTransfer = 250
        let run = await pair.run()
        #expect(run.summary.stop == .maxTransfer && run.store.kinds == [.cutShort])
        #expect(try await pair.ledger.count() == pair.shared.contents.count)
        #expect(pair.shared.contents.count > 0)
        #expect(try await pair.falseRows().isEmpty)
    }

    @Test func `a cancelled run commits what it has finished`() async throws {
        for read in 1...8 {
            let pair = await fixture()
            pair.options.concurrency = 1
            let run = await pair.run(cancelledAt: read)
            #expect(run.summary.stop == .interrupted && run.summary.failure == nil, "read \(read)")
            #expect(run.store.kinds == [.cutShort], "read \(read)")
            #expect(pair.shared.contents.count >= run.summary.counts.copiedObjects, "read \(read)")
            #expect(try await pair.falseRows().isEmpty, "read \(read)")
            let next = await pair.run()
            #expect(next.recorder.skips.isEmpty && next.recorder.failures.isEmpty, "read \(read)")
            #expect(try await pair.isIdentical(), "read \(read)")
        }
    }

    @Test func `a commit that fails ends the run, and nothing is claimed`() async throws {
        let pair = await fixture()
        let run = await pair.run(commit: { _, _ in .fails })
        #expect(run.summary.failure?.side == .target && run.summary.failure?.code == .store(.unavailable))
        #expect(run.summary.snapshot == nil && run.store.kinds.count == 1)
        #expect(try await pair.ledger.count() == 0)
        let checkpoint = await pair.run(
            commit: { kind, _ in kind == .checkpoint ? .lostReply : nil },
            reading: { store, key in
                guard key == "large" else { return }
                store.makeDue()
                while store.kinds.isEmpty { await Task.yield() }
            })
        #expect(checkpoint.summary.failure?.side == .target)
        #expect(checkpoint.store.kinds == [.checkpoint], "nobody knows what it left: there is no second one")
        #expect(try await pair.ledger.count() == 0)
        let next = await pair.run()
        #expect(next.recorder.skips.isEmpty && next.recorder.failures.isEmpty)
        #expect(try await pair.isIdentical())
    }

    @Test func `a listing that fails cuts the commit short`() async throws {
        let pair = await fixture()
        let run = await pair.run(listing: .error(.forbidden))
        #expect(run.summary.failure?.code == .store(.forbidden))
        #expect(run.store.kinds == [.cutShort])
    }

    @Test func `a dry run commits nothing`() async throws {
        let pair = await fixture()
        pair.options.dryRun = true
        let run = await pair.run()
        #expect(run.store.kinds.isEmpty && run.summary.snapshot == nil)
        #expect(Set(run.target.requests.keys) == [.list])
    }

    @Test func `pointers come last and look at what waits for its commit`() async throws {
        let pair = StagedFixture()
        for index in 0..<5 { await pair.put(ObjectKey("set/w\(index)"), EngineFixture.pattern(100 + index)) }
        await pair.put("set/latest", [1])
        pair.options.sets = try ArtifactSets(pointers: [GlobPattern("**/latest")])
        let run = await pair.run()
        #expect(run.recorder.failures.isEmpty && run.recorder.skips.isEmpty)
        #expect(run.summary.counts.copiedObjects == 6 && run.summary.counts.adoptedObjects == 0)
        #expect(run.store.kinds == [.complete(failures: 0)])
        #expect(try await pair.isIdentical())
    }
}
