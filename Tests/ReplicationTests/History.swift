import Buffers
import Manifests
import ObjectStores
import Replication
import ReplicationModel
import TestFixtures
import Testing

/// A random history of one pair: edits on both sides, runs with faults, kills, lost ledgers; then peace, and a clean run.
///
/// Played on a `HistoryExecutor`, all of it is a function of the seed, the order of every call included. Crowded histories are played on
/// the threads of the machine instead, where what happens at the same time truly does, and have no trace to compare.
struct History {
    private static let keys: [ObjectKey] = ["a", "b", "b/", "c//d", "e", "f", "g", "h/\u{FC}"]
    private static let anchor: ObjectKey = "anchor"
    private static let capabilities = StoreCapabilities(
        partSize: 1...32, maxParts: 10_000, maxObjectSize: 1 << 30, maxPutSize: 64, maxCopySize: 1 << 20,
        copiesParts: true,
        conditionalWrites: .enforced, listPageLimit: 3, deleteBatch: 2, versionCoversAttributes: true,
        reportsChecksums: true)

    let seed: UInt64
    private let model: HistoryModel
    private var ledger = MemoryLedger()
    private var random: SeededRandom
    private let isSilent: Bool
    private let isSequential: Bool
    private let isCrowded: Bool
    /// Whether some faults end whole runs.
    private let endsRuns: Bool
    private let time: HistoryTime
    private let executor: HistoryExecutor?
    private var found: [String] = []
    private(set) var happened = Happenings()

    /// What a campaign must have seen: what never happened was not tested.
    struct Happenings {
        var kills = 0
        var failedRuns = 0
        var lostLedgers = 0
        var leftUploads = 0
        /// Verdicts of checks.
        var inSync = 0
        var drift = 0

        static func + (a: Happenings, b: Happenings) -> Happenings {
            Happenings(
                kills: a.kills + b.kills, failedRuns: a.failedRuns + b.failedRuns,
                lostLedgers: a.lostLedgers + b.lostLedgers, leftUploads: a.leftUploads + b.leftUploads,
                inSync: a.inSync + b.inSync, drift: a.drift + b.drift)
        }
    }

    /// Whether checks run between the runs. They are tasks of their own, so that a history with them has no trace to compare.
    private let hasChecks: Bool

    init(seed: UInt64, hasChecks: Bool = true) {
        self.seed = seed
        self.hasChecks = hasChecks
        random = SeededRandom(seed: seed)
        isSilent = random.chance(25)
        isSequential = random.chance(30)
        isCrowded = random.chance(25)
        endsRuns = random.chance(50)
        executor = isCrowded ? nil : HistoryExecutor(seed: seed)
        time = HistoryTime(turns: random.pick([1, 10, 100]))
        model = HistoryModel(
            source: MemoryStore(name: "memory://source", capabilities: Self.capabilities, time: time),
            target: MemoryStore(name: "memory://target", capabilities: Self.capabilities, time: time))
    }

    /// Every call of the stores in order, the same whenever the seed is; nil for a crowded history.
    var trace: [String]? { isCrowded ? nil : model.trace }

    var problems: [String] { found + model.problems.map { "seed \(seed): \($0)" } }

    /// Plays the history from its seed.
    static func played(seed: UInt64, hasChecks: Bool = true) async throws -> History {
        let history = History(seed: seed, hasChecks: hasChecks)
        return try await Task(executorPreference: history.executor) {
            var history = history
            try await history.play()
            return history
        }.value
    }

    private mutating func play() async throws {
        await model.putSource([1], Self.anchor)
        for round in 1...5 {
            await edit()
            if random.chance(10) { try await loseLedger() }
            try await run(round: round, percent: random.pick([0, 3, 10, 25]))
        }
        try await run(round: 6, percent: 0, isLast: true)
        try await expectPeace()
    }

    /// With the ledger goes the knowledge of open uploads: a bucket's lifecycle rule ends those.
    private mutating func loseLedger() async throws {
        ledger = MemoryLedger()
        happened.lostLedgers += 1
        for upload in try await model.target.openUploads(ListRequest()).uploads {
            try await model.target.abortUpload(upload.session)
        }
    }

    private mutating func edit() async {
        for _ in 0..<Int.random(in: 0...8, using: &random) {
            let key = random.pick(Self.keys)
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<6: await model.putSource(random.bytes(), key)
            case 6..<8: await model.deleteSource(key)
            case 8: await model.putForeign(random.bytes(), key)
            default: _ = await model.target.delete([DeleteRequest(key: key, version: nil)])
            }
        }
    }

    /// One run, and everything that must hold after any run.
    private mutating func run(round: Int, percent: Int, isLast: Bool = false) async throws {
        var options = options(isLast: isLast)
        options.concurrency = isCrowded ? 8 : random.pick([1, 2, 8])
        let process = HistoryProcess(
            lastCall: !isLast && random.chance(35) ? random.pick([3, 10, 30, 100]) : nil,
            lastCallArrives: random.chance(50), model: model)
        let before = try await state()
        model.beginRun()
        model.note("run \(round)")
        let (summary, recorder, _) = await replicate(round, percent, options, in: process)
        let after = try await state()
        let note = "seed \(seed) round \(round)"
        if process.isEndless { found.append("\(note): the run does not end") }
        checkRows(after, note)
        checkForeign(before, after, note)
        if hasChecks { await checkVerdicts(after, note) }
        if try await !model.target.openUploads(ListRequest()).uploads.isEmpty { happened.leftUploads += 1 }
        guard !process.isDead else { return happened.kills += 1 }
        guard summary.failure == nil, summary.stop == nil else { return happened.failedRuns += 1 }
        let named = Set(recorder.failures.keys).union(recorder.skips.keys)
        for (key, bytes) in after.source where !model.changing.contains(key) && !named.contains(key) {
            if after.target[key]?.bytes != bytes { found.append("\(note): \(key) is neither equal nor named") }
        }
        if isLast { checkPeace(after, recorder, note) }
    }

    private mutating func options(isLast: Bool) -> ReplicationOptions {
        var options = ReplicationOptions()
        options.memory = 1 << 20
        if isLast || random.chance(50) {
            options.deletion = .on(
                limit: .init(count: 1000, percent: 100),
                backupPrefix: random.chance(50) ? ReservedKeys.deletedPrefix : nil)
        }
        if !isLast, random.chance(15) { options.comparison = .checksum }
        return options
    }

    private func replicate(
        _ round: Int, _ percent: Int, _ options: ReplicationOptions, in process: HistoryProcess
    ) async -> (RunSummary, EventRecorder, StoreMeter) {
        let faultSeed = seed &* 1000 &+ UInt64(round)
        let here = HistoryFaults(seed: faultSeed, side: "source", percent: percent, endsRuns: endsRuns, model: model)
        let there = HistoryFaults(seed: faultSeed, side: "target", percent: percent, endsRuns: endsRuns, model: model)
        let recorder = EventRecorder()
        let source = FaultStore(FaultStore(model.source) { here.next($0, $1) }) { _, _ in process.next() }
        let target = FaultStore(FaultStore(model.target) { there.next($0, $1) }) { _, _ in process.next() }
        let meter = MeteredStore(VariantStore(target, isSilent: isSilent, isSequential: isSequential))
        let policy = RetryPolicy(maxAttempts: 3, reserve: 100_000)
        let summary = await Replicator(
            source: RetryingStore(source, policy: policy, time: time),
            target: RetryingStore(meter, policy: policy, time: time),
            ledger: FaultLedger(ledger) { change in
                guard !process.isDead else { return false }
                model.note("ledger \(change)")
                return true
            }, options: options,
            pool: BufferPool(limit: options.memory), time: time, nonce: "\(seed)-\(round)", observer: recorder,
            executors: executor.map { [$0] } ?? [], background: executor
        ).run()
        return (summary, recorder, meter.meter)
    }

    // MARK: What must hold

    private struct Snapshot {
        var source: [ObjectKey: [UInt8]] = [:]
        var target: [ObjectKey: (version: VersionToken, bytes: [UInt8])] = [:]
        var rows: [ObjectKey: LedgerRow] = [:]
    }

    private func state() async throws -> Snapshot {
        var snapshot = Snapshot()
        snapshot.source = try await EngineFixture.contents(of: model.source).mapValues(\.bytes)
        snapshot.target = try await EngineFixture.contents(of: model.target)
        for row in try await ledger.rows(after: nil, limit: 1000) { snapshot.rows[row.key] = row }
        return snapshot
    }

    /// I1 and no false "unchanged": a row that vouches names versions with equal bytes.
    private mutating func checkRows(_ after: Snapshot, _ note: String) {
        for row in after.rows.values where row.evidence > .none {
            guard let there = after.target[row.key], there.version == row.targetVersion else { continue }
            if model.sourceBytes(row.key, row.sourceVersion) != there.bytes {
                found.append("\(note): the row of \(row.key) vouches for different bytes")
            }
        }
    }

    /// I7: a foreign object goes only where the ledger had never heard of the key.
    private mutating func checkForeign(_ before: Snapshot, _ after: Snapshot, _ note: String) {
        for key in Self.keys {
            if let written = model.foreignNow[key] {
                if after.target[key]?.version != written {
                    found.append("\(note): \(key), written by others during the run, is lost")
                }
                continue
            }
            guard let was = before.target[key], model.isForeign(key, was.version), let row = before.rows[key],
                row.targetVersion != was.version, !isAnnounced(was.bytes, row)
            else { continue }
            if after.target[key]?.version != was.version {
                found.append("\(note): \(key), written by others, is lost")
            }
        }
    }

    /// Bytes that a killed run was about to write are nobody's loss, whoever wrote them.
    private func isAnnounced(_ bytes: [UInt8], _ row: LedgerRow) -> Bool {
        row.evidence == .none && row.checksums.crc32c == bytes.withUnsafeBytes { EngineFixture.crc32c($0) }
    }

    /// I11: a check says "in sync" of equal sides only, and speaks of a difference only where there is one, whatever the run left behind.
    private mutating func checkVerdicts(_ after: Snapshot, _ note: String) async {
        let keys = Set(after.source.keys).union(after.target.keys).filter { !ReservedKeys.contains($0) }
        let differing = keys.filter { after.source[$0] != after.target[$0]?.bytes }
        for evidence in [EvidenceLevel.recorded, .reported] {
            var options = CheckOptions()
            options.evidence = evidence
            options.memory = 1 << 20
            let summary = await Checker(
                source: model.source,
                target: VariantStore(model.target, isSilent: isSilent, isSequential: isSequential),
                ledger: LedgerView(ledger: ledger), options: options, pool: BufferPool(limit: options.memory),
                observer: FindingRecorder()
            ).run()
            switch summary.verdict {
            case .inSync: happened.inSync += 1
            case .drift: happened.drift += 1
            case .unproven: found.append("\(note): nothing hides, and a check at level \(evidence) is unproven")
            }
            if (summary.verdict == .inSync) != differing.isEmpty {
                found.append("\(note): a check at level \(evidence) says \(summary.verdict), and \(differing) differ")
            }
        }
    }

    /// I14: after one clean run everything is equal, but for what others wrote, and that is named. So is what nobody can tell apart from
    /// it: bytes that the target damaged itself, where the reply to their write was lost.
    private mutating func checkPeace(_ after: Snapshot, _ recorder: EventRecorder, _ note: String) {
        if !recorder.failures.isEmpty { found.append("\(note): failures in peace: \(recorder.failures)") }
        for key in Set(after.source.keys).union(after.target.keys) where !ReservedKeys.contains(key) {
            if after.source[key] == after.target[key]?.bytes { continue }
            let isForeign = after.target[key].map { model.isForeign(key, $0.version) } ?? false
            if recorder.skips[key] != .conflict || !(isForeign || model.isDamaged(key)) {
                found.append("\(note): \(key) differs in peace")
            }
        }
    }

    /// I5: another run writes and reads nothing. Open uploads are those that a kill left before the ledger knew of them: they are empty.
    private mutating func expectPeace() async throws {
        let (summary, recorder, meter) = await replicate(
            7, 0, options(isLast: true), in: HistoryProcess(lastCall: nil, lastCallArrives: true, model: model))
        if summary.counts.copiedObjects + summary.counts.adoptedObjects + summary.counts.deletedObjects > 0 {
            found.append("seed \(seed): a run without changes did something: \(summary.counts)")
        }
        if recorder.skips.isEmpty, Set(meter.requests.keys) != [.list] {
            found.append("seed \(seed): a run without changes asked for more than listings: \(meter.requests)")
        }
        for upload in try await model.target.openUploads(ListRequest()).uploads {
            guard try await !model.target.listParts(of: upload.session).isEmpty else { continue }
            found.append("seed \(seed): an upload of \(upload.session.key) is left open")
        }
    }
}

extension SeededRandom {
    /// Contents of lengths at which the engine changes what it does.
    mutating func bytes() -> [UInt8] {
        let count = pick([0, 5, 20, 64, 65, 100, 200])
        return (0..<count).map { _ in UInt8(truncatingIfNeeded: next()) }
    }
}
