import Buffers
import Foundation
import ObjectStores
import Replication
import ReplicationModel
import Synchronization
import TestFixtures
import Testing

/// Histories of a writer, a reader, faults and kills from seeds. Another range of them: `LOCKSTEP_HISTORY_SEED=1000`.
@Suite struct PointerHistoryTests {
    private static let first = ProcessInfo.processInfo.environment["LOCKSTEP_HISTORY_SEED"].flatMap { UInt64($0) } ?? 1
    private static let count: UInt64 = 400

    @Test func `no reader is ever misled, and one run at rest makes both sides equal`() async throws {
        let checks = Atomic(0)
        try await withThrowingTaskGroup(of: PointerHistory.self) { group in
            func take(_ history: PointerHistory?) {
                guard let history else { return }
                for problem in history.problems { Issue.record("seed \(history.seed): \(problem)") }
                checks.add(history.checks, ordering: .relaxed)
            }
            for seed in Self.first..<(Self.first + Self.count) {
                group.addTask {
                    var history = try PointerHistory(seed: seed)
                    try await history.play()
                    return history
                }
                if seed % 4 == 0 { take(try await group.next()) }
            }
            for try await history in group { take(history) }
        }
        // Histories in which nobody reads would prove nothing.
        #expect(checks.load(ordering: .relaxed) > 40 * Int(Self.count))
    }
}

/// One pair, whose source is written by one writer in the right order, whose target is read before each call, and whose runs are faulty
/// and killed.
private struct PointerHistory {
    private static let names = ["a", "a/in", "b", "c/d"]
    private static let capabilities = StoreCapabilities(
        partSize: 1...32, maxParts: 10_000, maxObjectSize: 1 << 30, maxPutSize: 64, maxCopySize: 1 << 20,
        copiesParts: true, conditionalWrites: .enforced, listPageLimit: 3, deleteBatch: 2,
        versionCoversAttributes: true,
        reportsChecksums: true)

    let seed: UInt64
    private var random: SeededRandom
    private let source = MemoryStore(name: "memory://source", capabilities: Self.capabilities)
    private let target = MemoryStore(name: "memory://target", capabilities: Self.capabilities)
    private let ledger = MemoryLedger()
    private let writer: SetWriter
    private let reader: SetReader
    private let concurrency: Int
    private let extent: ArtifactSets.Extent
    /// The versions of each set that the source has, or will have when the writer is done; the last one is what `latest` names.
    private var versions: [String: [Int]] = [:]
    private var lastVersion = 0
    private var complaints: [String] = []

    init(seed: UInt64) throws {
        self.seed = seed
        random = SeededRandom(seed: seed)
        writer = SetWriter(source)
        reader = try SetReader(target)
        concurrency = random.pick([1, 2, 6])
        extent = random.pick([.folder, .folder, .depth(0), .depth(1), .depth(2)])
    }

    var problems: [String] { complaints + reader.problems }
    var checks: Int { reader.checks }

    mutating func play() async throws {
        await EngineFixture.store([1], "anchor", source)
        for round in 1...5 {
            for _ in 0..<Int.random(in: 0...4, using: &random) { edit() }
            // The rest is done while the run goes, call by call.
            await writer.advance(Int.random(in: 0...12, using: &random))
            try await run(round, percent: random.pick([0, 2, 8]), isHurried: random.chance(60))
        }
        await writer.advance()
        let summary = try await run(6, percent: 0, isHurried: false)
        await reader.look()
        if summary.counts.skippedObjects + summary.counts.failedObjects > 0 || summary.failure != nil {
            complaints.append("not all is well at rest: \(summary)")
        }
        let here = try await EngineFixture.contents(of: source).mapValues(\.bytes)
        let there = try await EngineFixture.contents(of: target).mapValues(\.bytes)
        if here != there { complaints.append("\(Set(here.keys).symmetricDifference(there.keys)) differ at rest") }
        let again = try await run(7, percent: 0, isHurried: false)
        if again.counts.unchangedObjects != here.count { complaints.append("a second run at rest: \(again.counts)") }
    }

    private mutating func edit() {
        let set = random.pick(Self.names)
        let known = versions[set] ?? []
        lastVersion += 1
        switch Int.random(in: 0..<10, using: &random) {
        case 0..<6:
            // A pointer that is larger than one put goes in parts.
            writer.publish(set, lastVersion)
            versions[set] = known + [lastVersion]
        case 6..<9 where known.count > 1:
            writer.retire(set, known[0])
            versions[set] = Array(known.dropFirst())
        case 9 where !known.isEmpty:
            writer.remove(set, known.last!)
            for version in known.dropLast() { writer.retire(set, version) }
            versions[set] = nil
        default: break
        }
    }

    @discardableResult
    private mutating func run(_ round: Int, percent: Int, isHurried: Bool) async throws -> RunSummary {
        var options = ReplicationOptions()
        options.memory = 1 << 20
        options.concurrency = concurrency
        options.sets = try PublishedSet.sets(extent)
        if percent == 0 || random.chance(60) {
            options.deletion = .on(
                limit: .init(count: 1000, percent: 100),
                backupPrefix: random.chance(30) ? ReservedKeys.deletedPrefix : nil)
        }
        let kill = percent > 0 && random.chance(40) ? Int.random(in: 1...120, using: &random) : nil
        let interruption = Interruption()
        let calls = Counter()
        let faults = Mutex(SeededRandom(seed, ["\(round)"]))
        let (writer, reader) = (writer, reader)
        func rule(isTarget: Bool) -> @Sendable (StoreOperation, ObjectKey?) -> Fault? {
            { operation, _ in
                if calls.next() == kill { interruption.stop() }
                let (fault, steps) = faults.withLock { random -> (Fault?, Int) in
                    let steps = isHurried && random.chance(40) ? Int.random(in: 1...3, using: &random) : 0
                    guard random.chance(percent) else { return (nil, steps) }
                    let writes: Set<StoreOperation> = [.put, .completeUpload, .uploadPart]
                    return (
                        writes.contains(operation) && random.chance(50)
                            ? random.pick([.lostReply, .lostRequest])
                            : random.pick([.transient, .error(.forbidden)]), steps
                    )
                }
                if let fault, operation != .list { return fault }
                return .before {
                    await writer.advance(steps)
                    if isTarget { await reader.look() }
                }
            }
        }
        let time = ImmediateTime()
        let policy = RetryPolicy(maxAttempts: 3, reserve: 100_000)
        let replicator = Replicator(
            source: RetryingStore(FaultStore(source, next: rule(isTarget: false)), policy: policy, time: time),
            target: RetryingStore(FaultStore(target, next: rule(isTarget: true)), policy: policy, time: time),
            ledger: ledger, options: options, pool: BufferPool(limit: options.memory), time: time,
            nonce: "\(seed)-\(round)", observer: EventRecorder())
        let task = Task { await replicator.run() }
        interruption.arm { task.cancel() }
        return await task.value
    }
}
