/// How a run ended. The exit code follows from it alone.
package struct RunSummary: Sendable {
    package var counts: RunCounts
    /// Why it ended early; nil when it went through.
    package var stop: RunStop?
    /// What ended the run as a whole: a failed listing, a refused deletion, a lost ledger.
    package var failure: TransferFailure?
    /// Whether both sides were listed to their ends, so that the counts are those of the whole pair.
    package var isListed: Bool
    /// Largest sum of bytes in buffers.
    package var peakBuffers: Int
    /// What people call the last state that the run has committed at a target with commits; nil when it has committed none.
    package var snapshot: String?

    package init(
        counts: RunCounts, stop: RunStop?, failure: TransferFailure?, isListed: Bool, peakBuffers: Int,
        snapshot: String? = nil
    ) {
        self.counts = counts
        self.stop = stop
        self.failure = failure
        self.isListed = isListed
        self.peakBuffers = peakBuffers
        self.snapshot = snapshot
    }
}
