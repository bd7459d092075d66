import HTTPTransport
import ObjectStores
import Operations
import Synchronization

/// A clock that stands, and does not wait.
struct FixedTime: Timekeeper {
    func now() -> Int64 { 1_500_000_000 }
    func monotonic() -> Int64 { 1_500_000_000 }
    func sleep(for duration: Duration) async throws {}
}

/// A clock that the test moves: who sleeps wakes when it has moved far enough.
final class ManualTime: Timekeeper {
    private struct Sleeper {
        var due: Int64
        var continuation: CheckedContinuation<Void, any Error>
    }

    private struct State {
        var now: Int64
        var sleepers: [Int: Sleeper] = [:]
        var last = 0
    }

    private let state: Mutex<State>
    /// What is slept for, each as soon as `advance` can end it.
    let waits: AsyncStream<Duration>
    private let wait: AsyncStream<Duration>.Continuation

    /// - Parameter start: seconds since 1970.
    init(_ start: Int64) {
        state = Mutex(State(now: start * 1_000_000_000))
        (waits, wait) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(1000))
    }

    func now() -> Int64 { state.withLock { $0.now } }
    func monotonic() -> Int64 { now() }

    func sleep(for duration: Duration) async throws {
        let number = state.withLock { state in
            state.last += 1
            return state.last
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                state.withLock { state in
                    let due = state.now + Int64(duration / .nanoseconds(1))
                    state.sleepers[number] = Sleeper(due: due, continuation: continuation)
                }
                wait.yield(duration)
                if Task.isCancelled { wake(number) }
            }
        } onCancel: {
            wake(number)
        }
    }

    private func wake(_ number: Int) {
        state.withLock { $0.sleepers.removeValue(forKey: number) }?.continuation.resume(throwing: CancellationError())
    }

    func advance(seconds: Int64) {
        let woken = state.withLock { state in
            state.now += seconds * 1_000_000_000
            let woken = state.sleepers.filter { $0.value.due <= state.now }
            for number in woken.keys { state.sleepers[number] = nil }
            return woken.values
        }
        for sleeper in woken { sleeper.continuation.resume() }
    }
}

/// Lines that were written.
final class Lines: Sendable {
    private let lines = Mutex<[String]>([])
    func add(_ line: String) { lines.withLock { $0.append(line) } }
    var all: [String] { lines.withLock { $0 } }
}

/// A transport without a network: keeps what it was asked, and answers with statuses in order, the last for all that follow; nil never
/// answers.
final class ScriptedTransport: HTTPTransport {
    private let statuses: [Int?]
    private let log = Mutex<[HTTPRequest]>([])
    let asked: AsyncStream<HTTPRequest>
    private let ask: AsyncStream<HTTPRequest>.Continuation

    init(_ statuses: Int?...) {
        self.statuses = statuses
        (asked, ask) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(100))
    }

    var requests: [HTTPRequest] { log.withLock { $0 } }

    func send(_ request: HTTPRequest, into sink: HTTPSink) async throws(HTTPFailure) -> HTTPResponse {
        let number = log.withLock { log in
            log.append(request)
            return log.count - 1
        }
        ask.yield(request)
        if let status = statuses[min(number, statuses.count - 1)] { return HTTPResponse(status: status, headers: [:]) }
        do { try await ManualTime(0).sleep(for: .seconds(1)) } catch {}
        throw HTTPFailure(code: .cancelled, message: "the request was cancelled", mayHaveBeenProcessed: true)
    }
}
