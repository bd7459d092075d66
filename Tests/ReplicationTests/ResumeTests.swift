import Foundation
import Manifests
import ObjectStores
import Replication
import ReplicationModel
import SQLiteManifests
import Synchronization
import Testing

/// Uploads that outlive the run that opened them, and keys that failed.
@Suite struct ResumeTests {
    private static let parts = 6
    private static let size = parts << 20

    private let pair: EngineFixture

    init() throws {
        pair = try EngineFixture()
        pair.options.concurrency = 1
    }

    /// A run that ends when its N-th part is about to be sent; the upload stays open.
    private func interruptedRun(atPart number: Int) async throws {
        let sent = Counter()
        let interruption = pair.interruption
        pair.targetSide = FaultStore(pair.target) { operation, _ in
            guard operation == .uploadPart, sent.next() == number else { return nil }
            interruption.stop()
            return .error(.cancelled)
        }
        let run = try await pair.run()
        #expect(run.summary.stop == .interrupted)
        #expect(run.summary.counts.leftObjects == 1)
        pair.targetSide = pair.target
    }

    private func openUploads() async throws -> Int { try await pair.target.openUploads(ListRequest()).uploads.count }

    @Test(arguments: 1...6) func `only parts that are missing are sent`(number: Int) async throws {
        try await pair.put("large", EngineFixture.pattern(Self.size))
        try await interruptedRun(atPart: number)
        #expect(try await openUploads() == 1)
        let run = try await pair.run()
        #expect(run.target.requests[.uploadPart] == Self.parts - number + 1)
        #expect(run.source.requests[.read] == Self.parts - number + 1)
        #expect(run.target.requests[.beginUpload] == nil)
        #expect(run.summary.counts.resumedBytes == Int64(number - 1) << 20)
        #expect(run.summary.counts.sentBytes == Int64(Self.parts - number + 1) << 20)
        #expect(try await pair.isIdentical())
        #expect(try await openUploads() == 0)
        #expect(try await Set(pair.run().target.requests.keys) == [.list])
    }

    @Test func `an upload in order is continued as far as it has no gap`() async throws {
        let store = VariantStore(pair.target, isSequential: true)
        try await pair.put("large", EngineFixture.pattern(Self.size))
        let sent = Counter()
        let interruption = pair.interruption
        pair.targetSide = FaultStore(store) { operation, _ in
            guard operation == .uploadPart, sent.next() == 4 else { return nil }
            interruption.stop()
            return .error(.cancelled)
        }
        try await pair.run()
        pair.targetSide = store
        let run = try await pair.run()
        #expect(run.target.requests[.uploadPart] == 3)
        #expect(try await pair.isIdentical())
    }

    @Test func `a changed source begins anew and leaves no upload behind`() async throws {
        try await pair.put("large", EngineFixture.pattern(Self.size))
        try await interruptedRun(atPart: 4)
        try await pair.put("large", EngineFixture.pattern(Self.size, seed: 2))
        let run = try await pair.run()
        #expect(run.target.requests[.uploadPart] == Self.parts)
        #expect(run.summary.counts.resumedBytes == 0)
        #expect(try await pair.isIdentical())
        #expect(try await openUploads() == 0)
    }

    @Test func `changed attributes begin anew`() async throws {
        let bytes = EngineFixture.pattern(Self.size)
        try await pair.put("large", bytes)
        try await interruptedRun(atPart: 4)
        try await pair.put("large", bytes, attributes: ObjectAttributes(contentType: "text/plain"))
        try await pair.run()
        #expect(try await pair.target.head("large").attributes.contentType == "text/plain")
        #expect(try await openUploads() == 0)
    }

    @Test func `a part with other bytes than the ledger says is sent again`() async throws {
        try await pair.put("large", EngineFixture.pattern(Self.size))
        try await interruptedRun(atPart: 5)
        let upload = try #require(try await pair.target.openUploads(ListRequest()).uploads.first)
        try await pair.sendPart(3, EngineFixture.pattern(1 << 20, seed: 9), of: upload.session)
        let run = try await pair.run()
        #expect(run.target.requests[.uploadPart] == 3)
        #expect(try await pair.isIdentical())
    }

    @Test func `an upload that is gone is begun again`() async throws {
        try await pair.put("large", EngineFixture.pattern(Self.size))
        try await interruptedRun(atPart: 4)
        for upload in try await pair.target.openUploads(ListRequest()).uploads {
            try await pair.target.abortUpload(upload.session)
        }
        let run = try await pair.run()
        #expect(run.recorder.failures.isEmpty)
        #expect(run.target.requests[.uploadPart] == Self.parts)
        #expect(try await pair.isIdentical())
    }

    /// The store lists parts that are not there when the upload is completed.
    @Test func `an upload that cannot be completed is begun again`() async throws {
        try await pair.put("large", EngineFixture.pattern(Self.size))
        try await interruptedRun(atPart: 4)
        let faults = FaultPlan()
        faults.add(.completeUpload, "large", .error(.invalidRequest))
        pair.targetSide = FaultStore(pair.target, faults)
        let run = try await pair.run()
        #expect(faults.unused.isEmpty)
        #expect(run.recorder.failures.isEmpty)
        #expect(try await pair.isIdentical())
        #expect(try await openUploads() == 0)
    }

    @Test func `what a run leaves open is not touched by one that is for other keys`() async throws {
        try await pair.put("large", EngineFixture.pattern(Self.size))
        try await pair.put("other", [1])
        try await interruptedRun(atPart: 4)
        pair.options.filter = ObjectFilter([.init(includes: false, pattern: try GlobPattern("large"))])
        try await pair.run()
        #expect(try await openUploads() == 1)
        pair.options.filter = ObjectFilter()
        #expect(try await pair.run().target.requests[.uploadPart] == 3)
    }

    @Test func `an upload that outlived its object is aborted`() async throws {
        try await pair.put("large", EngineFixture.pattern(Self.size))
        try await interruptedRun(atPart: 4)
        _ = await pair.source.delete([DeleteRequest(key: "large", version: nil)])
        try await pair.run()
        #expect(try await openUploads() == 0)
    }

    @Test func `a store that was away keeps its upload for the next run`() async throws {
        try await pair.put("large", EngineFixture.pattern(Self.size))
        let faults = FaultPlan()
        faults.add(.uploadPart, "large", call: 4, .error(.unavailable))
        pair.targetSide = FaultStore(pair.target, faults)
        #expect(try await pair.run().recorder.failures.count == 1)
        pair.targetSide = pair.target
        let run = try await pair.run()
        #expect(run.target.requests[.uploadPart] == 3)
        #expect(try await pair.isIdentical())
        #expect(try await openUploads() == 0)
    }

    @Test func `an upload whose handle was lost with the process is found and discarded`() async throws {
        try await pair.put("large", EngineFixture.pattern(Self.size))
        let interruption = pair.interruption
        pair.targetSide = FaultStore(pair.target) { operation, _ in
            // The upload is opened, and the run ends before it learns of it.
            operation == .beginUpload ? .after { interruption.stop() } : nil
        }
        let killed = pair.ledgerSide
        pair.ledgerSide = { FaultLedger($0, failsFrom: 3) }
        try await pair.run()
        #expect(try await openUploads() == 1)
        (pair.targetSide, pair.ledgerSide) = (pair.target, killed)
        let run = try await pair.run()
        #expect(run.target.requests[.uploadPart] == Self.parts)
        #expect(try await openUploads() == 0)
        #expect(try await pair.isIdentical())
    }

    @Test func `an upload of others that has parts is not taken for a lost one`() async throws {
        try await pair.put("large", EngineFixture.pattern(Self.size))
        let foreign = try await pair.target.beginUpload(
            UploadRequest(
                key: "large", size: 4 << 20, partSize: 1 << 20, attributes: ObjectAttributes(), condition: .absent))
        try await pair.sendPart(1, EngineFixture.pattern(1 << 20), of: foreign)
        let ledger = try pair.openLedger()
        try await ledger.apply([
            .openUpload(
                UploadRecord(
                    session: UploadSession(
                        key: "large", handle: UploadRecord.intentHandle("large"), size: Int64(Self.size),
                        partSize: 1 << 20),
                    sourceVersion: VersionToken("x"), condition: .absent, attributes: ObjectAttributes(),
                    isCutByContent: false, openedAt: ImmediateTime().nowSeconds()))
        ])
        try await ledger.close()
        try await pair.run()
        #expect(try await openUploads() == 1)
        let again = try pair.openLedger()
        #expect(try await again.openUploads().isEmpty)
        try await again.close()
    }

    // MARK: Failed keys

    @Test func `what failed is tried before anything else`() async throws {
        for key in ["a", "m", "z"] { try await pair.put(ObjectKey(key), [1]) }
        pair.targetSide = FaultStore(pair.target) { $0 == .put && $1 == "z" ? .error(.forbidden) : nil }
        try await pair.run()
        try await pair.put("b", [2])
        let order = KeyRecorder()
        pair.targetSide = FaultStore(pair.target) { operation, key in
            if operation == .put, let key { order.add(key) }
            return nil
        }
        let run = try await pair.run()
        #expect(order.keys == ["z", "b"])
        #expect(run.summary.counts.sourceObjects == 4)
        #expect(run.summary.counts.copiedObjects == 2)
        #expect(try await pair.isIdentical())
        #expect(try await Set(pair.run().target.requests.keys) == [.list])
    }

    @Test func `what fails again fails once a run`() async throws {
        try await pair.put("z", [1])
        pair.targetSide = FaultStore(pair.target) { $0 == .put && $1 == "z" ? .error(.forbidden) : nil }
        for attempt in 1...3 {
            let run = try await pair.run()
            #expect(run.target.requests[.put] == 1)
            #expect(run.summary.counts.failedObjects == 1)
            let ledger = try pair.openLedger()
            #expect(try await ledger.failures(limit: 10).map(\.attempts) == [attempt])
            try await ledger.close()
        }
    }

    @Test func `a failed key that is gone is forgotten`() async throws {
        try await pair.put("z", [1])
        pair.targetSide = FaultStore(pair.target) { $0 == .put && $1 == "z" ? .error(.forbidden) : nil }
        try await pair.run()
        _ = await pair.source.delete([DeleteRequest(key: "z", version: nil)])
        try await pair.run()
        let ledger = try pair.openLedger()
        #expect(try await ledger.failures(limit: 10).isEmpty)
        try await ledger.close()
    }

    // MARK: What is left

    @Test func `a limit of bytes says what it leaves`() async throws {
        for index in 0..<10 { try await pair.put(ObjectKey("k\(index)"), EngineFixture.pattern(100)) }
        pair.options.maxTransfer = 350
        let run = try await pair.run()
        #expect(run.summary.stop == .maxTransfer)
        #expect(run.summary.counts.copiedObjects == 3)
        #expect(run.summary.counts.leftObjects == 7)
        #expect(run.summary.counts.leftBytes == 700)
        #expect(run.summary.isListed)
    }

    private final class KeyRecorder: Sendable {
        private let recorded = Mutex<[ObjectKey]>([])
        func add(_ key: ObjectKey) { recorded.withLock { $0.append(key) } }
        var keys: [ObjectKey] { recorded.withLock { $0 } }
    }
}
