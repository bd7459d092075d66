import ObjectStores
import Synchronization

/// A clock that stands, and does not wait.
struct FixedTime: Timekeeper {
    func now() -> Int64 { 1_500_000_000 }
    func monotonic() -> Int64 { 1_500_000_000 }
    func sleep(for duration: Duration) async throws {}
}

/// Lines that were written.
final class Lines: Sendable {
    private let lines = Mutex<[String]>([])
    func add(_ line: String) { lines.withLock { $0.append(line) } }
    var all: [String] { lines.withLock { $0 } }
}
