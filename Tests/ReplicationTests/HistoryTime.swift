import ObjectStores
import Synchronization

/// The clock of one history: sleeping takes some turns of the executor and no time, and moves the clock by one step, because how long
/// a retry waits is truly random.
final class HistoryTime: Timekeeper {
    private static let step: Int64 = 250_000_000

    private let nanoseconds = Mutex<Int64>(1_000_000_000_000_000_000)
    /// How many turns a sleep takes: with many, what is to be done soon is done late.
    private let turns: Int

    init(turns: Int) {
        self.turns = turns
    }

    func now() -> Int64 { nanoseconds.withLock { $0 } }
    func monotonic() -> Int64 { now() }

    func sleep(for duration: Duration) async throws {
        for _ in 0..<turns {
            try Task.checkCancellation()
            await Task.yield()
        }
        try Task.checkCancellation()
        nanoseconds.withLock { $0 += Self.step }
    }
}
