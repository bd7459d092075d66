import ObjectStores
import Synchronization

/// A clock that does not wait: sleeping moves it on, and is recorded.
final class ManualTime: Timekeeper {
    private let state = Mutex<(now: Int64, sleeps: [Duration])>((1_700_000_000_000_000_000, []))

    func now() -> Int64 { state.withLock { $0.now } }

    func monotonic() -> Int64 { now() }

    func sleep(for duration: Duration) async throws {
        try Task.checkCancellation()
        state.withLock {
            $0.now += Int64(duration / .nanoseconds(1))
            $0.sleeps.append(duration)
        }
    }

    var sleeps: [Duration] { state.withLock { $0.sleeps } }

    func advance(_ duration: Duration) {
        state.withLock { $0.now += Int64(duration / .nanoseconds(1)) }
    }
}
