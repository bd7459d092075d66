import Configuration
import Cryptography
import HTTPStores
import HTTPTransport
import ObjectStores
import Operations
import Replication
import ReplicationModel
import Synchronization
import Testing

/// Runs that begin when the supervisor says, and end when the test does.
private final class Runner: PairRunner {
    private let gates = Mutex<[String: CheckedContinuation<PairOutcome, Never>]>([:])
    let begun: AsyncStream<PairWork>
    private let begin: AsyncStream<PairWork>.Continuation

    init() {
        (begun, begin) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(100))
    }

    func run(_ work: PairWork, watch: @escaping @Sendable (RunProgress) -> Void) async -> PairOutcome {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                gates.withLock { $0[work.pair] = continuation }
                begin.yield(work)
                if Task.isCancelled { end(work.pair, outcome(130, kind: work.kind)) }
            }
        } onCancel: {
            end(work.pair, outcome(130, kind: work.kind))
        }
    }

    func end(_ pair: String, _ outcome: PairOutcome) {
        gates.withLock { $0.removeValue(forKey: pair) }?.resume(returning: outcome)
    }
}

/// Gives its messages once, fails before that as often as it is told, and then has nothing more to say.
private final class Queue: EventQueue {
    let name = "q"
    private let failures: Mutex<Int>
    private let messages: Mutex<[EventMessage]>
    let acknowledged: AsyncStream<[String]>
    private let acknowledge: AsyncStream<[String]>.Continuation

    init(_ messages: [EventMessage], failures: Int = 0) {
        self.failures = Mutex(failures)
        self.messages = Mutex(messages)
        (acknowledged, acknowledge) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(100))
    }

    func receive(limit: Int, wait: Duration, visibility: Duration) async throws(StoreError) -> [EventMessage] {
        let fails = failures.withLock { failures in
            defer { failures = max(0, failures - 1) }
            return failures > 0
        }
        if fails { throw StoreError(.unavailable, .list, message: "the service is away") }
        let given = messages.withLock { messages in
            defer { messages = [] }
            return messages
        }
        if given.isEmpty { do { try await ManualTime(0).sleep(for: wait) } catch {} }
        return given
    }

    func acknowledge(_ messages: [EventMessage]) async throws(StoreError) { acknowledge.yield(messages.map(\.id)) }
    func extend(_ messages: [EventMessage], by visibility: Duration) async throws(StoreError) {}
}

private struct Stage {
    let scratch = Scratch()
    let lines = Lines()
    let time = ManualTime(1_790_000_100)
    let transport = ScriptedTransport(200)
    let runner = Runner()
    let supervisor: Supervisor

    init() {
        let log = ServiceLog(format: .text, level: .info, time: time) { [lines] in lines.add($0) }
        supervisor = Supervisor(
            journal: PairJournal(
                records: PairRecordStore(state: scratch.path), textfile: TextfileWriter(directory: nil), log: log,
                time: time, host: "host"),
            notifier: Notifier(
                [
                    NotificationChannel(
                        name: "chat", destination: .webhook(Secret("https://chat.example")), events: [.failure])
                ],
                transport: transport, environment: [:], time: time, say: { [lines] in lines.add($0) }),
            service: ServiceNotifier(environment: [:]), time: time, log: log)
    }

    func configure(_ pairs: [String], scheduled: Bool = true, events: [EventSource] = []) throws {
        let windows = try RateWindows()
        supervisor.configure(
            ServiceSetup(
                plans: pairs.map {
                    PairPlan(
                        name: $0, schedule: scheduled ? Schedule(.every(3600)) : nil, check: nil, windows: windows,
                        seed: $0)
                },
                places: Dictionary(
                    uniqueKeysWithValues: pairs.map {
                        ($0, ServiceSetup.Place(source: "s3://\($0)", target: "gs://t", identity: $0, memory: 7))
                    }),
                parallel: 2, runner: runner, events: events))
    }

    func record(_ pair: String) throws -> PairRecord {
        try #require(try PairRecordStore(state: scratch.path).read(pair).record)
    }
}

struct SupervisorTests {
    @Test("a run begins, is shown, ends, is recorded and told; the next when it is due; a drain ends what is under way")
    func life() async throws {
        let stage = Stage()
        var begun = stage.runner.begun.makeAsyncIterator()
        var waits = stage.time.waits.makeAsyncIterator()
        var asked = stage.transport.asked.makeAsyncIterator()
        try stage.configure(["p"])
        let supervisor = stage.supervisor
        async let ended: Void = supervisor.run()
        #expect(await waits.next() == .seconds(1))

        let first = try #require(await begun.next())
        #expect(first.kind == .sync && first.trigger == .catchUp)
        #expect(supervisor.pairs.map(\.status.live?.work.trace) == [first.trace])
        #expect(supervisor.bufferBytes == 7)
        stage.runner.end("p", outcome(78))
        #expect(await asked.next()?.url == "https://chat.example")
        #expect(try stage.record("p").lastRun?.exitCode == 78)
        #expect(supervisor.pairs.first?.status.live == nil && supervisor.bufferBytes == 0)

        stage.time.advance(seconds: 3600)
        #expect(await begun.next()?.trigger == .schedule)
        supervisor.drain()
        await ended
        #expect(try stage.record("p").lastRun?.result == .interrupted)
        #expect(try stage.record("p").consecutiveFailures == 1)
    }

    @Test("a pair that the configuration has no longer is shown until its run has ended")
    func removed() async throws {
        let stage = Stage()
        var begun = stage.runner.begun.makeAsyncIterator()
        try stage.configure(["p"])
        let supervisor = stage.supervisor
        async let ended: Void = supervisor.run()
        _ = await begun.next()
        try stage.configure(["q"])
        #expect(await begun.next()?.pair == "q")
        let shown = supervisor.pairs
        #expect(shown.map(\.status.record.pair) == ["q", "p"] && shown.map(\.status.isRemoved) == [false, true])
        #expect(shown.map(\.place.source) == ["s3://q", "s3://p"] && supervisor.bufferBytes == 14)
        stage.runner.end("p", outcome(0))
        supervisor.drain()
        await ended
        #expect(supervisor.pairs.map(\.status.record.pair) == ["q"])
    }

    @Test("a loop that does not turn is not alive")
    func alive() {
        let stage = Stage()
        #expect(stage.supervisor.isAlive)
        stage.time.advance(seconds: 31)
        #expect(!stage.supervisor.isAlive)
    }

    @Test("keys that a queue names are copied and their messages taken off; a queue that fails is asked again")
    func events() async throws {
        let stage = Stage()
        var begun = stage.runner.begun.makeAsyncIterator()
        var waits = stage.time.waits.makeAsyncIterator()
        let message = EventMessage(
            id: "1", receipt: Secret("r"), deliveries: 1,
            content: .changes([ObjectChange(kind: .written, container: "b", key: ObjectKey("k"))]))
        let queue = Queue([message], failures: 1)
        var acknowledged = queue.acknowledged.makeAsyncIterator()
        let scope = EventScope(location: ObjectLocation(service: .s3, bucket: "b"), filter: ObjectFilter(), sets: nil)
        try stage.configure(
            ["p"], scheduled: false,
            events: [EventSource(pair: "p", queue: queue, scope: scope, batchWait: .zero, identity: "1")])
        let supervisor = stage.supervisor
        async let ended: Void = supervisor.run()
        // The supervisor's second and that of the queue.
        for _ in 0..<2 { #expect(await waits.next() == .seconds(1)) }
        let said = try #require(stage.lines.all.first { $0.contains("queue q") })
        #expect(said.contains("the service is away") && said.hasSuffix("; again in 1 s pair=p"))
        stage.time.advance(seconds: 1)
        let work = try #require(await begun.next())
        #expect(work.kind == .events && work.keys == [ObjectKey("k")])
        var copied = outcome(0, kind: .events, isListed: false)
        copied.unsettled = []
        stage.runner.end("p", copied)
        #expect(await acknowledged.next() == ["1"])
        supervisor.drain()
        await ended
        #expect(try stage.record("p").totals.eventMessages == ["copied": 1])
        #expect(try stage.record("p").totals.runs == ["events": ["success": 1]])
    }
}
