import ObjectStores
import ReplicationModel
import Synchronization
import Testing
import Vault

@Suite struct CollectionTests {
    @Test func `what only a forgotten snapshot needed is deleted, and the rest stays`() async throws {
        let vault = try await CollectionFixture()
        try await vault.sync([("a", [1, 2, 3]), ("b", [4])])
        try await vault.sync([("a", nil), ("b", [4, 5])])
        #expect(try await vault.collect().dropped.count == 0)
        try await vault.forget([2])
        let packs = try await vault.names("pack/")
        let report = try await vault.collect()
        // The four chunks lie in one pack or in two, and where chunk 4 has others with it, it is stored anew.
        #expect((1...2).contains(report.condemned.count) && report.repacked.count == report.movedChunks.count)
        #expect(report.dropped == report.condemned && report.unreadable.isEmpty)
        #expect(report.deletedPacks == report.dropped.count)
        let left = try await vault.names("pack/")
        #expect(left.count == packs.count - report.dropped.count + report.repacked.count)
        #expect(try await vault.contents() == ["b": CollectionFixture.bytes([4, 5])])
        try await vault.expectSound()
    }

    @Test func `packs stay for the grace, and a second run drops them`() async throws {
        let vault = try await CollectionFixture()
        try await vault.sync([("a", [1])])
        try await vault.sync([("a", [2])])
        try await vault.forget([2])
        let first = try await vault.collect(grace: 100)
        #expect(first.condemned.count == 1 && first.waiting == 1 && first.dropped.count == 0)
        #expect(first.waitingUntil == vault.time.nowSeconds() + 100)
        vault.time.advance(99)
        #expect(try await vault.collect(grace: 100).waiting == 1)
        #expect(try await vault.names("pack/").count == 2)
        vault.time.advance(1)
        let last = try await vault.collect(grace: 100)
        #expect(last.waiting == 0 && last.dropped.count == 1 && last.deletedPacks == 1)
        #expect(try await vault.names("pack/").count == 1)
        let collection = try await vault.root.collection
        #expect(collection.condemned.isEmpty && collection.deleting.isEmpty && collection.epoch == 1)
    }

    @Test func `a clock that was far ahead delays nothing for ever`() async throws {
        let vault = try await CollectionFixture()
        try await vault.sync([("a", [1])])
        try await vault.sync([("a", [2])])
        try await vault.forget([2])
        vault.time.advance(1_000_000)
        _ = try await vault.collect(grace: 100)
        vault.time.advance(-1_000_000)
        #expect(try await vault.collect(grace: 100).dropped.count == 1)
    }

    @Test func `a dry run writes nothing and says the same`() async throws {
        let vault = try await CollectionFixture()
        try await vault.sync([("a", [1, 2, 3]), ("b", [4])])
        try await vault.sync([("a", nil), ("c", [5])])
        try await vault.forget([2])
        let before = try await vault.names("")
        let writes = Mutex<[String]>([])
        let watched = FaultStore(vault.base) { operation, key, _ in
            if operation.isWrite { writes.withLock { $0.append("\(operation) \(key?.text ?? "")") } }
            return nil
        }
        let said = try await vault.collect(dryRun: true, through: watched)
        #expect(writes.withLock { $0 } == [])
        #expect(try await vault.names("") == before)
        let done = try await vault.collect()
        #expect(said.isDryRun && !done.isDryRun)
        #expect(
            said.condemned == done.condemned && said.repacked == done.repacked && said.movedChunks == done.movedChunks)
    }

    @Test func `packs above the limit are left alone`() async throws {
        let vault = try await CollectionFixture()
        try await vault.sync([("a", [1, 2]), ("b", [3]), ("c", [4])])
        // With two packs open the four chunks may lie in either: kept whole, they are garbage by less than nine tenths.
        try await vault.sync([("b", nil)])
        try await vault.forget([2])
        #expect(try await vault.collect(repackBelow: 0).repacked.count == 0)
        #expect(try await vault.contents().keys.sorted() == ["a", "c"])
        try await vault.expectSound()
    }

    @Test func `lists of large objects and their chunks are kept and moved`() async throws {
        let vault = try await CollectionFixture()
        let large = (100..<200).map { UInt64($0) }
        try await vault.sync([("whole", (100..<320).map { UInt64($0) })])
        try await vault.sync([("whole", nil), ("large", large)])
        try await vault.forget([2])
        let report = try await vault.collect(repackBelow: 1)
        #expect(report.movedChunks.count >= 100)
        #expect(try await vault.contents()["large"] == CollectionFixture.bytes(large))
        try await vault.expectSound()
    }

    @Test func `of two copies of a chunk one is garbage`() async throws {
        let vault = try await CollectionFixture()
        let one = try await vault.writer(through: nil, MemoryVaultState())
        let two = try await vault.writer(through: nil, MemoryVaultState())
        try await one.write("a", CollectionFixture.bytes([1, 2, 3]))
        try await two.write("b", CollectionFixture.bytes([1, 2, 3]))
        _ = try await one.commit(.complete(failures: 0))
        _ = try await two.commit(.complete(failures: 0))
        let report = try await vault.collect()
        #expect(report.dropped.count >= 1 && report.repacked.count == 0)
        let bytes = CollectionFixture.bytes([1, 2, 3])
        #expect(try await vault.contents() == ["a": bytes, "b": bytes])
        try await vault.expectSound()
    }

    // MARK: Writers that were paused

    /// A writer that has found chunk 1 in a pack, and is stopped before its commit while `meanwhile` happens.
    private func paused(
        _ vault: CollectionFixture, _ meanwhile: () async throws -> Void
    ) async throws -> CommitOutcome {
        try await vault.sync([("a", [1])])
        try await vault.sync([("a", [2])])
        let writer = try await vault.writer(through: nil, MemoryVaultState())
        try await vault.forget([2])
        try await writer.write("b", CollectionFixture.bytes([1]))
        #expect(writer.statistics.newChunks == 0)
        try await meanwhile()
        return try await writer.commit(.complete(failures: 0))
    }

    @Test func `a condemned pack that a paused writer counts on is taken off the list`() async throws {
        let vault = try await CollectionFixture()
        let outcome = try await paused(vault) {
            let report = try await vault.collect(grace: 100)
            #expect(report.condemned.count == 1)
        }
        #expect(outcome.rejected.isEmpty)
        #expect(try await vault.root.collection.condemned.isEmpty)
        vault.time.advance(100)
        _ = try await vault.collect(grace: 100)
        #expect(try await vault.contents() == ["a": CollectionFixture.bytes([2]), "b": CollectionFixture.bytes([1])])
        try await vault.expectSound()
    }

    @Test func `a dropped pack that a paused writer counted on costs it the object and nothing else`() async throws {
        let vault = try await CollectionFixture()
        let outcome = try await paused(vault) {
            let report = try await vault.collect()
            #expect(report.dropped.count == 1)
        }
        #expect(outcome.rejected.keys.sorted() == ["b"])
        #expect(try await vault.contents() == ["a": CollectionFixture.bytes([2])])
        try await vault.expectSound()
    }

    @Test func `what was stored in a session that was fenced is not committed`() async throws {
        let vault = try await CollectionFixture()
        let writer = try await vault.writer(through: nil, MemoryVaultState())
        try await writer.write("a", CollectionFixture.bytes([1]))
        // Durable, in no index.
        #expect(try await writer.content("a") == CollectionFixture.bytes([1]))
        try await vault.sync([("b", [2])])
        try await vault.sync([("b", [3])])
        let report = try await vault.collect()
        #expect(report.orphanPacks.count == 1)
        let outcome = try await writer.commit(.complete(failures: 0))
        #expect(outcome.rejected.keys.sorted() == ["a"])
        #expect(try await vault.contents() == ["b": CollectionFixture.bytes([3])])
        try await vault.expectSound()
    }

    @Test func `a run that crashed after its commit brings back no dropped packs`() async throws {
        let vault = try await CollectionFixture()
        let crashed = MemoryVaultState()
        // The commit arrives, and nobody hears of it.
        let isDeaf = Atomic(false)
        let deaf = FaultStore(vault.base) { _, key, _ in
            isDeaf.load(ordering: .relaxed) && key?.text.hasPrefix("root/") == true ? .lostReply : nil
        }
        let writer = try await vault.writer(through: deaf, crashed)
        try await writer.write("a", CollectionFixture.bytes([1]))
        isDeaf.store(true, ordering: .relaxed)
        await #expect(throws: (any Error).self) { try await writer.commit(.complete(failures: 0)) }
        isDeaf.store(false, ordering: .relaxed)
        #expect(try await vault.root.sequence == 2 && !crashed.openSessions().isEmpty)
        try await vault.sync([("a", [2])])
        try await vault.forget([2])
        _ = try await vault.collect(sessionAge: 1_000_000)
        #expect(try await vault.names("pack/").count == 1)

        let next = try await vault.writer(through: nil, crashed)
        try await next.write("b", CollectionFixture.bytes([1]))
        let outcome = try await next.commit(.complete(failures: 0))
        #expect(outcome.rejected.isEmpty)
        #expect(try await vault.contents() == ["a": CollectionFixture.bytes([2]), "b": CollectionFixture.bytes([1])])
        try await vault.expectSound()
    }

    // MARK: Crashes

    /// Kills a collector at each of its calls, before it and after it: the next one finishes.
    @Test(arguments: [false, true]) func `a collector that is killed anywhere is followed by one that finishes`(
        arrives: Bool
    ) async throws {
        var call = 0
        var kills = 0
        while true {
            let vault = try await CollectionFixture()
            try await vault.sync([("a", [1, 2, 3]), ("b", [4])])
            try await vault.sync([("a", nil), ("c", [5])])
            try await vault.forget([2])
            let calls = Mutex(0)
            let last = call
            let dying = FaultStore(vault.base) { _, _, _ in
                let number = calls.withLock { calls in
                    calls += 1
                    return calls - 1
                }
                if number < last { return nil }
                return number == last && arrives ? .lostReply : .error(.unreachable)
            }
            let isKilled: Bool
            do {
                _ = try await vault.collect(through: dying)
                isKilled = calls.withLock { $0 } > last
            } catch {
                isKilled = true
            }
            let killed = try await vault.contents()
            #expect(killed == ["b": CollectionFixture.bytes([4]), "c": CollectionFixture.bytes([5])], "call \(call)")
            try await vault.expectSound()
            for _ in 0..<3 { _ = try await vault.collect() }
            #expect(try await vault.contents() == killed, "call \(call)")
            let report = try await VaultCheck(vault.open()).run(.init(data: .all, memory: 0))
            #expect(report.isSound && report.unreferenced.count == 0, "call \(call): \(report)")
            #expect(try await vault.root.collection.condemned.isEmpty)
            guard isKilled else { break }
            kills += 1
            call += 1
        }
        #expect(kills > 20)
    }

    // MARK: Two collectors

    /// A second collector runs at each call of the first.
    @Test func `a collector may run within another one at any point`() async throws {
        var call = 0
        while true {
            let vault = try await CollectionFixture()
            try await vault.sync([("a", [1, 2, 3]), ("b", [4])])
            try await vault.sync([("a", nil), ("c", [5])])
            try await vault.forget([2])
            let calls = Mutex(0)
            let moment = call
            let hasRun = Mutex(false)
            let interrupted = FaultStore(vault.base) { _, _, _ in
                let number = calls.withLock { calls in
                    calls += 1
                    return calls - 1
                }
                guard number == moment else { return nil }
                return .before {
                    do {
                        _ = try await vault.collect(through: nil, MemoryVaultState())
                        hasRun.withLock { $0 = true }
                    } catch {
                        Issue.record("call \(moment): \(error)")
                    }
                }
            }
            _ = try await vault.collect(through: interrupted)
            let contents = try await vault.contents()
            #expect(contents == ["b": CollectionFixture.bytes([4]), "c": CollectionFixture.bytes([5])], "call \(call)")
            try await vault.expectSound()
            guard hasRun.withLock({ $0 }) else { break }
            call += 1
        }
        #expect(call > 20)
    }

    // MARK: Pruning

    @Test func `the newest snapshots are not forgotten, and unknown ones are named`() async throws {
        let vault = try await CollectionFixture()
        try await vault.sync([("a", [1])])
        try await vault.sync([("a", [2])])
        let pruning = try await Pruning(vault.open())
        await expectError(.invalid) { try await pruning.forget([3]) }
        await expectError(.notFound) { try await pruning.forget([2, 9]) }
        await expectError(.invalid) { try await pruning.prune(RetentionPolicy(), dryRun: false) }
        #expect(try await pruning.prune(RetentionPolicy(keepLast: 1), dryRun: true).removed.map(\.id) == [2])
        #expect(try await vault.root.snapshots.map(\.id) == [2, 3])
        #expect(try await pruning.prune(RetentionPolicy(keepLast: 1), dryRun: false).removed.map(\.id) == [2])
        #expect(try await vault.root.snapshots.map(\.id) == [3])
        let sequence = try await vault.root.sequence
        #expect(try await pruning.prune(RetentionPolicy(keepLast: 1), dryRun: false).removed.isEmpty)
        #expect(try await vault.root.sequence == sequence)
    }

    @Test func `a snapshot that comes while others are removed stays`() async throws {
        let vault = try await CollectionFixture()
        try await vault.sync([("a", [1])])
        try await vault.sync([("a", [2])])
        let raced = FaultStore(vault.base) { operation, key, number in
            guard operation == .put, number == 0 else { return nil }
            return .before {
                do { try await vault.sync([("b", [3])]) } catch { Issue.record(error) }
            }
        }
        let outcome = try await Pruning(vault.open(through: raced, MemoryVaultState()))
            .prune(RetentionPolicy(keepLast: 1), dryRun: false)
        #expect(outcome.removed.map(\.id) == [2, 3])
        #expect(try await vault.root.snapshots.map(\.id) == [4])
        #expect(try await vault.contents().keys.sorted() == ["a", "b"])
    }
}
