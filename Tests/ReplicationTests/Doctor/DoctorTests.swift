import Digests
import ObjectStores
import Replication
import ReplicationModel
import Synchronization
import Testing

/// A lie must be found under the subject that it is about, and an honest store must be found honest.
struct DoctorTests {
    /// Everything about one examination.
    struct Examination {
        var report: DoctorReport
        var meter: StoreMeter
        var told: [DoctorFinding]

        func marks(of subject: String) -> [DoctorFinding.Mark] {
            report.findings.filter { $0.subject == subject }.map(\.mark)
        }
    }

    static func examine(
        _ store: any ObjectStore, as use: Doctor.Use = .target, isReadOnly: Bool = false,
        around: (any ObjectStore)? = nil, clock: @escaping @Sendable () -> ServerClock? = { nil }
    ) async -> Examination {
        let meter = MeteredStore(store)
        let told = Mutex<[DoctorFinding]>([])
        let report = await Doctor(
            store: meter, around: around, use: use, isReadOnly: isReadOnly, nonce: "n0", time: ImmediateTime(),
            clock: clock
        ).examine { finding in told.withLock { $0.append(finding) } }
        return Examination(report: report, meter: meter.meter, told: told.withLock { $0 })
    }

    @Test func anHonestStoreIsFoundHonestAndLeftAsItWas() async throws {
        let store = MemoryStore()
        let examination = await Self.examine(store)
        #expect(examination.report.findings.allSatisfy { $0.mark == .ok }, "\(examination.report.findings)")
        #expect(examination.report.verdict == .usable)
        #expect(examination.report.leftBehind.isEmpty)
        #expect(try await store.list(ListRequest()).objects.isEmpty)
        #expect(try await store.openUploads(ListRequest()).uploads.isEmpty)
        #expect(examination.told == examination.report.findings)
        #expect(examination.meter.requests.values.reduce(0, +) < 100)
        #expect(examination.meter.bytesRead + examination.meter.bytesWritten < 40 << 20)
    }

    /// The subject under which each lie is found.
    static let subjects: [Lie: String] = [
        .listsWithoutCase: "list-order", .listsByUTF16: "list-order", .listsFoldersFirst: "list-order",
        .listsTwice: "list-order", .hidesNewObjects: "list-after-write", .ignoresStartAfter: "list-order",
        .repeatsPages: "list-order", .composesNames: "keys", .mergesNames: "list-after-write",
        .showsOldObjects: "read-after-write", .keepsVersions: "versions", .changesBytes: "read-after-write",
        .shiftsRanges: "ranged-reads", .padsTheEnd: "ranged-reads", .ignoresPins: "pinned-reads",
        .createsOverOthers: "conditional-create", .replacesOthers: "conditional-replace",
        .completesOverOthers: "conditional-complete", .deletesOthers: "conditional-delete",
        .refusesAndWrites: "conditional-create", .forgetsDeletions: "delete",
        .confirmsWrongChecksums: "checksums", .confirmsWrongParts: "part-checksums", .mixesParts: "multipart",
        .hidesParts: "list-parts", .reportsOtherChecksums: "multipart-checksums", .copiesOtherVersions: "copy",
        .copiesOtherBytes: "copy", .copiesOtherRanges: "part-copy", .losesMetadata: "metadata",
        .losesUnicode: "metadata", .cutsMetadata: "metadata-size",
    ]

    @Test(arguments: Lie.allCases) func everyLieIsFound(_ lie: Lie) async throws {
        let base = MemoryStore()
        let examination = await Self.examine(LyingStore(base, lie))
        let subject = try #require(Self.subjects[lie])
        #expect(examination.marks(of: subject).contains(.failure), "\(examination.report.findings)")
        #expect(examination.report.verdict == .unsafe)
        // What a server does wrong does not keep the doctor from tidying up.
        if lie != .forgetsDeletions { #expect(try await base.list(ListRequest()).objects.isEmpty) }
        #expect(try await base.openUploads(ListRequest()).uploads.isEmpty)
    }

    @Test func aServerThatIsKnownToIgnoreConditionsIsUsable() async {
        let store = LyingStore(MemoryStore(), .replacesOthers) { $0.conditionalWrites = .ignored }
        let examination = await Self.examine(store)
        #expect(examination.marks(of: "conditional-replace") == [.instead])
        #expect(examination.report.verdict == .restricted)
    }

    @Test func whoHeedsOnlyTheFirstConditionIsTrustedWithAll() async {
        // The engine asks by creating twice; what it then relies on must hold for the others too.
        let store = LyingStore(MemoryStore(), .completesOverOthers) { $0.conditionalWrites = .unproven }
        #expect(await Self.examine(store).marks(of: "conditional-complete") == [.failure])
        let ignorant = LyingStore(MemoryStore(), .createsOverOthers) { $0.conditionalWrites = .unproven }
        #expect(await Self.examine(ignorant).marks(of: "conditional-create") == [.instead])
    }

    @Test(arguments: [
        (StoreOperation.list, "reach"), (.put, "rights"), (.head, "read-after-write"), (.read, "read-after-write"),
        (.beginUpload, "multipart"), (.uploadPart, "multipart"), (.listParts, "multipart"),
        (.completeUpload, "multipart"), (.abortUpload, "conditional-complete"), (.copy, "copy"),
        (.copyPart, "part-copy"),
        (.delete, "conditional-delete"),
    ]) func aMissingRightIsNamed(_ operation: StoreOperation, _ subject: String) async {
        let examination = await Self.examine(LyingStore(MemoryStore(), nil, denied: [operation]))
        let denied = examination.report.findings.filter { $0.mark == .denied }
        #expect(denied.map(\.operation) == [operation], "\(denied)")
        #expect(denied.map(\.subject) == [subject])
        #expect(examination.report.verdict == .denied)
        #expect(!examination.report.findings.contains { $0.mark == .failure }, "\(examination.report.findings)")
    }

    @Test func whatMayNotBeRemovedIsNamed() async {
        let examination = await Self.examine(LyingStore(MemoryStore(), nil, denied: [.delete]))
        #expect(examination.report.leftBehind.contains { $0.name == ".lockstep/doctor/n0/subject" })
    }

    @Test(arguments: [StoreOperation.copy, .copyPart]) func aMissingCallIsReplaced(_ operation: StoreOperation) async {
        let examination = await Self.examine(LyingStore(MemoryStore(), nil, lacking: [operation]))
        #expect(examination.report.verdict == .restricted)
        #expect(examination.report.findings.filter { $0.mark != .ok }.map(\.mark) == [.instead])
    }

    @Test(arguments: [StoreOperation.put, .beginUpload]) func withoutThisCallNothingIsATarget(
        _ operation: StoreOperation
    ) async {
        let examination = await Self.examine(LyingStore(MemoryStore(), nil, lacking: [operation]))
        #expect(examination.report.findings.contains { $0.mark == .failure }, "\(examination.report.findings)")
        #expect(examination.report.verdict != .restricted)
    }

    @Test func aSourceIsOnlyRead() async throws {
        let store = MemoryStore()
        for name in ["a", "b", "c", "d"] {
            _ = try await store.put(
                PutRequest(
                    key: ObjectKey(name), body: nil, digest: .init(), attributes: .init(), condition: .absent))
        }
        let examination = await Self.examine(LyingStore(store, nil, denied: [.put, .delete]), as: .source)
        #expect(examination.marks(of: "rights") == [.ok])
        #expect(examination.marks(of: "list-order") == [.ok])
        let excess = await Self.examine(store, as: .source)
        #expect(excess.marks(of: "rights") == [.warning])
        #expect(excess.report.verdict == .restricted)
        #expect(try await store.list(ListRequest()).objects.count == 4)
    }

    @Test func nothingIsWrittenWhenThatIsAskedFor() async throws {
        let store = try await Self.filled()
        let examination = await Self.examine(store, isReadOnly: true)
        #expect(examination.meter.bytesWritten == 0)
        #expect(!examination.meter.requests.keys.contains { $0.isWrite })
        #expect(examination.marks(of: "list-order") == [.ok])
        #expect(examination.marks(of: "ranged-reads") == [.ok])
        #expect(examination.marks(of: "pinned-reads") == [.ok])
        #expect(examination.marks(of: "writing") == [.unknown])
    }

    @Test(arguments: [
        (Lie.listsWithoutCase, "list-order"), (.ignoresStartAfter, "list-order"), (.shiftsRanges, "ranged-reads"),
        (.padsTheEnd, "ranged-reads"), (.ignoresPins, "pinned-reads"),
    ]) func liesAreFoundWithoutWriting(_ lie: Lie, _ subject: String) async throws {
        let examination = await Self.examine(LyingStore(try await Self.filled(), lie), isReadOnly: true)
        #expect(examination.marks(of: subject) == [.failure], "\(examination.report.findings)")
    }

    private static func filled() async throws -> MemoryStore {
        let store = MemoryStore()
        let bench = DoctorContentMaker()
        for (index, name) in ["B", "a", "a-", "a/b", "a0", "b"].enumerated() {
            let (body, digest) = bench.make(100 + index)
            _ = try await store.put(
                PutRequest(key: ObjectKey(name), body: body, digest: digest, attributes: .init(), condition: .absent))
        }
        return store
    }

    @Test func rightsOutsideOfTheLocationAreNoticed() async throws {
        let whole = MemoryStore()
        let inside = PrefixedStore(whole, prefix: "release/")
        let wide = await Self.examine(inside, around: whole)
        #expect(wide.marks(of: "rights-outside") == [.warning])
        let narrow = await Self.examine(inside, around: LyingStore(whole, nil, denied: [.list, .put, .delete]))
        #expect(narrow.marks(of: "rights-outside") == [.ok])
        #expect(narrow.report.leftBehind.isEmpty)
        #expect(try await whole.list(ListRequest()).objects.isEmpty)
    }

    @Test(arguments: [(Int64(0), DoctorFinding.Mark.ok), (-3600, .warning), (300, .warning)])
    func theClockIsCompared(_ seconds: Int64, _ mark: DoctorFinding.Mark) async {
        let examination = await Self.examine(MemoryStore()) {
            ServerClock(server: (1_000_000 + seconds) * 1_000_000_000, local: 1_000_000 * 1_000_000_000)
        }
        #expect(examination.marks(of: "clock") == [mark])
    }

    @Test func anInterruptedExaminationTidiesUp() async throws {
        let base = MemoryStore()
        let interruption = Interruption()
        let store = FaultStore(base) { operation, key in
            operation == .completeUpload ? .before { interruption.stop() } : nil
        }
        let task = Task { await Self.examine(store) }
        interruption.arm { task.cancel() }
        let examination = await task.value
        #expect(examination.report.wasCancelled)
        #expect(examination.report.verdict == .unavailable)
        #expect(try await base.list(ListRequest()).objects.isEmpty)
        #expect(try await base.openUploads(ListRequest()).uploads.isEmpty)
    }

    @Test func aPlaceThatDoesNotAnswerIsNotCalledSafe() async {
        let store = FaultStore(MemoryStore()) { _, _ in .error(.unreachable) }
        let examination = await Self.examine(store)
        #expect(examination.report.verdict == .unavailable)
        #expect(examination.meter.requests.values.reduce(0, +) <= 3)
        let missing = FaultStore(MemoryStore()) { _, _ in .error(.missingContainer) }
        #expect(await Self.examine(missing).report.verdict == .denied)
    }

    @Test func leftoversAreNamed() async throws {
        let store = MemoryStore()
        _ = try await store.put(
            PutRequest(
                key: ".lockstep/doctor/old/subject", body: nil, digest: .init(), attributes: .init(),
                condition: .absent))
        let examination = await Self.examine(store)
        #expect(examination.marks(of: "leftovers") == [.warning])
        #expect(try await store.list(ListRequest()).objects.map(\.key) == [".lockstep/doctor/old/subject"])
    }
}
