import ObjectStores
import ReplicationModel
import Synchronization
import TestFixtures

/// One process of a simulated history: it runs until it comes to a call of the store at which it pauses, and goes on when it is its turn
/// again. Killed, it has done what it had done until then; a request that was on its way may still arrive.
final class SimulatedProcess: Sendable {
    /// What a history does to one process: a function of its seed.
    struct Plan: Sendable {
        var seed: UInt64
        /// Of 100 calls, how many wait for another turn before they are sent.
        var pauses = 0
        /// Of 100 calls, how many fail.
        var faults = 0
        /// The call that the process is killed with; nil lives.
        var lastCall: Int?
        var lastCallArrives = false
    }

    /// More than any process needs: one that makes more calls never ends.
    private static let maxCalls = 20_000

    private struct State {
        var calls = 0
        var counts: [String: Int] = [:]
        var isStarted = false
        var isPaused = false
        var hasEnded = false
        var isDead = false
        var isEndless = false
        var waiting: [CheckedContinuation<Void, Never>] = []
        var scheduler: CheckedContinuation<Void, Never>?
    }

    let name: String
    private let plan: Plan
    private let body: @Sendable (SimulatedProcess) async -> Void
    private let state = Mutex(State())

    init(_ name: String, _ plan: Plan, body: @escaping @Sendable (SimulatedProcess) async -> Void) {
        self.name = name
        self.plan = plan
        self.body = body
    }

    var hasEnded: Bool { state.withLock { $0.hasEnded } }
    var isDead: Bool { state.withLock { $0.isDead } }
    var isEndless: Bool { state.withLock { $0.isEndless } }

    /// Lets it run until it pauses or ends.
    func advance() async {
        await withCheckedContinuation { continuation in
            let (starts, waiting) = state.withLock { state in
                precondition(!state.hasEnded, "a process that has ended does not go on")
                state.scheduler = continuation
                state.isPaused = false
                defer { (state.isStarted, state.waiting) = (true, []) }
                return (!state.isStarted, state.waiting)
            }
            for call in waiting { call.resume() }
            if starts {
                Task {
                    await body(self)
                    end()
                }
            }
        }
    }

    /// From now on nothing that it does has an effect, but for the calls that are waiting.
    func kill() {
        state.withLock { $0.isDead = true }
    }

    private func end() {
        let scheduler = state.withLock { state in
            // What is still under way belongs to nobody.
            (state.hasEnded, state.isDead, state.isPaused) = (true, true, false)
            defer { state.scheduler = nil }
            return state.scheduler
        }
        scheduler?.resume()
    }

    /// What becomes of its next call.
    func next(_ operation: StoreOperation, _ key: ObjectKey?) -> Fault? {
        let kind = key?.text.split(separator: "/").first.map(String.init) ?? ""
        let subject = "\(name) \(operation.rawValue) \(kind)"
        let (fault, pauses): (Fault?, Bool) = state.withLock { state in
            guard !state.isDead else { return (.error(.unreachable), false) }
            state.calls += 1
            if state.calls > Self.maxCalls { (state.isDead, state.isEndless) = (true, true) }
            if state.calls == plan.lastCall {
                state.isDead = true
                return (plan.lastCallArrives ? .lostReply : .error(.unreachable), false)
            }
            state.counts[subject, default: 0] += 1
            var random = SeededRandom(plan.seed, [subject, "\(state.counts[subject]!)"])
            let pauses = random.chance(plan.pauses)
            guard random.chance(plan.faults) else { return (nil, pauses) }
            let faults: [Fault] =
                operation.isWrite
                ? [.lostReply, .lostRequest, .error(.throttled, .transient), .error(.unavailable, .transient)]
                : [.error(.throttled, .transient), .error(.network, .transient)]
            return (random.pick(faults), false)
        }
        if let fault { return fault }
        return .before { await self.wait(pauses: pauses) }
    }

    private func wait(pauses: Bool) async {
        var pauses = pauses
        while state.withLock({ $0.isPaused || pauses }) {
            await withCheckedContinuation { continuation in
                let (scheduler, waits): (CheckedContinuation<Void, Never>?, Bool) = state.withLock { state in
                    // Nobody to give the turn to: the process has ended, and this is what it left under way.
                    guard state.isPaused || (pauses && state.scheduler != nil) else { return (nil, false) }
                    state.isPaused = true
                    state.waiting.append(continuation)
                    defer { state.scheduler = nil }
                    return (state.scheduler, true)
                }
                pauses = false
                scheduler?.resume()
                if !waits { continuation.resume() }
            }
        }
    }
}
