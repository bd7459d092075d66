/// How a run ended. The exit code follows from it alone.
package struct RunSummary: Sendable {
    package var counts: RunCounts
    /// Why it ended early; nil when it went through.
    package var stop: RunStop?
    /// What ended the run as a whole: a failed listing, a refused deletion, a lost ledger.
    package var failure: TransferFailure?
    /// Largest sum of bytes in buffers.
    package var peakBuffers: Int

    package init(counts: RunCounts, stop: RunStop?, failure: TransferFailure?, peakBuffers: Int) {
        self.counts = counts
        self.stop = stop
        self.failure = failure
        self.peakBuffers = peakBuffers
    }
}
