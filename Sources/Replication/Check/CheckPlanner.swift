import Manifests
import ObjectStores
import ReplicationModel

/// What listings and ledger alone say of a key. A pure function.
struct CheckPlanner {
    enum Step: Hashable {
        case settled(KeyVerdict)
        /// The stores must be asked.
        case look
    }

    let options: CheckOptions
    /// The level asked for.
    let evidence: EvidenceLevel
    let sourceVersionCoversAttributes: Bool
    let targetVersionCoversAttributes: Bool

    func isSampled(_ key: ObjectKey) -> Bool { options.sample?.includes(key) ?? true }

    /// The level that a key needs: outside a sample what the ledger says is enough.
    func asked(of key: ObjectKey) -> EvidenceLevel { isSampled(key) ? evidence : .recorded }

    func decide(_ joined: borrowing JoinedKey) -> Step {
        let asked = asked(of: joined.key)
        // A difference that the listings show is confirmed by a look at both: they were not read at the same time.
        guard let source = joined.source, let target = joined.target, source.size == target.size else {
            return .look
        }
        if let row = joined.row, vouches(row, for: source, target, asked: asked) {
            if asked <= .recorded { return .settled(.same(.recorded)) }
            let recorded = row.evidence >= .reported ? row.checksums : ObjectChecksums()
            if asked == .reported, recorded.agrees(with: target.checksums) == true { return .settled(.same(.reported)) }
            return .look
        }
        if !isSampled(joined.key) { return .settled(.unproven(.unsampled)) }
        if asked <= .reported, !options.comparesAttributes, source.checksums.agrees(with: target.checksums) == true {
            return .settled(.same(.reported))
        }
        return .look
    }

    /// Whether the ledger proved exactly these two versions equal, attributes included. A row that was adopted by its fingerprint alone
    /// proves nothing.
    ///
    /// Where a version token does not cover attributes (S3 ETags), the modification time must be the recorded one at the source, and
    /// at the target not after the evidence was obtained; for more than level 1, not even in the same second.
    func vouches(_ row: LedgerRow, for source: ListedObject, _ target: ListedObject, asked: EvidenceLevel) -> Bool {
        let latest = asked <= .recorded ? row.verifiedAt : row.verifiedAt - 1
        return row.evidence >= .reported && row.sourceVersion == source.version && row.targetVersion == target.version
            && row.size == source.size && row.size == target.size
            && (sourceVersionCoversAttributes || row.sourceModified == source.modified)
            && (targetVersionCoversAttributes || target.modified / 1_000_000_000 <= latest)
    }
}
