import ReplicationModel
import Synchronization

/// What a run has seen and done so far. The final value is the run's summary.
package struct RunCounts: Sendable, Hashable {
    package var sourceObjects = 0
    package var sourceBytes: Int64 = 0
    package var targetObjects = 0
    package var unchangedObjects = 0
    package var unchangedBytes: Int64 = 0
    /// Decided to be copied: done, under way or waiting.
    package var plannedObjects = 0
    package var plannedBytes: Int64 = 0
    /// To be copied, and not done when the run ended early. More may be in what was not listed any more.
    package var leftObjects = 0
    package var leftBytes: Int64 = 0
    package var copiedObjects = 0
    package var copiedBytes: Int64 = 0
    /// Bytes that arrived at the target so far, of finished and unfinished objects; sent again counts again.
    package var sentBytes: Int64 = 0
    /// Bytes of uploads that earlier runs had sent already.
    package var resumedBytes: Int64 = 0
    /// Bytes that the target copied from objects that it held already.
    package var avoidedBytes: Int64 = 0
    /// Found equal without copying.
    package var adoptedObjects = 0
    package var adoptedBytes: Int64 = 0
    package var deletedObjects = 0
    package var deletedBytes: Int64 = 0
    package var deleteCandidates = 0
    package var failedObjects = 0
    /// Of those that failed: written or deleted, and not kept by the commit that it was part of. They count as copied too.
    package var rejectedObjects = 0
    package var skippedObjects = 0
    package var conflicts = 0
    /// Of those that were skipped: pointers whose set is not complete at the target.
    package var heldPointers = 0
    /// Gone from the source between its listing and its turn: nothing to do, nothing failed.
    package var vanishedObjects = 0
    package var filteredObjects = 0
    /// Only at the target, and deleting is off.
    package var extraneousObjects = 0

    package init() {}

    /// What the target has of objects finished and unfinished, however it came there.
    package var arrivedBytes: Int64 { sentBytes + resumedBytes + avoidedBytes }
}

extension Int64 {
    /// Adds without overflow: sizes come from listings, which may claim anything.
    mutating func addSize(_ size: Int64) {
        let (sum, overflow) = addingReportingOverflow(size)
        self = overflow ? .max : sum
    }
}

/// The counters of one run, readable at any time.
package final class RunProgress: Sendable {
    private struct State {
        var counts = RunCounts()
        var listed = false
    }

    private let state = Mutex(State())

    package init() {}

    package var counts: RunCounts { state.withLock { $0.counts } }

    /// Whether both listings have ended, so that the planned numbers are final.
    package var isListed: Bool { state.withLock { $0.listed } }

    func update(_ change: (inout RunCounts) -> Void) {
        state.withLock { change(&$0.counts) }
    }

    func addLeft(_ size: Int64) {
        update {
            $0.leftObjects += 1
            $0.leftBytes.addSize(size)
        }
    }

    func markListed() {
        state.withLock { $0.listed = true }
    }
}
