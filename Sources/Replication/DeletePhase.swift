import Manifests
import ObjectStores
import ReplicationModel

/// Deletes at the target what the source no longer has, after the whole run has proven that it may.
struct DeletePhase {
    static let page = 256
    /// Candidates that are looked at and backed up at the same time.
    static let parallel = 16

    let context: RunContext
    let ledger: any Ledger
    let limit: ReplicationOptions.DeleteLimit
    /// nil: deleted for good.
    let backupPrefix: ObjectKey?

    /// Throws `.refused` before anything is deleted.
    func guardLimits() throws {
        let counts = context.progress.counts
        guard counts.deleteCandidates > 0 else { return }
        guard counts.sourceObjects > 0 else {
            throw refused(
                "the source lists no object at all, and --delete would remove \(counted(counts.deleteCandidates, "object")) at the target; "
                    + "check the source's location, or delete the target's objects by other means")
        }
        let percent = 100 * Double(counts.deleteCandidates) / Double(max(counts.targetObjects, 1))
        if counts.deleteCandidates > limit.count {
            throw refused(
                "\(counted(counts.deleteCandidates, "object")) would be deleted, the limit is \(limit.count); "
                    + "look at --dry-run and raise --max-delete if that is right")
        }
        if counts.deleteCandidates > limit.percentFloor, percent > limit.percent {
            throw refused(
                "\(counts.deleteCandidates) of \(counted(counts.targetObjects, "object")) would be deleted, the limit is "
                    + "\(limit.percent)%; look at --dry-run and raise --max-delete if that is right")
        }
    }

    /// Pointers go first, so that no reader finds one whose set is being deleted; sets that were held back stay whole.
    func run() async throws {
        guard let pointers = context.pointers else { return try await eachPage { try await delete($0) } }
        try await deletePointers(pointers)
        var heldBack = 0
        try await eachPage { candidates in
            let rest = candidates.filter { !pointers.sets.isPointer($0.key) }
            let free = rest.filter { !pointers.isHeldBack($0.key) }
            heldBack += rest.count - free.count
            try await delete(free)
        }
        guard heldBack > 0 else { return }
        context.observer.handle(
            .notice(
                "\(heldBack) deletions are held back, because pointers of their sets are; the run that writes those does them"
            ))
    }

    private func eachPage(_ body: ([DeleteCandidate]) async throws -> Void) async throws {
        var after: ObjectKey?
        while true {
            let candidates = try await ledger.deleteCandidates(after: after, limit: Self.page)
            guard let last = candidates.last else { return }
            after = last.key
            try await body(candidates)
        }
    }

    /// Pointers that the source no longer has, in the opposite order of their writing. A pointer that stays keeps its set.
    private func deletePointers(_ pointers: PointerRun) async throws {
        var ranked: [ArtifactSets.Rank: [DeleteCandidate]] = [:]
        for candidate in pointers.deleteCandidates {
            guard let rank = pointers.sets.rank(of: candidate.key) else { continue }
            ranked[rank, default: []].append(candidate)
        }
        for rank in ranked.keys.sorted().reversed() {
            var rest = (ranked[rank] ?? [])[...]
            while !rest.isEmpty {
                let candidates = rest.prefix(Self.page).filter { !pointers.isHeldBack($0.key) }
                rest = rest.dropFirst(Self.page)
                let deleted = try await delete(candidates)
                for candidate in candidates where !deleted.contains(candidate.key) {
                    pointers.holdBack(pointers.sets.prefix(of: candidate.key))
                }
            }
        }
    }

    /// Returns the keys that are gone now.
    @discardableResult
    private func delete(_ candidates: [DeleteCandidate]) async throws -> Set<ObjectKey> {
        let ready = await prepare(candidates)
        try Task.checkCancellation()
        return try await delete(ready)
    }

    private struct Ready {
        var candidate: DeleteCandidate
        var backup: ObjectKey?
    }

    /// Those that may be deleted now; the others are named.
    private func prepare(_ candidates: [DeleteCandidate]) async -> [Ready] {
        await withTaskGroup(of: Ready?.self) { group in
            var ready: [Ready] = []
            for (index, candidate) in candidates.enumerated() {
                if index >= Self.parallel, let done = await group.next() ?? nil { ready.append(done) }
                group.addTask {
                    do {
                        return try await prepare(candidate)
                    } catch {
                        if !Task.isCancelled { fail(candidate, TransferFailure(error, side: .target)) }
                        return nil
                    }
                }
            }
            for await done in group { if let done { ready.append(done) } }
            return ready
        }
    }

    /// nil when the source has the object after all: a listing alone proves nothing.
    private func prepare(_ candidate: DeleteCandidate) async throws -> Ready? {
        guard try await isGone(candidate.key) else {
            context.progress.update { $0.skippedObjects += 1 }
            context.observer.handle(.skipped(candidate.key, .deletionHeldBack))
            return nil
        }
        guard let backupPrefix else { return Ready(candidate: candidate, backup: nil) }
        let backup = backupPrefix + candidate.key
        try await TargetCopy(context: context).copy(candidate, to: backup)
        return Ready(candidate: candidate, backup: backup)
    }

    private func isGone(_ key: ObjectKey) async throws -> Bool {
        // A key that the source cannot hold is not there.
        if context.source.rules.problem(with: key) != nil { return true }
        do throws(StoreError) {
            _ = try await context.source.head(key)
            return false
        } catch {
            guard error.code == .notFound else { throw TransferFailure(.source, error) }
            return true
        }
    }

    private func delete(_ ready: [Ready]) async throws -> Set<ObjectKey> {
        var deleted: Set<ObjectKey> = []
        var rest = ready[...]
        while !rest.isEmpty {
            let batch = rest.prefix(context.target.capabilities.deleteBatch)
            rest = rest.dropFirst(batch.count)
            let results = await context.target.delete(
                batch.map { DeleteRequest(key: $0.candidate.key, version: $0.candidate.targetVersion) })
            for (item, result) in zip(batch, results) {
                switch result {
                case .success:
                    deleted.insert(item.candidate.key)
                    try await context.ledger.record(.forget(item.candidate.key))
                    context.progress.update {
                        $0.deletedObjects += 1
                        $0.deletedBytes += item.candidate.size
                    }
                    context.observer.handle(
                        .deleted(item.candidate.key, size: item.candidate.size, backup: item.backup))
                case .failure(let error):
                    try Task.checkCancellation()
                    if error.code == .preconditionFailed {
                        context.progress.update {
                            $0.skippedObjects += 1
                            $0.conflicts += 1
                        }
                        context.observer.handle(.skipped(item.candidate.key, .conflict))
                    } else {
                        fail(item.candidate, TransferFailure(.target, error))
                    }
                }
            }
        }
        return deleted
    }

    private func fail(_ candidate: DeleteCandidate, _ failure: TransferFailure) {
        context.progress.update { $0.failedObjects += 1 }
        context.observer.handle(.failed(candidate.key, failure))
    }

    private func refused(_ message: String) -> TransferFailure {
        TransferFailure(.engine, .refused, message)
    }
}
