import ObjectStores
import Synchronization

/// Why a run stops starting new transfers before everything is done.
package enum RunStop: Sendable, Hashable {
    case maxTransfer
    case maxDuration
    case interrupted
}

/// The limits that people set on one run. What is under way when one is reached is finished.
struct RunLimits {
    let maxTransfer: Int64?
    /// Monotonic nanoseconds.
    let deadline: Int64?

    init(options: ReplicationOptions, time: any Timekeeper) {
        maxTransfer = options.maxTransfer
        // Thirty years are for ever, and do not overflow.
        deadline = options.maxDuration.map { time.monotonic() + Int64(min($0 / .nanoseconds(1), 1e18)) }
    }

    /// Whether one more object of `size` bytes may start.
    /// - Parameter moved: bytes of the objects that were started and did not turn out to be equal.
    func stop(before size: Int64, moved: Int64, time: any Timekeeper) -> RunStop? {
        if let maxTransfer, size > maxTransfer - moved { return .maxTransfer }
        if let deadline, time.monotonic() >= deadline { return .maxDuration }
        return nil
    }
}

/// The limits of one run and what it has spent of them, for everything that starts transfers.
final class TransferBudget: Sendable {
    private struct State {
        /// Bytes of the objects that were started.
        var started: Int64 = 0
        var reached: RunStop?
    }

    private let limits: RunLimits
    private let time: any Timekeeper
    private let progress: RunProgress
    private let state = Mutex(State())

    init(_ limits: RunLimits, time: any Timekeeper, progress: RunProgress) {
        self.limits = limits
        self.time = time
        self.progress = progress
    }

    /// The first limit that refused a transfer.
    var reached: RunStop? { state.withLock { $0.reached } }

    /// Takes the bytes of one object from what is left; returns the limit that does not allow it. From then on none is admitted.
    func admit(_ size: Int64) -> RunStop? {
        let adopted = progress.counts.adoptedBytes
        return state.withLock { state in
            if let reached = state.reached { return reached }
            if let stop = limits.stop(before: size, moved: state.started - adopted, time: time) {
                state.reached = state.reached ?? stop
                return stop
            }
            state.started.addSize(size)
            return nil
        }
    }

    /// Whether the run's time is up.
    func checkTime() -> RunStop? {
        guard let stop = limits.stop(before: 0, moved: 0, time: time) else { return nil }
        state.withLock { $0.reached = $0.reached ?? stop }
        return stop
    }
}
