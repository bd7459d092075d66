/// A process that works on a pair.
package struct LeaseHolder: Sendable, Codable, Hashable {
    /// The machine, and which of its boots.
    package var machine: String
    package var process: Int32
    /// Tells processes with the same number apart: clock ticks since boot.
    package var started: UInt64

    package init(machine: String, process: Int32, started: UInt64) {
        self.machine = machine
        self.process = process
        self.started = started
    }
}

package struct LeaseRequest: Sendable {
    package var holder: LeaseHolder
    /// Seconds since 1970.
    package var now: Int64
    package var until: Int64
    /// Whether that process is known to have ended: its lease need not be waited for.
    package var hasEnded: @Sendable (LeaseHolder) -> Bool

    package init(holder: LeaseHolder, now: Int64, until: Int64, hasEnded: @escaping @Sendable (LeaseHolder) -> Bool) {
        self.holder = holder
        self.now = now
        self.until = until
        self.hasEnded = hasEnded
    }
}

package enum LeaseOutcome: Sendable, Hashable {
    /// The pair is taken. Every holder has a higher epoch than the one before.
    case taken(epoch: Int64)
    case held(by: LeaseHolder, until: Int64)
}
