/// Removes what no snapshot of a vault needs any more.
///
/// ## What it may rely on
///
/// Roots form one line: root n + 1 is created only if absent, by somebody who has read root n, so whatever a commit has checked in root n
/// holds until root n + 1. Names of packs, segments and pages are random and never come twice. Every writer keeps three rules:
/// - W1: it commits a snapshot on root n only when each chunk of each changed object is in a pack of root n's index that root n does not
///   condemn, or is in its own packs, or is in a condemned pack that the same commit takes off the list.
/// - W2: it adds rows only of packs whose session's base is not below root n's fence, and takes packs that it adds off the list.
/// - W3: segments and pages of a commit on root n lie in a session with base n.
///
/// ## The steps
///
/// Each is one commit, and which one comes next follows from the newest root alone. When somebody else commits first, the step is done
/// again on the newer root; clocks decide only when it is worthwhile to go on, never what is safe.
/// 1. *Condemn.* On a root that condemns nothing: the chunks that all its snapshots need are marked, what is needed of packs that are
///    mostly garbage is stored again, and the root that names those copies in its index condemns the packs.
/// 2. *Drop*, when the grace period is over: marks again. Condemned packs that are needed are taken off the list. The rest lose their rows in
///    the index and are named as `deleting`; the fence rises above their sessions.
/// 3. *Delete* what is `deleting`; then a root without that list.
/// 4. *Sweep.* The fence rises to the newest root that is older than any session may become. Then everything is deleted that lies in
///    sessions below the fence and that the newest root does not refer to.
///
/// ## Why nothing is lost
///
/// *Invariant.* In every root, each chunk of each snapshot has a row in a pack that is neither condemned nor deleted. Pruning only removes
/// snapshots. A writer's commit keeps it for changed objects by W1; unchanged ones are those of root n's newest snapshot, which no prune
/// removes. Condemning keeps it because it has marked root n itself: a needed chunk of a condemned pack has a copy elsewhere. Dropping
/// has marked root n too, so no snapshot needs what it drops.
///
/// *A pack is deleted only when no later root can refer to it.* Of step 3: once the drop is committed, the index has no rows of the pack,
/// so W1 cannot count on them, and no writer can bring them back: not even one that had committed the pack without hearing of it, or a
/// later run that finds it in the folder of a crashed session, because the fence is above its session (W2). Of step 4: the fence f is
/// committed before anything is deleted, in root r. Rows, segments and pages of a commit on any root n ≥ r are of sessions with base ≥ f
/// (W2, W3: n ≥ f), or root n refers to them already. So what the newest root does not refer to below f is never referred to again,
/// whatever the listing shows, and however old it is.
///
/// ## Who may be where meanwhile
///
/// - *A writer, paused anywhere.* Before a commit of the collector: its own is superseded, it looks at the new root and follows W1 and W2.
///   What it counted on may be condemned (taken off the list again), or dropped, or fenced: then those keys are rejected and the next run
///   stores them again. After it: the collector is superseded, and marks again what the writer has brought.
///   Paused inside an upload: that object turns up in a fenced session later, and the next sweep removes it.
/// - *A second collector.* One of two commits is superseded. Both may delete the same names, which name nothing else. The first may find
///   pages gone that the second has swept after somebody pruned: there is a newer root then, and it starts again from that. Packs that it was
///   filling are W2's business as for any writer.
/// - *A reader of an older root.* Finds objects gone, and says which. Names are not used again and are part of every object's key, so it
///   never gets other bytes.
/// - *A crash, anywhere.* Before a commit it leaves unreferenced objects, which a later sweep removes. After one, the root says what was
///   to be done. Deleting again what is deleted already does no harm.
package struct GarbageCollector: Sendable {
    package struct Options: Sendable {
        /// Seconds between condemning a pack and dropping it: how long a writer may go on with what it saw before, and lose no work.
        package var grace: Int64
        /// Packs of which less than this share of bytes is needed are stored anew.
        package var repackBelow: Double
        /// Seconds after which a session that has not committed is given up.
        package var sessionAge: Int64
        /// Only says what would happen.
        package var isDryRun: Bool
        /// Bytes for packs that are read, besides what fills new ones.
        package var memory: Int

        package init(
            grace: Int64 = 86_400, repackBelow: Double = 0.5, sessionAge: Int64 = 7 * 86_400, isDryRun: Bool = false,
            memory: Int = 64 << 20
        ) {
            self.grace = grace
            self.repackBelow = repackBelow
            self.sessionAge = sessionAge
            self.isDryRun = isDryRun
            self.memory = memory
        }
    }

    private let vault: VaultHandle
    private let options: Options

    package init(_ vault: VaultHandle, options: Options = Options()) {
        self.vault = vault
        self.options = options
    }

    /// Goes through the steps that are due. Whatever it throws, the vault is whole and the next run goes on.
    package func run() async throws(VaultError) -> CollectionReport {
        let run = CollectionRun(vault, options)
        do throws(VaultError) {
            try await run.run()
        } catch {
            await run.abandon()
            throw error
        }
        return run.report
    }
}
