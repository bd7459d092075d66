import Manifests
import ObjectStores
import Replication
import ReplicationModel
import Testing

/// What users and servers get wrong: each gives a named error, nothing at the target is damaged, nothing false enters the ledger.
@Suite struct BadInputTests {
    private let faults = FaultPlan()

    private func fixture() async throws -> EngineFixture {
        let pair = try EngineFixture()
        try await pair.put("a", Array("alpha".utf8))
        try await pair.put("b", Array("beta".utf8))
        try await pair.put("large", EngineFixture.pattern(3 << 20 | 77))
        return pair
    }

    @Test(arguments: [
        (StoreError.Code.unauthenticated, StoreError.Retry.never), (.forbidden, .never), (.missingContainer, .never),
        (.unreachable, .transient), (.invalidResponse, .never),
    ])
    func `a source that cannot be listed ends the run with the store's own reason`(
        code: StoreError.Code, retry: StoreError.Retry
    ) async throws {
        let pair = try await fixture()
        pair.sourceSide = FaultStore(pair.source, faults)
        faults.add(.list, times: retry == .never ? 1 : 3, .error(code, retry))
        let run = try await pair.run()
        #expect(run.summary.failure?.code == .store(code))
        #expect(run.summary.failure?.side == .source)
        #expect(run.summary.failure?.description.contains("source") == true)
        #expect(try await pair.contents(of: pair.target).isEmpty)
        #expect(faults.unused.isEmpty)
    }

    @Test func `a target that cannot be listed ends the run before anything is written`() async throws {
        let pair = try await fixture()
        pair.targetSide = FaultStore(pair.target, faults)
        faults.add(.list, .error(.missingContainer))
        let run = try await pair.run()
        #expect(run.summary.failure?.code == .store(.missingContainer))
        #expect(run.summary.failure?.side == .target)
        #expect(Set(run.target.requests.keys) == [.list])
        #expect(faults.unused.isEmpty)
    }

    @Test(arguments: [StoreError.Code.unauthenticated, .noSpace, .quotaExceeded, .missingContainer])
    func `what every object would meet ends the run and starts no more`(code: StoreError.Code) async throws {
        let pair = try EngineFixture()
        for index in 0..<2000 { try await pair.put(ObjectKey("k\(index)"), [1]) }
        pair.targetSide = FaultStore(pair.target, faults)
        pair.options.concurrency = 2
        faults.add(.put, .error(code))
        let run = try await pair.run()
        #expect(run.summary.failure?.code == .store(code))
        #expect(run.summary.counts.failedObjects == 1)
        #expect(run.target.requests[.put]! < 100)
        #expect(run.summary.counts.plannedObjects < 100)
        #expect(try await pair.falseRows().isEmpty)

        let again = try await pair.run()
        #expect(again.summary.failure == nil)
        #expect(try await pair.isIdentical())
    }

    @Test func `forbidden keys are named and the others are copied`() async throws {
        let pair = try await fixture()
        pair.sourceSide = FaultStore(pair.source, faults)
        faults.add(.read, "b", .error(.forbidden))
        let run = try await pair.run()
        #expect(run.summary.failure == nil)
        #expect(run.recorder.failures.mapValues(\.code) == ["b": .store(.forbidden)])
        #expect(Set(try await pair.contents(of: pair.target).keys) == ["a", "large"])
        #expect(faults.unused.isEmpty)
    }

    @Test func `keys and sizes that the target cannot hold, and archived objects, are skipped by name`() async throws {
        struct Rules: ObjectRules {
            func problem(with key: ObjectKey) -> String? { key == "bad" ? "no bad names" : nil }
            func fit(_ attributes: ObjectAttributes) -> (kept: ObjectAttributes, dropped: [String]) { (attributes, []) }
        }
        let pair = try await fixture()
        try await pair.put("bad", [1])
        var capabilities = MemoryStore.standardCapabilities
        capabilities.maxObjectSize = 1 << 20
        pair.targetSide = VariantStore(pair.target, capabilities: capabilities, rules: Rules())
        pair.sourceSide = FaultStore(pair.source, faults)
        faults.add(
            .list,
            .page { page in
                var page = page
                page.objects[0].archiveTier = "GLACIER"
                return page
            })
        let run = try await pair.run()
        #expect(
            run.recorder.skips == [
                "a": .archived("GLACIER"), "bad": .invalidKey("no bad names"), "large": .tooLarge(limit: 1 << 20),
            ])
        #expect(run.summary.counts.skippedObjects == 3)
        #expect(Set(try await pair.contents(of: pair.target).keys) == ["b"])
    }

    @Test func `an object that turns out to be archived is skipped by name`() async throws {
        let pair = try await fixture()
        pair.sourceSide = FaultStore(pair.source, faults)
        faults.add(.read, "a", .error(.archived))
        let run = try await pair.run()
        #expect(run.recorder.skips["a"] == .archived("archived"))
        #expect(run.summary.counts.skippedObjects == 1)
    }

    @Test(arguments: ["a", "large"]) func `a truncated body is read again, and never stored`(key: String) async throws {
        let pair = try await fixture()
        pair.sourceSide = FaultStore(pair.source, faults)
        faults.add(.read, ObjectKey(key), .shortRead)
        let run = try await pair.run()
        #expect(run.recorder.failures.isEmpty)
        #expect(try await pair.isIdentical())
        #expect(faults.unused.isEmpty)
    }

    @Test(arguments: ["a", "large"]) func `a body that stays short fails its object alone`(key: String) async throws {
        let pair = try await fixture()
        pair.sourceSide = FaultStore(pair.source) { $0 == .read && $1 == ObjectKey(key) ? .shortRead : nil }
        let run = try await pair.run()
        #expect(run.recorder.failures.mapValues(\.code) == [ObjectKey(key): .store(.network)])
        pair.sourceSide = pair.source
        #expect(try await pair.contents(of: pair.target).count == 2)
        #expect(try await pair.run().summary.counts.copiedObjects == 1)
        #expect(try await pair.target.openUploads(ListRequest()).uploads.isEmpty)
        #expect(try await pair.isIdentical())
    }

    @Test(arguments: ["a", "large"]) func `bytes that change on the way in are noticed and read again`(key: String)
        async throws
    {
        let pair = try await fixture()
        pair.sourceSide = FaultStore(pair.source, faults)
        faults.add(.read, ObjectKey(key), .flippedBit)
        let run = try await pair.run()
        #expect(run.recorder.failures.isEmpty)
        #expect(try await pair.isIdentical())
        #expect(faults.unused.isEmpty)
    }

    @Test func `a source that always corrupts is named`() async throws {
        let pair = try await fixture()
        pair.sourceSide = FaultStore(pair.source, faults)
        faults.add(.read, "a", times: 4, .flippedBit)
        let run = try await pair.run()
        #expect(run.recorder.failures.mapValues(\.code) == ["a": .store(.checksumMismatch)])
        #expect(faults.unused.isEmpty)
    }

    @Test(arguments: ["a", "large"]) func `an object replaced in mid-copy is copied whole from its new version`(
        key: String
    ) async throws {
        let pair = try await fixture()
        let source = pair.source
        let replacement = EngineFixture.pattern(2 << 20 | 5, seed: 9)
        pair.sourceSide = FaultStore(pair.source, faults)
        faults.add(
            .read, ObjectKey(key), call: key == "a" ? 1 : 2,
            .before { await EngineFixture.store(replacement, ObjectKey(key), source) })
        let run = try await pair.run()
        #expect(run.recorder.failures.isEmpty)
        #expect(try await pair.contents(of: pair.target)[ObjectKey(key)] == replacement)
        #expect(try await pair.falseRows().isEmpty)
        #expect(try await pair.run().summary.counts.copiedObjects == 0)
        #expect(faults.unused.isEmpty)
    }

    @Test func `an object that is replaced for ever is left for the next run`() async throws {
        let pair = try await fixture()
        pair.sourceSide = FaultStore(pair.source, faults)
        faults.add(.read, "a", times: 4, .error(.versionChanged))
        let run = try await pair.run()
        #expect(run.recorder.failures.mapValues(\.code) == ["a": .keepsChanging])
        #expect(faults.unused.isEmpty)
    }

    @Test(arguments: ["a", "large"]) func `an object deleted in mid-copy has vanished, which is no failure`(key: String)
        async throws
    {
        let pair = try await fixture()
        let source = pair.source
        pair.sourceSide = FaultStore(pair.source, faults)
        faults.add(
            .read, ObjectKey(key),
            .before { _ = await source.delete([DeleteRequest(key: ObjectKey(key), version: nil)]) })
        let run = try await pair.run()
        #expect(run.summary.counts.vanishedObjects == 1)
        #expect(run.recorder.failures.isEmpty)
        #expect(try await pair.isIdentical())
        #expect(try await pair.target.openUploads(ListRequest()).uploads.isEmpty)
    }

    @Test func `a source that says "no such object" once about an object it has is asked again`() async throws {
        let pair = try await fixture()
        pair.sourceSide = FaultStore(pair.source, faults)
        faults.add(.read, "a", .error(.notFound))
        let run = try await pair.run()
        #expect(run.summary.counts.vanishedObjects == 0)
        #expect(try await pair.isIdentical())
        #expect(faults.unused.isEmpty)
    }

    @Test func `a listing that fails on page 2 ends the run; what it showed may be copied, nothing is deleted`()
        async throws
    {
        let pair = try EngineFixture()
        for index in 0..<1200 { try await pair.put(ObjectKey("k\(index)"), [1]) }
        try await pair.put("a-extra", [2], in: pair.target)
        pair.options.deletion = .on(limit: .standard, backupPrefix: nil)
        pair.sourceSide = FaultStore(pair.source, faults)
        faults.add(.list, call: 2, .error(.invalidResponse))
        let run = try await pair.run()
        #expect(run.summary.failure?.code == .store(.invalidResponse))
        #expect(run.target.requests[.delete] == nil)
        #expect(try await pair.contents(of: pair.target)["a-extra"] == [2])
        #expect(try await pair.falseRows().isEmpty)
        #expect(faults.unused.isEmpty)
    }

    @Test func `a full ledger disk ends the run with the ledger's reason`() async throws {
        let pair = try await fixture()
        pair.ledgerSide = { FaultLedger($0, failsFrom: 1) }
        let run = try await pair.run()
        #expect(run.summary.failure?.code == .ledger(.noSpace))
        #expect(run.summary.failure?.side == .ledger)
        pair.ledgerSide = { $0 }
        #expect(try await pair.run().summary.failure == nil)
        #expect(try await pair.isIdentical())
    }

    @Test func `sizes that no object has do not end the program`() async throws {
        let pair = try await fixture()
        pair.sourceSide = FaultStore(pair.source, faults)
        faults.add(
            .list,
            .page { page in
                var page = page
                page.objects[0].size = .max
                page.objects[1].size = .max
                return page
            })
        pair.options.maxTransfer = .max
        let run = try await pair.run()
        #expect(run.summary.counts.skippedObjects == 2)
    }

    @Test func `a store that claims to be cancelled fails one object, not the run`() async throws {
        let pair = try await fixture()
        pair.sourceSide = FaultStore(pair.source, faults)
        faults.add(.read, "a", .error(.cancelled))
        let run = try await pair.run()
        #expect(run.summary.failure == nil)
        #expect(run.summary.stop == nil)
        #expect(run.recorder.failures.mapValues(\.code) == ["a": .cancelled])
        #expect(try await pair.contents(of: pair.target).count == 2)
    }
}
