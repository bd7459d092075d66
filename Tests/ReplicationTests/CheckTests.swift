import Manifests
import ObjectStores
import Replication
import ReplicationModel
import SQLiteManifests
import Testing

/// I11: IN_SYNC only with evidence for every object; what could not be looked at never counts as the same.
@Suite(.timeLimit(.minutes(10))) struct CheckTests {
    private let faults = FaultPlan()

    private func synced(_ count: Int = 3) async throws -> EngineFixture {
        let pair = try EngineFixture()
        for index in 0..<count {
            try await pair.put(ObjectKey("k\(index)"), EngineFixture.pattern(1000 + index, seed: UInt8(index + 1)))
        }
        try await pair.run()
        return pair
    }

    @Test func `a ledger makes a check a matter of listings`() async throws {
        let pair = try await synced()
        let check = try await pair.check()
        #expect(check.verdict == .inSync)
        #expect(check.summary.evidence == .recorded)
        #expect(check.summary.counts.same[.recorded]?.objects == 3)
        #expect(Set(check.source.requests.keys) == [.list] && Set(check.target.requests.keys) == [.list])
        #expect(check.summary.recovery.waiting.objects == 0)
    }

    @Test(arguments: [EvidenceLevel.reported, .reread])
    func `each level is what it says`(level: EvidenceLevel) async throws {
        let pair = try await synced()
        for withLedger in [true, false] {
            let check = try await pair.check(level, ledger: withLedger)
            #expect(check.verdict == .inSync)
            #expect(check.summary.counts.same[level]?.objects == 3)
            #expect(check.requests(.read) == (level == .reread ? 6 : 0))
        }
    }

    @Test func `nothing is written, whatever is found`() async throws {
        let pair = try await synced()
        try await pair.put("new", [1])
        try await pair.put("k0", [9], in: pair.target)
        let check = try await pair.check(.reread)
        #expect(check.verdict == .drift)
        for operation in StoreOperation.allCases where operation.isWrite { #expect(check.requests(operation) == 0) }
    }

    @Test func `every kind of difference has its verdict, with and without a ledger`() async throws {
        for (level, withLedger) in [
            (nil, true), (EvidenceLevel.reported, true), (.reread, true), (nil, false), (.reread, false),
        ] {
            let pair = try await synced(6)
            try await pair.put("k0", [1, 2], in: pair.target)
            try await pair.put("k1", EngineFixture.pattern(1001, seed: 99), in: pair.target)
            try await pair.put(
                "k2", EngineFixture.pattern(1002, seed: 3), in: pair.target,
                attributes: ObjectAttributes(contentType: "text/html"))
            _ = await pair.target.delete([DeleteRequest(key: "k3", version: nil)])
            try await pair.put("extra", [7], in: pair.target)
            let check = try await pair.check(level, ledger: withLedger)
            #expect(
                check.verdicts.filter { if case .same = $0.value { false } else { true } } == [
                    "k0": .differs(.size), "k1": .differs(.content), "k2": .differs(.attributes),
                    "k3": .onlyInSource, "extra": .onlyInTarget,
                ])
            #expect(check.verdict == .drift)
            #expect(check.findings.map(\.key) == check.findings.map(\.key).sorted())
            #expect(check.summary.recovery.waiting.objects == 4)
        }
    }

    @Test func `replaced by the same bytes is the same`() async throws {
        let pair = try await synced()
        try await pair.put("k1", EngineFixture.pattern(1001, seed: 2), in: pair.target)
        let check = try await pair.check()
        #expect(check.verdict == .inSync)
        #expect(check.verdicts["k1"] == .same(.reported))
    }

    @Test func `without a checksum in common it reads, or stays unproven`() async throws {
        let pair = try await synced()
        pair.targetSide = VariantStore(pair.target, isSilent: true)
        let read = try await pair.check(.reported)
        #expect(read.verdict == .inSync)
        #expect(read.source.requests[.read] == nil && read.target.requests[.read] == 3)
        let unread = try await pair.check(.reported) { $0.mayRead = false }
        #expect(unread.verdict == .unproven)
        #expect(Set(unread.verdicts.values) == [.unproven(.nothingToCompare)])
        pair.sourceSide = VariantStore(pair.source, isSilent: true)
        let both = try await pair.check(ledger: false)
        #expect(both.summary.counts.same[.reread]?.objects == 3)
        try await pair.put("k0", EngineFixture.pattern(1000, seed: 77), in: pair.target)
        #expect(try await pair.check(ledger: false).verdicts["k0"] == .differs(.content))
    }

    @Test func `what the target said of itself is no evidence for the source`() async throws {
        let pair = try await synced(1)
        // The ledger is lost, and the copy adopted by its fingerprint: the row then holds what the target reported.
        pair.loseLedger()
        pair.sourceSide = VariantStore(pair.source, isSilent: true)
        try await pair.run()
        let row = try await pair.openLedger().row(for: "k0")
        #expect(row?.evidence == .recorded)
        let check = try await pair.check(.reported) { $0.mayRead = false }
        #expect(check.verdicts["k0"] == .unproven(.nothingToCompare))
        #expect(try await pair.check(.recorded).verdict == .inSync)
    }

    @Test(arguments: [
        (StoreError.Code.forbidden, KeyVerdict.Doubt.forbidden), (.archived, .archived),
        (.invalidResponse, .unreadable),
    ])
    func `what cannot be looked at is unproven`(code: StoreError.Code, doubt: KeyVerdict.Doubt) async throws {
        let pair = try await synced()
        pair.targetSide = FaultStore(pair.target, faults)
        faults.add(.read, "k1", .error(code))
        let check = try await pair.check(.reread)
        #expect(check.verdict == .unproven)
        #expect(check.verdicts["k1"] == .unproven(doubt))
        #expect(check.summary.counts.sameObjects == 2)
        #expect(faults.unused.isEmpty)
    }

    @Test func `a key that a listing hides is asked for before it counts as missing`() async throws {
        for side in [0, 1] {
            let pair = try await synced()
            let hide = Fault.page { page in
                var page = page
                page.objects.removeAll { $0.key == "k1" }
                return page
            }
            let hiding = FaultPlan()
            hiding.add(.list, hide)
            if side == 0 {
                pair.sourceSide = FaultStore(pair.source, hiding)
            } else {
                pair.targetSide = FaultStore(pair.target, hiding)
            }
            let check = try await pair.check()
            #expect(check.verdict == .inSync)
            #expect(check.summary.counts.hidden == 1)
            #expect(check.verdicts["k1"] == .same(.recorded))
            #expect(hiding.unused.isEmpty)
        }
    }

    @Test func `a key that both listings hide is not forgotten while the ledger knows it`() async throws {
        let pair = try await synced()
        try await pair.put("k1", [1], in: pair.target)
        let hide = Fault.page { page in
            var page = page
            page.objects.removeAll { $0.key == "k1" }
            return page
        }
        faults.add(.list, hide)
        faults.add(.list, call: 2, hide)
        pair.sourceSide = FaultStore(pair.source, faults)
        pair.targetSide = FaultStore(pair.target, faults)
        #expect(try await pair.check().verdicts["k1"] == .differs(.size))
    }

    @Test func `what changes between listing and reading is looked at again`() async throws {
        let pair = try await synced()
        let (source, target) = (pair.source, pair.target)
        pair.targetSide = FaultStore(pair.target, faults)
        faults.add(
            .read, "k1",
            .before {
                await EngineFixture.store([5, 5], "k1", source)
                await EngineFixture.store([5, 5], "k1", target)
            })
        let check = try await pair.check(.reread)
        #expect(check.verdicts["k1"] == .same(.reread))
        #expect(faults.unused.isEmpty)
    }

    @Test func `what never stands still is unproven`() async throws {
        let pair = try await synced()
        let counter = Counter()
        let target = pair.target
        pair.targetSide = FaultStore(pair.target) { operation, key in
            guard operation == .read, key == "k1" else { return nil }
            return .before { await EngineFixture.store([UInt8(counter.next() % 250), 1], "k1", target) }
        }
        for store in [pair.source, pair.target] { try await pair.put("k1", [0, 1], in: store) }
        let check = try await pair.check(.reread)
        #expect(check.verdicts["k1"] == .unproven(.changing))
        #expect(check.verdict == .unproven)
    }

    @Test func `what vanished from both sides meanwhile counts for nothing`() async throws {
        let pair = try await synced()
        for store in [pair.source, pair.target] { _ = await store.delete([DeleteRequest(key: "k1", version: nil)]) }
        let check = try await pair.check()
        #expect(check.verdict == .inSync)
        #expect(check.summary.counts.gone == 1 && check.findings.count == 2)
    }

    @Test func `a listing that fails ends the check, unproven`() async throws {
        for side in [0, 1] {
            let pair = try await synced()
            let failing = FaultPlan()
            failing.add(.list, .error(.forbidden))
            if side == 0 {
                pair.sourceSide = FaultStore(pair.source, failing)
            } else {
                pair.targetSide = FaultStore(pair.target, failing)
            }
            let check = try await pair.check()
            #expect(check.verdict == .unproven)
            #expect(check.summary.failure?.code == .store(.forbidden))
        }
    }

    @Test func `a failure that every key would meet ends the check, however many keys wait behind it`() async throws {
        let pair = try EngineFixture()
        for index in 0..<6000 { try await pair.put(ObjectKey("k\(10_000 + index)"), [1]) }
        try await pair.run()
        try await pair.put("k10000", [2, 2])
        let late = FaultPlan()
        late.add(.head, "k10000", .before { for _ in 0..<50_000 { await Task.yield() } })
        pair.sourceSide = FaultStore(pair.source, late)
        pair.targetSide = FaultStore(pair.target, faults)
        faults.add(.head, "k10000", .error(.unauthenticated))
        let check = try await pair.check()
        #expect(check.summary.failure?.code == .store(.unauthenticated))
        #expect(check.verdict == .unproven)
    }

    @Test func `one way leaves out what only the target has`() async throws {
        let pair = try await synced()
        try await pair.put("extra", [7], in: pair.target)
        let check = try await pair.check { $0.isOneWay = true }
        #expect(check.verdict == .inSync)
        #expect(check.summary.counts.ignoredInTarget == 1)
    }

    @Test func `named keys are asked for, and a name that nobody has is unproven`() async throws {
        let pair = try await synced()
        try await pair.put("k2", [7], in: pair.target)
        let check = try await pair.check { $0.keys = ["k2", "k0", "nobody"] }
        #expect(check.verdicts == ["k0": .same(.recorded), "k2": .differs(.size), "nobody": .unproven(.missing)])
        #expect(check.requests(.list) == 0 && check.summary.counts.hidden == 0)
    }

    @Test func `a change of attributes under the same version is found by its time`() async throws {
        var capabilities = MemoryStore.standardCapabilities
        capabilities.versionCoversAttributes = false
        let pair = try await synced()
        let rows = try pair.openLedger()
        let row = try #require(try await rows.row(for: "k1"))
        var old = row
        old.verifiedAt = 1
        try await rows.apply([.record(old)])
        try await rows.close()
        pair.targetSide = VariantStore(pair.target, capabilities: capabilities)
        let check = try await pair.check()
        #expect(check.verdicts["k1"] == .same(.reported))
        #expect(check.target.requests[.head] == 1)
    }

    @Test func `checksums that contradict each other are settled by reading`() async throws {
        let pair = try await synced()
        // An MD5 that a client once claimed, beside true CRCs.
        for side in [UInt8(0), 1] {
            let claiming = FaultPlan()
            claiming.add(
                .list,
                .page { page in
                    var page = page
                    for index in page.objects.indices {
                        page.objects[index].checksums.md5 = [UInt8](repeating: side, count: 16)
                    }
                    return page
                })
            if side == 0 {
                pair.sourceSide = FaultStore(pair.source, claiming)
            } else {
                pair.targetSide = FaultStore(pair.target, claiming)
            }
        }
        let check = try await pair.check(.reported, ledger: false)
        #expect(check.verdict == .inSync)
        #expect(check.summary.counts.same[.reread]?.objects == 3)
    }
}

/// `--repair-from`: what a check reported is made right, and nothing else.
@Suite(.timeLimit(.minutes(10))) struct RepairTests {
    @Test func `bytes that rotted under their version are replaced, and only those that are named`() async throws {
        let pair = try EngineFixture()
        for key in ["a", "b", "c"] { try await pair.put(ObjectKey(key), EngineFixture.pattern(500, seed: 4)) }
        try await pair.run()
        pair.options.keys = ["a"]
        pair.options.replaced = ["a"]
        pair.options.comparison = .checksum
        let run = try await pair.run()
        #expect(run.summary.counts.copiedObjects == 1)
        #expect(run.target.requests[.put] == 1)
        #expect(try await pair.isIdentical())
    }

    @Test func `what somebody else put there is replaced when it is named, and what is missing is created`()
        async throws
    {
        let pair = try EngineFixture()
        for key in ["a", "b", "c"] { try await pair.put(ObjectKey(key), EngineFixture.pattern(500, seed: 4)) }
        try await pair.run()
        try await pair.put("a", [9], in: pair.target)
        try await pair.put("c", [9], in: pair.target)
        _ = await pair.target.delete([DeleteRequest(key: "b", version: nil)])
        pair.options.keys = ["a", "b"]
        pair.options.replaced = ["a", "b"]
        let run = try await pair.run()
        #expect(run.summary.counts.copiedObjects == 2 && run.recorder.skips.isEmpty)
        let there = try await pair.contents(of: pair.target)
        #expect(there["a"]?.count == 500 && there["b"]?.count == 500 && there["c"] == [9])
    }

    @Test func `what was unproven is compared by content, and left when it is the same`() async throws {
        let pair = try EngineFixture()
        for key in ["a", "b"] { try await pair.put(ObjectKey(key), EngineFixture.pattern(500, seed: 4)) }
        try await pair.run()
        pair.sourceSide = VariantStore(pair.source, isSilent: true)
        pair.targetSide = VariantStore(pair.target, isSilent: true)
        pair.options.keys = ["a"]
        pair.options.comparison = .checksum
        let run = try await pair.run()
        #expect(run.summary.counts.adoptedObjects == 1 && run.summary.counts.copiedObjects == 0)
        #expect(run.target.requests[.read] == 1)
    }
}
