import ChunkPipeline
import ObjectStores
import ReplicationModel
import Synchronization
import TestFixtures
import Vault

/// A random history of one vault: writers on several machines, collectors, pruning and readers, each paused, failed and killed at any call
/// of the store; then peace.
///
/// One process has the turn at a time, and which one, what it does, where it pauses, what fails and where it is killed follow from the
/// seed. Names and keys of the vault are random in each play, and how chunks share packs with them.
struct Simulation {
    private static let keys: [ObjectKey] = ["secret-key/a", "secret-key/b", "secret-key/c", "secret-key/d", "e"]
    private static let machines = 4
    private static let turns = 60

    /// What a campaign must have seen: what never happened was not tested.
    struct Happenings {
        var commits = 0
        var rejected = 0
        var kills = 0
        var failures = 0
        var dropped = 0
        var reprieved = 0
        var repacked = 0
        var orphans = 0
        var reads = 0

        static func += (a: inout Happenings, b: Happenings) {
            a.commits += b.commits
            a.rejected += b.rejected
            a.kills += b.kills
            a.failures += b.failures
            a.dropped += b.dropped
            a.reprieved += b.reprieved
            a.repacked += b.repacked
            a.orphans += b.orphans
            a.reads += b.reads
        }

        mutating func add(_ report: CollectionReport) {
            dropped += report.dropped.count
            reprieved += report.reprieved
            repacked += report.repacked.count
            orphans += report.orphanPacks.count + report.orphanPages.count + report.orphanSegments.count
        }
    }

    private final class Record: Sendable {
        let happened = Mutex(Happenings())
    }

    private let seed: UInt64
    private var random: SeededRandom
    private let base: MemoryStore
    private let time = SetTime()
    private let model: SimulationModel
    private let record = Record()
    /// What each machine remembers from one process to the next.
    private let states = (0..<machines).map { _ in MemoryVaultState() }
    private let pauses: Int
    private let faults: Int
    private var running: [(process: SimulatedProcess, machine: Int)] = []
    private var number = 0

    private init(seed: UInt64) async throws {
        self.seed = seed
        random = SeededRandom(seed: seed)
        pauses = random.pick([2, 10, 30])
        faults = random.pick([0, 0, 2, 5])
        base = MemoryStore(time: time)
        var fixture = VaultStoreFixture(base, chunker: .fixed(size: CollectionFixture.chunk))
        fixture.options.compression = .none
        try await fixture.initialise()
        model = try await SimulationModel(base, time: time)
    }

    /// - Returns: everything that should not have been, and what has happened.
    static func play(seed: UInt64) async throws -> (problems: [String], happened: Happenings) {
        var simulation = try await Simulation(seed: seed)
        await simulation.play()
        return (
            simulation.model.problems.map { "seed \(seed): \($0)" }, simulation.record.happened.withLock { $0 }
        )
    }

    private mutating func play() async {
        for _ in 0..<Self.turns where model.problems.isEmpty {
            time.advance(random.pick([0, 0, 1, 10, 100, -50]))
            let free = Set(0..<Self.machines).subtracting(running.map(\.machine)).sorted()
            if !free.isEmpty, running.isEmpty || random.chance(40) {
                let machine = random.pick(free)
                running.append((start(on: machine), machine))
            }
            let turn = Int.random(in: 0..<running.count, using: &random)
            let process = running[turn].process
            if random.chance(4) {
                process.kill()
                record.happened.withLock { $0.kills += 1 }
            }
            await process.advance()
            await settle(turn)
        }
        while !running.isEmpty {
            await running[0].process.advance()
            await settle(0)
        }
        guard model.problems.isEmpty else { return }
        await makePeace()
    }

    private mutating func settle(_ turn: Int) async {
        let process = running[turn].process
        guard process.hasEnded else { return }
        running.remove(at: turn)
        if process.isEndless { model.report("\(process.name) never ends") }
        if process.name.hasPrefix("collector") { await model.verify("after \(process.name)") }
    }

    // MARK: Processes

    private mutating func start(on machine: Int) -> SimulatedProcess {
        number += 1
        var plan = SimulatedProcess.Plan(seed: random.next(), pauses: pauses, faults: faults)
        if random.chance(25) {
            plan.lastCall = Int.random(in: 1...50, using: &random)
            plan.lastCallArrives = random.chance(50)
        }
        let seed = random.next()
        switch Int.random(in: 0..<10, using: &random) {
        case 0..<5: return writer("writer \(number)", plan, states[machine], seed)
        case 5..<8: return collector("collector \(number)", plan, states[machine], seed)
        case 8: return pruner("pruner \(number)", plan, states[machine], seed)
        default: return reader("reader \(number)", plan, states[machine])
        }
    }

    /// A process whose calls go through its plan. What it throws ends it, and nothing else.
    private func process(
        _ name: String, _ plan: SimulatedProcess.Plan, _ local: MemoryVaultState,
        _ body: @escaping @Sendable (VaultHandle) async throws -> Void
    ) -> SimulatedProcess {
        let (base, time, model, record) = (base, time, model, record)
        let observed = FaultStore(base) { operation, key, _ in
            guard operation == .put, key?.text.hasPrefix(VaultName.rootPrefix) == true else { return nil }
            return .after { await model.rootStored(by: name) }
        }
        return SimulatedProcess(name, plan) { process in
            let store = RetryingStore(
                FaultStore(observed) { operation, key, _ in process.next(operation, key) }, time: time)
            do {
                try await body(
                    VaultHandle.open(store, VaultStoreFixture.credential, local: { _ in local }, time: time))
            } catch {
                record.happened.withLock { $0.failures += 1 }
                // A vault that is whole is never called damaged, also not to those who are slower than others.
                if let error = error as? VaultError, error.code == .rolledBack || error.code == .wrongKey {
                    model.report("\(name): \(error)")
                }
            }
        }
    }

    private func writer(
        _ name: String, _ plan: SimulatedProcess.Plan, _ local: MemoryVaultState, _ seed: UInt64
    ) -> SimulatedProcess {
        let (model, record) = (model, record)
        return process(name, plan, local) { handle in
            let store = try await VaultStore.writing(handle, source: "", host: name, memory: 0)
            var random = SeededRandom(seed: seed)
            var changes: [ObjectKey: [UInt64]?] = [:]
            var possible: [ObjectKey: [[UInt64]?]] = [:]
            for round in 0...Int.random(in: 0...2, using: &random) {
                for _ in 0..<Int.random(in: 1...4, using: &random) {
                    let (key, chunks) = Self.edit(&random)
                    if try await Self.apply(chunks, to: key, store) {
                        changes[key] = .some(chunks)
                        possible[key, default: []].append(chunks)
                    }
                }
                // Written while the commit runs: part of it or of the next one.
                let late = random.chance(30) ? Self.edit(&random) : nil
                if let late { possible[late.key, default: []].append(late.chunks) }
                model.announce(name, possible)
                async let commit = store.commit(round == 0 ? .complete(failures: 0) : .checkpoint)
                var isLate = false
                if let late { isLate = try await Self.apply(late.chunks, to: late.key, store) }
                let outcome = try await commit
                if let late { changes[late.key] = nil }
                model.committed(outcome, changes, by: name)
                record.happened.withLock { happened in
                    happened.commits += 1
                    happened.rejected += outcome.rejected.count
                }
                changes = [:]
                possible = [:]
                if let late, isLate { possible[late.key] = [late.chunks] }
            }
            model.announce(name, possible)
            _ = try await store.commit(.complete(failures: 0))
        }
    }

    /// nil: delete.
    private static func edit(_ random: inout SeededRandom) -> (key: ObjectKey, chunks: [UInt64]?) {
        let key = random.pick(keys)
        if random.chance(20) { return (key, nil) }
        // Few different chunks, so that writers meet in them; sometimes so many that the object has a list.
        let count = random.chance(5) ? 70 : random.pick([0, 1, 2, 3, 5])
        let first = UInt64.random(in: 0..<10, using: &random)
        return (key, (0..<UInt64(count)).map { (first + $0) % 75 })
    }

    /// False when there was nothing to delete.
    private static func apply(_ chunks: [UInt64]?, to key: ObjectKey, _ store: VaultStore) async throws -> Bool {
        if let chunks {
            try await store.write(key, SimulationModel.bytes(chunks))
        } else {
            guard try await store.keys(prefix: key).contains(key) else { return false }
            try await store.delete([DeleteRequest(key: key, version: nil)])[0].get()
        }
        return true
    }

    private func collector(
        _ name: String, _ plan: SimulatedProcess.Plan, _ local: MemoryVaultState, _ seed: UInt64
    ) -> SimulatedProcess {
        let record = record
        return process(name, plan, local) { handle in
            var random = SeededRandom(seed: seed)
            let report = try await GarbageCollector(
                handle,
                options: .init(
                    grace: random.pick([0, 0, 60]), repackBelow: random.pick([0.5, 1]),
                    sessionAge: random.pick([0, 0, 100, 1_000_000]), memory: 0)
            ).run()
            record.happened.withLock { $0.add(report) }
        }
    }

    private func pruner(
        _ name: String, _ plan: SimulatedProcess.Plan, _ local: MemoryVaultState, _ seed: UInt64
    ) -> SimulatedProcess {
        process(name, plan, local) { handle in
            var random = SeededRandom(seed: seed)
            _ = try await Pruning(handle).prune(RetentionPolicy(keepLast: random.pick([1, 1, 2])), dryRun: false)
        }
    }

    private func reader(_ name: String, _ plan: SimulatedProcess.Plan, _ local: MemoryVaultState) -> SimulatedProcess {
        let (model, record) = (model, record)
        return process(name, plan, local) { handle in
            let store = try await VaultStore.reading(handle, snapshot: .latest, memory: 0)
            guard let id = store.snapshot?.id, let expected = model.contents(of: id) else { return }
            for key in try await store.keys() {
                do {
                    let bytes = try await store.content(key)
                    record.happened.withLock { $0.reads += 1 }
                    if bytes != expected[key].map(SimulationModel.bytes) {
                        model.report("\(name) was given wrong bytes of \(key)")
                    }
                } catch let error as StoreError {
                    // Collected meanwhile, or not to be had now; and it says which.
                    if error.code == .notFound { model.report("\(name) was told that \(key) never was: \(error)") }
                }
            }
        }
    }

    // MARK: Peace

    private func makePeace() async {
        do {
            let handle = try await VaultHandle.open(
                base, VaultStoreFixture.credential, local: { _ in MemoryVaultState() }, time: time)
            // Each sees what the one before has committed: sessions that begin from the newest root end with the next.
            for _ in 0..<4 {
                _ = try await GarbageCollector(handle, options: .init(grace: 0, sessionAge: -1_000_000, memory: 0))
                    .run()
            }
            let collection = try await handle.roots.newest().root.collection
            if !collection.condemned.isEmpty || !collection.deleting.isEmpty {
                model.report("collection does not come to its end: \(collection)")
            }
        } catch {
            model.report("in peace: \(error)")
        }
        await model.verifyPeace()
    }
}
