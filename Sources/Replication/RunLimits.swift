import ObjectStores

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
