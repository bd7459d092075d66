import Manifests
import ObjectStores
import ReplicationModel

/// The work on one key that needs requests: compare if that is asked, copy if it must be, and name what fails.
struct ObjectWork {
    let context: RunContext
    let decision: SyncDecision
    let joined: JoinedKey
    /// Whether only the version listed may be copied: then a source that has moved on is the caller's to settle.
    var isPinned = false

    /// How it ended. What was left undone has been named to the observer.
    enum Outcome {
        /// The target has what the source has; or the source has the object no longer.
        case settled
        /// Why the target does not have it, to follow the key in a sentence.
        case undone(String)
        /// Only where it is pinned: the source has another version by now, or none, and nothing was written.
        case moved
    }

    /// Throws only what ends the run; a failure of this object alone goes to the observer.
    @discardableResult
    func run() async throws -> Outcome {
        do {
            try await decide()
            if context.failures.earlier.contains(joined.key), !context.options.dryRun {
                try await context.ledger.record(.recovered(joined.key))
            }
            return .settled
        } catch {
            let failure = TransferFailure(error)
            if Task.isCancelled {
                if let size = decision.transferSize(joined) { context.progress.addLeft(size) }
                throw CancellationError()
            }
            if isPinned, failure.side == .source, failure.meansMoved { return .moved }
            context.failures.failedAgain(joined.key)
            switch failure.code {
            case .conflict:
                context.progress.update {
                    $0.skippedObjects += 1
                    $0.conflicts += 1
                }
                context.observer.handle(.skipped(joined.key, .conflict))
                return .undone("was changed by somebody else")
            case .store(.notFound) where failure.side == .source:
                context.progress.update { $0.vanishedObjects += 1 }
                context.observer.handle(.skipped(joined.key, .vanished))
                return .settled
            case .store(.archived):
                context.progress.update { $0.skippedObjects += 1 }
                context.observer.handle(.skipped(joined.key, .archived("archived")))
                return .undone("is archived")
            default:
                context.progress.update { $0.failedObjects += 1 }
                context.observer.handle(.failed(joined.key, failure))
                if !context.options.dryRun, failure.side != .ledger {
                    try await context.ledger.record(
                        .failed(joined.key, message: failure.description, at: context.time.nowSeconds()))
                }
                if failure.endsRun { throw failure }
                return .undone("failed")
            }
        }
    }

    private func decide() async throws {
        switch (decision, joined.source, joined.target) {
        case (.copy(let reason, let condition), let source?, _): try await copy(source, reason, condition, joined.row)
        case (.compare, let source?, let target?): try await settle(source, target, otherwise: .differs)
        case (.settleConflict, let source?, let target?): try await settle(source, target, otherwise: .conflict)
        case (.settleDeletion, _, let target?): try await settleDeletion(target)
        default: break
        }
    }

    /// Only the target has it: deleted with the rest if it is what this program wrote, else somebody else's.
    private func settleDeletion(_ target: ListedObject) async throws {
        guard try await isOwn(target) else { throw changedByOthers }
        let candidate = DeleteCandidate(key: target.key, targetVersion: target.version, size: target.size)
        try context.pointers?.noteVanished(candidate)
        try await context.hold([candidate])
    }

    private func isOwn(_ target: ListedObject) async throws -> Bool {
        guard let row = joined.row else { return false }
        return try await ContentComparison(context: context).holds(row, at: target)
    }

    private var changedByOthers: TransferFailure {
        TransferFailure(
            .target, .conflict, "\(joined.key) was changed at the target since the last run; it was left as it is")
    }

    /// What the target cannot read any more is not equal, and is written again.
    private func compare(_ source: ListedObject, _ target: ListedObject) async throws -> ContentComparison.Outcome {
        do {
            return try await ContentComparison(context: context)
                .compare(source: source, target: target, row: joined.row)
        } catch let failure as TransferFailure where failure.side == .target && failure.code == .store(.damaged) {
            return .different
        }
    }

    /// Adopts what is already equal; else copies over it, unless it is somebody else's work and those are kept.
    private func settle(_ source: ListedObject, _ target: ListedObject, otherwise reason: CopyReason) async throws {
        if case .same(let evidence, let known) = try await compare(source, target) {
            return try await adopt(source, target, evidence, known)
        }
        var row = joined.row
        if reason == .conflict {
            if try await isOwn(target) {
                row?.targetVersion = target.version
            } else if context.options.onConflict == .keep {
                throw changedByOthers
            }
        }
        try await copy(source, reason, .matches(target.version), row)
    }

    private func adopt(
        _ source: ListedObject, _ target: ListedObject, _ evidence: EvidenceLevel,
        _ known: ContentComparison.Known
    ) async throws {
        if !context.options.dryRun {
            try await context.ledger.record(
                .record(
                    LedgerRow(
                        key: source.key, sourceVersion: source.version, sourceModified: source.modified,
                        targetVersion: target.version, size: source.size, checksums: known.checksums,
                        evidence: evidence, verifiedAt: context.time.nowSeconds(),
                        attributes: EncodedAttributes(known.attributes))))
        }
        context.progress.update {
            $0.adoptedObjects += 1
            $0.adoptedBytes += source.size
        }
        context.observer.handle(.adopted(source.key, size: source.size, evidence: evidence))
    }

    /// - Parameter row: what the ledger says of the key, with the target's version where that turned out to be this program's own.
    private func copy(
        _ source: ListedObject, _ reason: CopyReason, _ condition: WriteCondition, _ row: LedgerRow?
    ) async throws {
        context.progress.update {
            $0.plannedObjects += 1
            $0.plannedBytes.addSize(source.size)
        }
        if context.options.dryRun {
            context.observer.handle(.wouldCopy(source.key, size: source.size, reason: reason))
            return
        }
        let transfer = ObjectTransfer(
            context: context, condition: condition, reason: reason, row: row, isPinned: isPinned)
        try await transfer.run(source)
    }
}
