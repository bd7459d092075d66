import Cryptography
import ObjectStores
import ReplicationModel

/// One run of `GarbageCollector`; of one task.
final class CollectionRun {
    let vault: VaultHandle
    let options: GarbageCollector.Options
    let pages: PageStore
    let packs: PackReader
    let marking: LiveMarking
    var report = CollectionReport()
    /// Fills new packs with what is needed of old ones; there from the first such pack until the commit.
    var mover: ChunkMover?
    /// Whether garbage was looked for.
    var hasLooked = false

    typealias Newest = (root: VaultRoot, hash: String)

    /// A root to commit, and what there is to report once it is the newest.
    struct Step {
        var next: VaultRoot
        var completion: (CollectionRun) throws(VaultError) -> Void = { (_) throws(VaultError) in }
    }

    /// Steps of one run, those included that others' commits made vain.
    private static let maxSteps = 100

    init(_ vault: VaultHandle, _ options: GarbageCollector.Options) {
        self.vault = vault
        self.options = options
        pages = PageStore(store: vault.store, keys: vault.keys)
        packs = PackReader(
            store: vault.store, keys: vault.keys, memory: max(PackReader.smallestMemory, options.memory))
        marking = LiveMarking(vault, pages: pages, packs: packs)
        report.isDryRun = options.isDryRun
    }

    func run() async throws(VaultError) {
        var newest: Newest = try await vault.roots.newest()
        let fence = try await SessionFence(roots: vault.roots).sequence(
            notAfter: vault.time.nowSeconds() - options.sessionAge, newest: newest.root)
        for _ in 0..<Self.maxSteps {
            do throws(VaultError) {
                guard let step = try await nextStep(on: newest, fence: fence) else {
                    report.root = newest.root.sequence
                    report.snapshots = newest.root.snapshots.count
                    report.fence = newest.root.fence
                    return
                }
                newest = try await commit(step, on: newest, fence: fence)
            } catch {
                // Another collector may have removed what only older roots refer to.
                guard error.code == .missing || error.code == .damaged else { throw error }
                let later = try await vault.roots.newest()
                guard later.root.sequence > newest.root.sequence else { throw error }
                newest = later
            }
        }
        throw VaultError(.conflict, "others committed again and again while garbage was collected; run again")
    }

    /// Gives up what is under way.
    func abandon() async {
        await mover?.abandon()
        mover = nil
    }

    /// nil: there is nothing more to do.
    private func nextStep(on newest: Newest, fence: UInt64) async throws(VaultError) -> Step? {
        let collection = newest.root.collection
        if !collection.deleting.isEmpty { return try await finishDeleting(newest) }
        if !collection.condemned.isEmpty, !(options.isDryRun && hasLooked) {
            if isDue(collection) { return try await drop(newest) }
            report.waiting = collection.condemned.count
            report.waitingUntil = collection.condemnedAt + options.grace
        } else if !hasLooked {
            if let step = try await condemn(newest) { return step }
            hasLooked = true
        }
        return try await sweep(newest, fence: fence)
    }

    /// A clock that was wrong when the packs were condemned delays nothing for longer than the grace.
    private func isDue(_ collection: CollectionState) -> Bool {
        let (age, isOutside) = vault.time.nowSeconds().subtractingReportingOverflow(collection.condemnedAt)
        return isOutside || age.magnitude >= options.grace.magnitude
    }

    /// The newest root after the attempt: the step's, or that of whoever came first.
    private func commit(_ step: Step, on newest: Newest, fence: UInt64) async throws(VaultError) -> Newest {
        var next = step.next
        next.fence = max(next.fence, fence)
        guard !options.isDryRun else {
            try step.completion(self)
            return (next, newest.hash)
        }
        switch try await vault.roots.append(next) {
        case .committed(let hash):
            try step.completion(self)
            return (next, hash)
        case .lost(let root, let hash): return (root, hash)
        }
    }
}
