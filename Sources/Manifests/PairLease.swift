package import ObjectStores

/// One run per pair, as long as it shows signs of life: a lease in the ledger.
///
/// A run that ended without giving its lease back is known to have ended if it was one of this machine; else its lease runs out. A run that
/// was stopped for longer than that and wakes up finds a higher epoch, and can change nothing any more.
package struct PairLease: Sendable {
    package static let standardLength = Duration.seconds(60)
    private static let pollInterval = Duration.milliseconds(500)

    private let ledger: any Ledger
    private let length: Duration
    private let time: any Timekeeper

    /// Takes the pair, or says who has it.
    package static func take(
        _ ledger: any Ledger, for length: Duration, time: any Timekeeper
    ) async throws(LedgerError) -> (lease: PairLease?, outcome: LeaseOutcome) {
        let now = time.nowSeconds()
        let outcome = try await ledger.takeLease(
            LeaseRequest(
                holder: .current(), now: now, until: now + length.components.seconds, hasEnded: { $0.hasEnded }))
        guard case .taken = outcome else { return (nil, outcome) }
        return (PairLease(ledger: ledger, length: length, time: time), outcome)
    }

    /// Waits until the other run has ended or its lease has run out.
    package static func wait(
        _ ledger: any Ledger, for length: Duration, time: any Timekeeper
    ) async throws -> PairLease {
        while true {
            if let lease = try await take(ledger, for: length, time: time).lease { return lease }
            try await time.sleep(for: pollInterval)
        }
    }

    /// Renews the lease until the task is cancelled; throws when it is lost.
    package func keep() async throws {
        while !Task.isCancelled {
            try await time.sleep(for: length / 4)
            try await ledger.renewLease(until: time.nowSeconds() + length.components.seconds)
        }
    }

    /// Gives the pair back. One that was lost is another's already.
    package func release() async throws(LedgerError) {
        do throws(LedgerError) { try await ledger.releaseLease() } catch {
            guard error.code == .fenced else { throw error }
        }
    }
}
