package import ObjectStores
import Replication
import ReplicationModel
import Synchronization

/// Runs pairs when they are due and when their queues say so, until it is told to drain.
///
/// What to do decides `SupervisorState`; this keeps the tasks, the runs under way and the clock.
package final class Supervisor: Sendable {
    /// How long the loop may take for a turn and still count as alive.
    private static let patience: Int64 = 30_000_000_000

    private struct State {
        var machine = SupervisorState()
        var setup: ServiceSetup?
        var inbox: [SupervisorState.Event] = []
        /// To be delivered.
        var notices: [Notice] = []
        var live: [String: LiveRun] = [:]
        /// Event loops that wait until their pair is free, by the number of the wait.
        var permits: [Int: Permit] = [:]
        var lastPermit = 0
        var readers: [String: (identity: String, task: Task<Void, Never>)] = [:]
        /// Monotonic nanoseconds.
        var lastTurn: Int64
        var isDraining = false
    }

    private struct Permit {
        var pair: String
        var continuation: CheckedContinuation<Bool, Never>
    }

    private let journal: PairJournal
    private let notifier: Notifier
    private let service: ServiceNotifier
    private let time: any Timekeeper
    private let log: ServiceLog
    private let state: Mutex<State>
    private let bell: AsyncStream<Void>
    private let ring: AsyncStream<Void>.Continuation

    package init(
        journal: PairJournal, notifier: Notifier, service: ServiceNotifier, time: any Timekeeper, log: ServiceLog
    ) {
        self.journal = journal
        self.notifier = notifier
        self.service = service
        self.time = time
        self.log = log
        state = Mutex(State(lastTurn: time.monotonic()))
        (bell, ring) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    // MARK: What others ask

    /// Takes a configuration from now on. Runs under way go on as they began; pairs that are gone end with their run.
    package func configure(_ setup: ServiceSetup) {
        var lastStarts: [String: LastStarts] = [:]
        var notices: [Notice] = []
        for plan in setup.plans {
            guard var record = record(of: plan.name) else { continue }
            if record.running != nil || record.checking != nil {
                notices += journal.settleKilled(plan.name)
                record = self.record(of: plan.name) ?? record
            }
            lastStarts[plan.name] = LastStarts(record)
        }
        let stopped = state.withLock { state in
            state.setup = setup
            state.notices += notices
            state.inbox.append(.configured(setup.plans, parallel: setup.parallel, lastStarts: lastStarts))
            let wanted = Dictionary(
                setup.events.map { ($0.pair, $0.identity) }, uniquingKeysWith: { first, _ in first })
            let stopped = state.readers.filter { wanted[$0.key] != $0.value.identity }
            for pair in stopped.keys { state.readers[pair] = nil }
            return stopped
        }
        for reader in stopped.values { reader.task.cancel() }
        for source in setup.events { read(source) }
        ring.yield()
    }

    /// Begins nothing more, and has what is under way end as a signal does.
    package func drain() {
        state.withLock { state in
            state.isDraining = true
            state.inbox.append(.drain)
        }
        ring.yield()
    }

    package var isDraining: Bool { state.withLock { $0.isDraining } }
    package var pairCount: Int { state.withLock { $0.setup?.plans.count ?? 0 } }
    package var isConfigured: Bool { state.withLock { $0.setup != nil } }

    /// Whether the loop turns.
    package var isAlive: Bool { time.monotonic() - state.withLock { $0.lastTurn } < Self.patience }

    /// Bytes that runs under way may hold in buffers.
    package var bufferBytes: Int {
        state.withLock { state in state.live.values.reduce(0) { $0 + $1.place.memory } }
    }

    /// What is known of all pairs, in the order of the configuration; after them those that it has no longer and that still run.
    package var pairs: [(status: PairStatus, place: ServiceSetup.Place)] {
        let (machine, live, places) = state.withLock { ($0.machine, $0.live, $0.setup?.places ?? [:]) }
        let now = time.nowSeconds()
        return machine.names.map { name in
            var status = PairStatus(record: record(of: name) ?? PairRecord(pair: name), live: live[name])
            let plan = machine.plan(of: name)
            status.isRemoved = plan == nil
            status.nextRun = machine.nextRun(of: name)
            status.isWaiting = machine.isWaiting(name)
            status.recoveryDue = status.promisedPoint(at: now).flatMap {
                plan?.recoveryDue(after: $0, running: status.runningSync)
            }
            return (status, places[name] ?? live[name]?.place ?? .unknown)
        }
    }

    private func record(of pair: String) -> PairRecord? {
        let log = log.about(pair: pair)
        do throws(RecordError) {
            let reading = try journal.records.read(pair)
            if let problem = reading.problem { log.warning("\(problem)") }
            var record = reading.record
            record?.settle(at: places(of: pair))
            return record
        } catch {
            log.warning("\(error)")
            return nil
        }
    }

    private func places(of pair: String) -> String? {
        state.withLock { $0.setup?.places[pair]?.identity }
    }

    // MARK: The loop

    /// Returns when a drain is over.
    package func run() async {
        let heart = Task { [time, ring] in
            while true {
                try await time.sleep(for: .seconds(1))
                ring.yield()
            }
        }
        await withDiscardingTaskGroup { group in
            var lastSign: Int64 = 0
            for await _ in bell {
                if turn(&group) { break }
                let now = time.monotonic()
                if let interval = service.watchdogInterval, .nanoseconds(now - lastSign) >= interval - .seconds(1) {
                    service.watchdog()
                    lastSign = now
                }
            }
        }
        heart.cancel()
        let readers = state.withLock { state in
            defer { state.readers = [:] }
            return state.readers.values.map(\.task)
        }
        for reader in readers { await reader.value }
    }

    /// Handles what has come in; true when all is over.
    private func turn(_ group: inout DiscardingTaskGroup) -> Bool {
        let now = time.nowSeconds()
        let monotonic = time.monotonic()
        let (actions, notices, isDraining) = state.withLock { state in
            state.lastTurn = monotonic
            defer { state.notices = [] }
            let inbox = state.inbox
            state.inbox = []
            var actions = inbox.flatMap { state.machine.handle($0, at: now) }
            actions += state.machine.handle(.tick, at: now)
            return (actions, state.notices, state.isDraining)
        }
        if isDraining {
            group.cancelAll()
            for reader in state.withLock({ $0.readers.values.map(\.task) }) { reader.cancel() }
        }
        if !notices.isEmpty { group.addTask { await self.journal.deliver(notices, through: self.notifier) } }
        for action in actions {
            switch action {
            case .start(let pair, .events, _): grant(pair)
            case .start(let pair, let kind, let trigger):
                start(PairWork(pair: pair, kind: kind, trigger: trigger, places: places(of: pair)), &group)
            case .skipped(let pair, let reason):
                log.about(pair: pair).warning("pair \(pair) was due and did not run: \(Self.sentence(reason))")
                journal.change(pair) { $0.totals.add(reason) }
            case .finished: return true
            }
        }
        return false
    }

    private static func sentence(_ reason: SkippedRun) -> String {
        switch reason {
        case .running: "its run before is still under way"
        case .window: "its window is closed"
        }
    }

    private func send(_ event: SupervisorState.Event) {
        state.withLock { $0.inbox.append(event) }
        ring.yield()
    }

    // MARK: Runs

    private func start(_ work: PairWork, _ group: inout DiscardingTaskGroup) {
        group.addTask {
            let entry = await self.perform(work)
            await self.journal.deliver(entry?.notices ?? [], through: self.notifier)
        }
    }

    private func perform(_ work: PairWork) async -> PairJournal.Entry? {
        let runner = state.withLock { state in
            state.live[work.pair] = LiveRun(
                work: work, place: state.setup?.places[work.pair] ?? .unknown, start: time.nowSeconds(),
                started: time.monotonic())
            return state.setup?.runner
        }
        guard let runner else { return nil }
        let entry = await journal.accompany(work) {
            await runner.run(work) { progress in
                self.state.withLock { $0.live[work.pair]?.progress = progress }
            }
        }
        state.withLock { $0.live[work.pair] = nil }
        send(.ended(pair: work.pair, kind: work.kind, wasLocked: entry.outcome.result == .locked))
        if entry.owesReconciliation, [.temporary, .limit, .interrupted].contains(entry.outcome.result) {
            send(.reconciliationWanted(pair: work.pair))
        }
        return entry
    }

    // MARK: Events

    private func read(_ source: EventSource) {
        let pair = source.pair
        guard state.withLock({ $0.readers[pair] == nil }) else { return }
        let loop = EventLoop(
            source: source, time: time, log: log.about(pair: pair), run: { keys in await self.copy(keys, of: pair) },
            report: { counts, needsReconciliation in
                // Before the message goes off its queue, so that a crash forgets it neither here nor there.
                self.journal.change(pair) { record in
                    for (result, count) in counts { record.totals.add(result, count) }
                    if needsReconciliation { record.reconciliationAsked = self.time.nowSeconds() }
                }
                if needsReconciliation { self.send(.reconciliationWanted(pair: pair)) }
            })
        let task = Task { await loop.run() }
        state.withLock { $0.readers[pair] = (source.identity, task) }
    }

    private func copy(_ keys: [ObjectKey], of pair: String) async -> PairOutcome? {
        guard await isFree(pair) else { return nil }
        return await perform(
            PairWork(pair: pair, kind: .events, trigger: .event, keys: keys, places: places(of: pair)))?.outcome
    }

    /// Waits until the pair is this caller's; false when it gives up.
    private func isFree(_ pair: String) async -> Bool {
        let number = state.withLock { state in
            state.lastPermit += 1
            return state.lastPermit
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                state.withLock { state in
                    state.permits[number] = Permit(pair: pair, continuation: continuation)
                    state.inbox.append(.eventsWait(pair: pair))
                }
                ring.yield()
                if Task.isCancelled { withdraw(number) }
            }
        } onCancel: {
            withdraw(number)
        }
    }

    private func withdraw(_ number: Int) {
        state.withLock { $0.permits.removeValue(forKey: number) }?.continuation.resume(returning: false)
    }

    private func grant(_ pair: String) {
        let permit = state.withLock { state in
            state.permits.first { $0.value.pair == pair }.flatMap { state.permits.removeValue(forKey: $0.key) }
        }
        if let permit {
            permit.continuation.resume(returning: true)
        } else {
            send(.ended(pair: pair, kind: .events, wasLocked: false))
        }
    }
}
