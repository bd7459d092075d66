import Buffers
import Manifests
import ObjectStores
import Replication
import ReplicationModel
import TestFixtures

/// A random history of a pair whose target shows writes by commits: edits on both sides, runs that are killed at a call or around a
/// commit, commits that fail or keep only a part; then peace.
struct StagedHistory {
    private static let keys: [ObjectKey] = ["a", "b", "c/d", "e", "f", "g/latest"]
    private static let capabilities = StoreCapabilities(
        partSize: 1...32, maxParts: 10_000, maxObjectSize: 1 << 30, maxPutSize: 64, maxCopySize: 0,
        copiesParts: false, conditionalWrites: .enforced, listPageLimit: 3, deleteBatch: 2,
        versionCoversAttributes: true, reportsChecksums: true)

    /// What a campaign must have seen: what never happened was not tested.
    struct Happenings {
        var killedBefore = 0
        var killedAfter = 0
        var killedElsewhere = 0
        var failedCommits = 0
        var rejected = 0
        var checkpoints = 0
        var adopted = 0
        var conflicts = 0

        static func + (a: Happenings, b: Happenings) -> Happenings {
            Happenings(
                killedBefore: a.killedBefore + b.killedBefore, killedAfter: a.killedAfter + b.killedAfter,
                killedElsewhere: a.killedElsewhere + b.killedElsewhere,
                failedCommits: a.failedCommits + b.failedCommits, rejected: a.rejected + b.rejected,
                checkpoints: a.checkpoints + b.checkpoints, adopted: a.adopted + b.adopted,
                conflicts: a.conflicts + b.conflicts)
        }
    }

    let seed: UInt64
    private let source: MemoryStore
    private let shared = StagedMemory()
    private let ledger = MemoryLedger()
    private let time: HistoryTime
    private var random: SeededRandom
    /// Keys that somebody else has changed at the target, with what is theirs.
    private var foreign: [ObjectKey: VersionToken] = [:]
    private(set) var problems: [String] = []
    private(set) var happened = Happenings()

    private init(seed: UInt64) {
        self.seed = seed
        random = SeededRandom(seed: seed)
        time = HistoryTime(turns: random.pick([1, 10, 100]))
        source = MemoryStore(name: "memory://source", capabilities: Self.capabilities, time: time)
    }

    static func played(seed: UInt64) async throws -> StagedHistory {
        let executor = HistoryExecutor(seed: seed)
        return try await Task(executorPreference: executor) {
            var history = StagedHistory(seed: seed)
            try await history.play(on: executor)
            return history
        }.value
    }

    private mutating func play(on executor: HistoryExecutor) async throws {
        await EngineFixture.store([1], "anchor", source)
        for round in 1...6 {
            try await edit()
            try await run(round, on: executor)
        }
        try await run(7, on: executor, inPeace: true)
        try await run(8, on: executor, inPeace: true, isUnchanged: true)
    }

    private mutating func edit() async throws {
        for _ in 0..<Int.random(in: 0...6, using: &random) {
            let key = random.pick(Self.keys)
            if random.chance(75) {
                await EngineFixture.store(random.bytes(), key, source)
            } else {
                _ = await source.delete([DeleteRequest(key: key, version: nil)])
            }
        }
        // Where the ledger knows the key: of what it has never heard of, nobody can say whose it is.
        if random.chance(15) {
            let key = random.pick(Self.keys)
            if try await ledger.row(for: key) != nil, shared.contents[key] != nil {
                // Bytes that the source never has.
                foreign[key] = shared.change(key, [255, 254] + random.bytes())
            }
        }
    }

    /// How a run of the history ends badly.
    private enum Ending: CaseIterable {
        case none, killedAtCall, killedBeforeCommit, killedAfterCommit, failedCommit, lostReply
    }

    private mutating func run(
        _ round: Int, on executor: HistoryExecutor, inPeace: Bool = false, isUnchanged: Bool = false
    ) async throws {
        let note = "seed \(seed) round \(round)"
        let ending = inPeace || random.chance(35) ? .none : random.pick(Ending.allCases)
        let (lastCall, badCommit) = (random.pick([3, 10, 30, 60]), random.pick([1, 1, 2]))
        let process = StagedFixture.Process()
        let (calls, commits) = (Counter(), Counter())
        let store = StagedMemoryStore(shared, capabilities: Self.capabilities, isSequential: random.chance(70)) { _ in
            if process.isDead { return .fails }
            guard commits.next() == badCommit else { return nil }
            switch ending {
            case .killedBeforeCommit:
                process.die()
                return .fails
            case .killedAfterCommit:
                process.die()
                return .lostReply
            case .failedCommit: return .fails
            case .lostReply: return .lostReply
            case .none, .killedAtCall: return nil
            }
        }
        if !inPeace, random.chance(25) { store.refuse(random.pick(Self.keys), "collected") }
        let dueAt = inPeace ? 0 : random.pick([0, 5, 12])
        let call: @Sendable (StoreOperation, ObjectKey?) -> Fault? = { _, _ in
            if process.isDead { return .error(.cancelled) }
            let number = calls.next()
            if number == dueAt { store.makeDue() }
            if ending == .killedAtCall, number == lastCall { return .after { process.die() } }
            return nil
        }
        var options = ReplicationOptions()
        options.memory = 1 << 20
        options.concurrency = random.pick([1, 2, 8])
        options.maxHeldChanges = random.pick([1, 2, 100])
        options.deletion = .on(limit: .init(count: 1000, percent: 100), backupPrefix: nil)
        if random.chance(50) { options.sets = ArtifactSets(pointers: [try GlobPattern("**/latest")]) }
        let recorder = EventRecorder()
        let meter = MeteredStore(FaultStore(store, next: call))
        let before = shared.commits
        let summary = await Replicator(
            source: FaultStore(source, next: call), target: meter,
            ledger: FaultLedger(ledger) { _ in !process.isDead }, options: options,
            pool: BufferPool(limit: options.memory), time: time, nonce: "\(seed)-\(round)", observer: recorder,
            staged: store, executors: [executor], background: executor
        ).run()
        count(summary, store, process, ending)
        try await check(summary, recorder, process, note)
        if inPeace { try await expectPeace(summary, recorder, note) }
        guard isUnchanged else { return }
        let isQuiet = recorder.skips.isEmpty
        if shared.commits != before || isQuiet && Set(meter.meter.requests.keys) != Set([StoreOperation.list]) {
            problems.append("\(note): a run without changes did something: \(meter.meter.requests)")
        }
    }

    private mutating func count(
        _ summary: RunSummary, _ store: StagedMemoryStore, _ process: StagedFixture.Process, _ ending: Ending
    ) {
        happened.rejected += summary.counts.rejectedObjects
        happened.adopted += summary.counts.adoptedObjects
        happened.conflicts += summary.counts.conflicts
        happened.checkpoints += store.kinds.filter { $0 == .checkpoint }.count
        if !process.isDead, summary.failure != nil { happened.failedCommits += 1 }
        guard process.isDead else { return }
        switch ending {
        case .killedBeforeCommit: happened.killedBefore += 1
        case .killedAfterCommit: happened.killedAfter += 1
        default: happened.killedElsewhere += 1
        }
    }

    /// What must hold after every run, however it ended.
    private mutating func check(
        _ summary: RunSummary, _ recorder: EventRecorder, _ process: StagedFixture.Process, _ note: String
    ) async throws {
        let shown = shared.contents
        for row in try await ledger.rows(after: nil, limit: 1000) where row.evidence > .none {
            guard let there = shown[row.key] else {
                // A row is left over when a deletion was committed and the process died, until a run goes through.
                if summary.failure == nil, !process.isDead {
                    problems.append("\(note): the row of \(row.key) vouches for what nobody sees")
                }
                continue
            }
            guard there.version == row.targetVersion else {
                if foreign[row.key] == nil {
                    problems.append("\(note): the row of \(row.key) vouches for a version that nobody sees")
                }
                continue
            }
            if there.bytes.withUnsafeBytes({ EngineFixture.crc32c($0) }) != row.checksums.crc32c {
                problems.append("\(note): the row of \(row.key) vouches for other bytes")
            }
        }
        for (key, version) in foreign where shown[key]?.version != version {
            problems.append("\(note): \(key), written by others, is lost")
        }
        for (key, reason) in recorder.skips where reason == .conflict && foreign[key] == nil {
            problems.append("\(note): \(key) is said to be somebody else's")
        }
    }

    private mutating func expectPeace(_ summary: RunSummary, _ recorder: EventRecorder, _ note: String) async throws {
        if let failure = summary.failure { problems.append("\(note): \(failure)") }
        if !recorder.failures.isEmpty { problems.append("\(note): failures in peace: \(recorder.failures)") }
        let here = try await EngineFixture.contents(of: source).mapValues(\.bytes)
        let there = shared.contents.mapValues(\.bytes)
        for key in Set(here.keys).union(there.keys) where here[key] != there[key] && foreign[key] == nil {
            problems.append("\(note): \(key) differs in peace")
        }
        for key in try await ledger.openUploads().map(\.session.key) {
            problems.append("\(note): the ledger knows an upload of \(key)")
        }
    }
}
