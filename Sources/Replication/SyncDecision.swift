import Manifests
import ObjectStores
import ReplicationModel

/// What a run does about one key. A pure function of what the listings, the ledger and the options say.
enum SyncDecision: Hashable {
    /// Both versions are those that the ledger proved equal.
    case unchanged
    case copy(CopyReason, WriteCondition)
    /// Both sides have it and the ledger does not vouch for it: ask the stores.
    case compare
    /// Somebody changed the target's object after the ledger recorded it: ask the stores, then the policy.
    case settleConflict
    case skip(SkipReason)
    /// Only the target has it.
    case deleteCandidate
    /// Only the target has it, but somebody changed it after the ledger recorded it.
    case keepForeign
    /// The same, but it may be this program's own work of a run that ended too early to say so: ask the target.
    case settleDeletion
    /// Only the target has it, and deleting is off.
    case ignore
    /// Neither side has it: the ledger forgets it.
    case forget
}

struct SyncPlanner {
    let options: ReplicationOptions
    let sourceVersionCoversAttributes: Bool
    let target: StoreCapabilities
    let targetRules: any ObjectRules

    init(options: ReplicationOptions, source: any ObjectStore, target: any ObjectStore) {
        self.options = options
        sourceVersionCoversAttributes = source.capabilities.versionCoversAttributes
        self.target = target.capabilities
        targetRules = target.rules
    }

    func decide(_ joined: borrowing JoinedKey) -> SyncDecision {
        guard let source = joined.source else {
            guard let target = joined.target else { return .forget }
            guard options.deletion != .off else { return .ignore }
            if let row = joined.row, row.targetVersion != target.version {
                return row.evidence == .none ? .settleDeletion : .keepForeign
            }
            return .deleteCandidate
        }
        if options.replaced.contains(joined.key) {
            return readable(source) ?? .copy(.differs, joined.target.map { .matches($0.version) } ?? .absent)
        }
        if let target = joined.target, options.comparison == .sizeOnly, source.size == target.size {
            return .unchanged
        }
        guard let target = joined.target else {
            return readable(source) ?? .copy(joined.row == nil ? .new : .missing, .absent)
        }
        guard let row = joined.row else {
            if source.size != target.size { return readable(source) ?? .copy(.differs, .matches(target.version)) }
            return .compare
        }
        guard row.targetVersion == target.version else { return .settleConflict }
        guard isRecorded(source, in: row) else { return readable(source) ?? .copy(.changed, .matches(target.version)) }
        return options.comparison == .checksum ? .compare : .unchanged
    }

    private func isRecorded(_ source: ListedObject, in row: LedgerRow) -> Bool {
        row.evidence > .none && row.sourceVersion == source.version && row.size == source.size
            && (sourceVersionCoversAttributes || row.sourceModified == source.modified)
    }

    /// Why the source object cannot be copied, as a decision; nil when it can.
    private func readable(_ source: ListedObject) -> SyncDecision? {
        if let tier = source.archiveTier { return .skip(.archived(tier)) }
        if let problem = targetRules.problem(with: source.key) { return .skip(.invalidKey(problem)) }
        if source.size > target.maxObjectSize { return .skip(.tooLarge(limit: target.maxObjectSize)) }
        return nil
    }
}
