package import ReplicationModel

/// A target that gathers what is written to it and shows it to others all at once, by a commit: a vault.
///
/// Whoever writes sees its own writes at once, others after the commit; what was not committed is gone with the process. So a ledger
/// records what was written only after the commit that it was part of.
package protocol StagedWrites: Sendable {
    /// Whether so much has gathered, or so much time has passed, that a checkpoint is due. Cheap; never true when nothing has gathered.
    var wantsCheckpoint: Bool { get }

    /// Commits what was written before the call; writes may go on meanwhile and belong to a later commit. Does nothing, and says so,
    /// when nothing has changed.
    func commit(_ kind: CommitKind) async throws(StoreError) -> CommitOutcome
}

package enum CommitKind: Sendable, Hashable {
    /// In the middle of a run.
    case checkpoint
    /// The run has come to its end, and this many of its objects failed or were skipped.
    case complete(failures: Int)
    /// The run ended before its end: a limit, a signal, a failure.
    case cutShort
}

package struct CommitOutcome: Sendable {
    /// Keys whose write cannot be kept, with the reason: somebody else has changed them, or collected what they rest on. They are as they
    /// were before.
    package var rejected: [ObjectKey: String]
    /// What people call the state that was committed; nil when there was nothing to commit.
    package var snapshot: String?

    package init(rejected: [ObjectKey: String] = [:], snapshot: String? = nil) {
        self.rejected = rejected
        self.snapshot = snapshot
    }
}
