import Manifests
import ObjectStores
import Replication
import ReplicationModel
import Synchronization
import Testing

/// The source changes while a run goes, or the run ends anywhere: a reader of the target never finds a pointer without its set.
@Suite struct PointerRaceTests {
    /// A pair whose target is looked at by a reader before every call, with listings of three objects a page.
    private struct Watched {
        static let capabilities = {
            var capabilities = MemoryStore.standardCapabilities
            capabilities.listPageLimit = 3
            return capabilities
        }()

        let pair: EngineFixture
        let reader: SetReader
        let writer: SetWriter

        init() throws {
            pair = try EngineFixture(
                source: MemoryStore(name: "memory://source", capabilities: Self.capabilities),
                target: MemoryStore(name: "memory://target", capabilities: Self.capabilities))
            pair.options.sets = try PublishedSet.sets()
            pair.options.concurrency = 2
            let ledger = MemoryLedger()
            pair.ledgerSide = { _ in ledger }
            reader = try SetReader(pair.target)
            writer = SetWriter(pair.source)
            watch(nil)
        }

        /// - Parameter source: what happens at the source's calls.
        func watch(_ source: (@Sendable (StoreOperation, ObjectKey?) -> Fault?)?) {
            let reader = reader
            pair.sourceSide = source.map { FaultStore(pair.source, next: $0) } ?? pair.source
            pair.targetSide = FaultStore(pair.target) { _, _ in .before { await reader.look() } }
        }

        func expectWhole(_ note: String, sourceLocation: SourceLocation = #_sourceLocation) async throws {
            await reader.look()
            #expect(reader.problems.isEmpty, "\(note)", sourceLocation: sourceLocation)
            #expect(try await pair.isIdentical(), "\(note)", sourceLocation: sourceLocation)
        }
    }

    @Test func `published at any call, removed at any call`() async throws {
        // Calls at the source in a run that has one version to copy and another one to delete.
        for call in 1...60 {
            let world = try Watched()
            world.writer.publish("a", 1)
            world.writer.publish("a/inner", 1)
            await world.writer.advance()
            world.pair.options.deletion = .on(limit: .init(count: 1000, percent: 100), backupPrefix: nil)
            try await world.pair.run()
            world.writer.publish("a", 2)
            await world.writer.advance()
            world.writer.publish("a", 3)
            for version in [1, 2] { world.writer.retire("a", version) }
            world.writer.remove("a/inner", 1)
            world.writer.publish("b", 1)
            let writer = world.writer
            let calls = Counter()
            world.watch { _, _ in calls.next() == call ? .before { await writer.advance() } : nil }
            let run = try await world.pair.run()
            #expect(run.recorder.failures.isEmpty, "call \(call)")
            await world.writer.advance()
            try await world.pair.run()
            try await world.pair.run()
            try await world.expectWhole("call \(call)")
            #expect(world.reader.checks > 10)
            guard calls.current >= call else { break }
        }
    }

    @Test func `one step of the writer at every call`() async throws {
        for stride in 1...5 {
            let world = try Watched()
            for version in 1...4 { world.writer.publish("a", version) }
            world.writer.publish("b", 1)
            let writer = world.writer
            world.watch { _, _ in .before { await writer.advance(stride) } }
            for _ in 0..<4 { try await world.pair.run() }
            await world.writer.advance()
            world.watch(nil)
            try await world.pair.run()
            try await world.expectWhole("stride \(stride)")
        }
    }

    @Test func `replaced between the look and the read, the newer one follows in the same run`() async throws {
        let world = try Watched()
        world.writer.publish("a", 1)
        await world.writer.advance()
        try await world.pair.run()
        world.writer.publish("a", 2)
        await world.writer.advance()
        world.writer.publish("a", 3)
        let writer = world.writer
        world.watch { operation, key in
            operation == .read && key == "a/latest" ? .before { await writer.advance() } : nil
        }
        let run = try await world.pair.run()
        #expect(run.recorder.skips.isEmpty)
        try await world.expectWhole("replaced")
    }

    @Test func `a pointer that never stands still is held back, and the old one stays`() async throws {
        let world = try Watched()
        world.writer.publish("a", 1)
        await world.writer.advance()
        try await world.pair.run()
        world.writer.publish("a", 2)
        await world.writer.advance()
        for version in 3...20 { world.writer.publish("a", version) }
        let writer = world.writer
        world.watch { operation, key in
            operation == .read && key == "a/latest" ? .before { await writer.advance(5) } : nil
        }
        let before = try await EngineFixture.bytes(of: "a/latest", nil, in: world.pair.target)
        let run = try await world.pair.run()
        guard case .setIncomplete(let why) = run.recorder.skips["a/latest"] else {
            Issue.record("\(run.recorder.skips)")
            return
        }
        #expect(why.contains("keeps changing"))
        #expect(try await EngineFixture.bytes(of: "a/latest", nil, in: world.pair.target) == before)
        await world.writer.advance()
        world.watch(nil)
        try await world.pair.run()
        try await world.expectWhole("at rest")
    }

    @Test func `an object that appears while the pointers wait is copied before them`() async throws {
        let world = try Watched()
        world.writer.publish("a", 1)
        await world.writer.advance()
        let source = world.pair.source
        let lists = Counter()
        // The second listing is the one of a/v1/: by then the shard was missed.
        world.watch { operation, _ in
            guard operation == .list, lists.next() == 3 else { return nil }
            return .before {
                let more = PublishedSet.version("a", 1, count: 4)
                for (key, bytes) in more { await EngineFixture.store(bytes, key, source) }
            }
        }
        let run = try await world.pair.run()
        #expect(run.recorder.skips.isEmpty)
        try await world.expectWhole("appeared")
    }

    @Test func `cancelled at every call, the next run ends where an uninterrupted one does`() async throws {
        func world() async throws -> Watched {
            let world = try Watched()
            for set in ["a", "a/b"] { world.writer.publish(set, 1) }
            await world.writer.advance()
            world.pair.options.deletion = .on(limit: .init(count: 1000, percent: 100), backupPrefix: nil)
            try await world.pair.run()
            world.writer.publish("a", 2)
            world.writer.retire("a", 1)
            world.writer.remove("a/b", 1)
            await world.writer.advance()
            return world
        }
        let total = Counter()
        let whole = try await world()
        let all: @Sendable (StoreOperation, ObjectKey?) -> Fault? = { _, _ in
            _ = total.next()
            return nil
        }
        whole.pair.sourceSide = FaultStore(whole.pair.source, next: all)
        whole.pair.targetSide = FaultStore(whole.pair.target, next: all)
        try await whole.pair.run()
        try await whole.expectWhole("uninterrupted")
        #expect(total.current > 30)
        for stop in 1...total.current {
            let world = try await world()
            let calls = Counter()
            let interruption = world.pair.interruption
            let reader = world.reader
            let rule: @Sendable (StoreOperation, ObjectKey?) -> Fault? = { _, _ in
                if calls.next() == stop { interruption.stop() }
                return .before { await reader.look() }
            }
            world.pair.sourceSide = FaultStore(world.pair.source, next: rule)
            world.pair.targetSide = FaultStore(world.pair.target, next: rule)
            let stopped = try await world.pair.run()
            #expect(stopped.summary.failure == nil, "stopped at call \(stop)")
            #expect(stopped.recorder.skips.isEmpty, "stopped at call \(stop)")
            world.watch(nil)
            let next = try await world.pair.run()
            #expect(next.recorder.skips.isEmpty, "stopped at call \(stop)")
            try await world.expectWhole("stopped at call \(stop)")
        }
    }

    // MARK: Deleting

    /// A pair with two versions at the target, of which the source has removed the older one.
    private func retired() async throws -> Watched {
        let world = try Watched()
        for version in [1, 2] { world.writer.publish("a", version) }
        await world.writer.advance()
        try await world.pair.run()
        world.pair.options.deletion = .on(limit: .init(count: 1000, percent: 100), backupPrefix: nil)
        return world
    }

    @Test func `pointers are deleted before what they name, outer ones first`() async throws {
        let world = try await retired()
        world.writer.retire("a", 1)
        world.writer.remove("a", 2)
        world.writer.publish("b", 1)
        await world.writer.advance()
        let deleted = Mutex<[ObjectKey]>([])
        world.pair.targetSide = FaultStore(world.pair.target) { operation, key in
            if operation == .delete, let key { deleted.withLock { $0.append(key) } }
            return nil
        }
        try await world.pair.run()
        let order = deleted.withLock { $0 }
        #expect(order.count == 9)
        #expect(order.first == "a/latest")
        #expect(Set(order[1...2]) == ["a/v1/x.index.json", "a/v2/x.index.json"])
        try await world.expectWhole("removed")
    }

    @Test func `what an old pointer may still name is not deleted while the new one is held back`() async throws {
        let world = try await retired()
        try await world.pair.put("a/notes", [1])
        try await world.pair.run()
        for set in ["a", "b"] { world.writer.publish(set, 3) }
        world.writer.retire("a", 1)
        world.writer.retire("a", 2)
        await world.writer.advance()
        world.pair.options.onConflict = .keep
        // A conflict is no failure, and all the same the set is not what it is at the source.
        try await world.pair.put("a/notes", [9], in: world.pair.target)
        let run = try await world.pair.run()
        #expect(run.summary.counts.failedObjects == 0)
        #expect(run.summary.counts.deletedObjects == 0)
        #expect(Set(run.recorder.skips.keys) == ["a/latest", "a/notes"])
        #expect(try await world.pair.contents(of: world.pair.target)["b/latest"] != nil)
        await world.reader.look()
        #expect(world.reader.problems.isEmpty)
    }

    @Test func `a pointer that could not be deleted keeps its set`() async throws {
        let world = try await retired()
        world.writer.remove("a", 2)
        world.writer.retire("a", 1)
        world.writer.publish("b", 1)
        await world.writer.advance()
        let target = world.pair.target
        let isFirst = Mutex(true)
        world.pair.targetSide = FaultStore(target) { operation, key in
            guard operation == .delete, key == "a/latest", isFirst.withLock({ $0.swap(false) }) else { return nil }
            // Written again by somebody, with what it had said before.
            return .before {
                guard let bytes = try? await EngineFixture.bytes(of: "a/latest", nil, in: target) else { return }
                await EngineFixture.store(bytes, "a/latest", target)
            }
        }
        let run = try await world.pair.run()
        #expect(run.recorder.skips["a/latest"] == .conflict)
        #expect(run.summary.counts.deletedObjects == 0)
        #expect(run.recorder.notices.contains { $0.contains("6 deletions are held back") })
        await world.reader.look()
        #expect(world.reader.problems.isEmpty)
    }

    @Test func `an old version is not deleted under a pointer that a torn listing shows as unchanged`() async throws {
        let world = try await retired()
        world.writer.publish("a", 3)
        world.writer.retire("a", 1)
        world.writer.retire("a", 2)
        let writer = world.writer
        let lists = Counter()
        // latest is on the first page; the rest of the listing is of another time.
        world.watch { operation, _ in
            operation == .list && lists.next() == 2 ? .before { await writer.advance() } : nil
        }
        let run = try await world.pair.run()
        #expect(run.summary.counts.deletedObjects > 0)
        await world.reader.look()
        #expect(world.reader.problems.isEmpty)
        try await world.pair.run()
        try await world.expectWhole("torn")
    }
}

extension Bool {
    /// Sets the value and returns the one before.
    fileprivate mutating func swap(_ new: Bool) -> Bool {
        defer { self = new }
        return self
    }
}
