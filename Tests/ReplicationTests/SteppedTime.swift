import ObjectStores
import Synchronization

/// A clock that stands still until somebody sleeps: a sleep moves it on and returns at once.
final class SteppedTime: Timekeeper {
    private let nanoseconds = Mutex<Int64>(1_000_000_000)
    private let slept = Mutex<[Duration]>([])

    /// Every sleep so far, in order.
    var sleeps: [Duration] { slept.withLock { $0 } }

    func now() -> Int64 { nanoseconds.withLock { $0 } }
    func monotonic() -> Int64 { nanoseconds.withLock { $0 } }

    func advance(_ duration: Duration) {
        nanoseconds.withLock { $0 += Int64(duration / .nanoseconds(1)) }
    }

    func sleep(for duration: Duration) async throws {
        try Task.checkCancellation()
        slept.withLock { $0.append(duration) }
        advance(duration)
    }
}
