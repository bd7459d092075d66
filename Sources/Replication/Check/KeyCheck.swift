import Digests
import Manifests
import ObjectStores
import ReplicationModel

/// Asks both stores about one key until it is known whether they hold the same, or why that cannot be known.
struct KeyCheck {
    let context: CheckContext
    let joined: JoinedKey

    private var asked: EvidenceLevel { context.planner.asked(of: joined.key) }

    /// Throws only what would fail every other key too.
    func run() async throws -> CheckFinding {
        var pair = ObservedPair(joined, isListed: context.options.keys == nil)
        for _ in 0..<context.options.maxRounds {
            do {
                let (verdict, detail) = try await look(&pair)
                return pair.finding(verdict, detail)
            } catch {
                let failure = TransferFailure(error)
                if Task.isCancelled { throw CancellationError() }
                if failure.endsRun { throw failure }
                // The pinned version is gone: both sides are looked at again.
                if failure.startsAgain { pair.isStale = true } else { return pair.unproven(by: failure) }
            }
        }
        return pair.finding(
            .unproven(.changing), "it was replaced \(context.options.maxRounds) times while it was looked at")
    }

    private func look(_ pair: inout ObservedPair) async throws -> (KeyVerdict, String) {
        var attributesDiffer = false
        if !isVouched(pair) {
            attributesDiffer = try await headBoth(&pair)
        }
        guard let source = pair.source else {
            guard pair.target == nil else { return (.onlyInTarget, pair.listingFault) }
            return context.options.keys == nil ? (.gone, "") : (.unproven(.missing), "neither side has it")
        }
        guard let target = pair.target else {
            return (.onlyInSource, context.target.rules.problem(with: source.key) ?? pair.listingFault)
        }
        guard source.size == target.size else {
            return (.differs(.size), "\(source.size) bytes at the source, \(target.size) at the target")
        }
        let found = try await content(source, target, pair)
        if case .same = found.0, attributesDiffer {
            return (.differs(.attributes), "the bytes are the same, the attributes are not")
        }
        if case .unproven = found.0, attributesDiffer { return (.differs(.attributes), found.1) }
        return (found.0, found.1.isEmpty ? pair.listingFault : found.1)
    }

    private func isVouched(_ pair: ObservedPair) -> Bool {
        guard !pair.isStale, let source = pair.source, let target = pair.target, let row = pair.row else {
            return false
        }
        return context.planner.vouches(row, for: source, target, asked: asked)
    }

    // MARK: Looking at both

    /// Takes what both stores show now for what is there. Returns whether the attributes differ.
    private func headBoth(_ pair: inout ObservedPair) async throws -> Bool {
        let (here, there) = try await heads(pair)
        let isOther = here?.object.version != pair.source?.version || there?.object.version != pair.target?.version
        if pair.isStale || isOther, let ledger = context.ledger, context.source != nil {
            pair.row = try await ledger.row(for: pair.key)
        }
        pair.see(source: here?.object, target: there?.object)
        guard context.options.comparesAttributes, context.source != nil, let here, let there else { return false }
        let wanted = context.target.rules.fit(Provenance.strip(here.attributes)).kept
        return !wanted.sameForReaders(as: Provenance.strip(there.attributes))
    }

    private func heads(_ pair: ObservedPair) async throws -> (ObjectDescription?, ObjectDescription?) {
        let key = pair.key
        guard let store = context.source else {
            let there = try await context.head(key, context.target, .target)
            return (pair.source.map { ObjectDescription(object: $0, attributes: ObjectAttributes()) }, there)
        }
        async let here = context.head(key, store, .source)
        async let there = context.head(key, context.target, .target)
        return try await (here, there)
    }

    // MARK: Comparing bytes

    private func content(
        _ source: ListedObject, _ target: ListedObject, _ pair: ObservedPair
    ) async throws -> (KeyVerdict, String) {
        // The ledger may have been written by a run that went on meanwhile.
        if asked <= .recorded, isVouched(pair) { return (.same(.recorded), "") }
        if asked >= .reread { return try await compareByReading(source, target, pair) }
        var here = source.checksums
        let recorded = recordedChecksums(of: source, pair.row)
        // A source that reports something else than what was recorded of this version is believed.
        if here.agrees(with: recorded) != false { here = here.merging(recorded) }
        var there = target.checksums
        // A side that tells one CRC tells no other when it is asked again.
        if here.agrees(with: there) == nil, !there.hasCRC {
            there = there.merging(try await reported(of: target, context.target, .target))
        }
        if here.agrees(with: there) == nil, !here.hasCRC, let store = context.source {
            here = here.merging(try await reported(of: source, store, .source))
        }
        switch here.comparison(with: there) {
        case .equal: return (.same(.reported), "")
        case .different: return (.differs(.content), "the checksums that the stores report differ")
        case .contradictory, .nothing: break
        }
        guard context.options.mayRead else {
            return (.unproven(.nothingToCompare), "no checksum in common, and --no-read is given")
        }
        return try await compareByReading(source, target, pair, knownSource: here, knownTarget: there)
    }

    /// Digests of this very source version that a run computed or compared. A row that was adopted by its fingerprint holds what the
    /// target said, which is no evidence for the source.
    private func recordedChecksums(of source: ListedObject, _ row: LedgerRow?) -> ObjectChecksums {
        guard let row, row.evidence >= .reported, row.sourceVersion == source.version, row.size == source.size else {
            return ObjectChecksums()
        }
        return row.checksums
    }

    private func compareByReading(
        _ source: ListedObject, _ target: ListedObject, _ pair: ObservedPair,
        knownSource: ObjectChecksums = ObjectChecksums(), knownTarget: ObjectChecksums = ObjectChecksums()
    ) async throws -> (KeyVerdict, String) {
        let readsBoth = asked >= .reread || knownSource.comparison(with: knownTarget) == .contradictory
        guard let store = context.source else {
            return try await compareWithRow(source, target, pair.row)
        }
        if !readsBoth, knownSource.hasCRC {
            let there = try await context.digest(of: target, context.target, .target)
            return Self.verdict(knownSource.agrees(with: ObjectChecksums(there)), .reported)
        }
        if !readsBoth, knownTarget.hasCRC {
            let here = try await context.digest(of: source, store, .source)
            return Self.verdict(knownTarget.agrees(with: ObjectChecksums(here)), .reported)
        }
        async let here = context.digest(of: source, store, .source)
        async let there = context.digest(of: target, context.target, .target)
        let (a, b) = try await (here, there)
        return Self.verdict(a == b, .reread)
    }

    /// The source cannot be asked: the target's bytes against what was recorded of them.
    private func compareWithRow(
        _ source: ListedObject, _ target: ListedObject, _ row: LedgerRow?
    ) async throws -> (KeyVerdict, String) {
        let known = recordedChecksums(of: source, row)
        guard known.hasCRC else {
            return (.unproven(.nothingToCompare), "the manifest holds no digest of the source's bytes")
        }
        let there = try await context.digest(of: target, context.target, .target)
        return Self.verdict(known.agrees(with: ObjectChecksums(there)), .reread)
    }

    private static func verdict(_ same: Bool?, _ level: EvidenceLevel) -> (KeyVerdict, String) {
        same == true ? (.same(level), "") : (.differs(.content), "the bytes differ")
    }

    private func reported(
        of object: ListedObject, _ store: any ObjectStore, _ side: TransferFailure.Side
    ) async throws -> ObjectChecksums {
        try await context.requests.withPermit {
            do throws(StoreError) {
                return try await store.checksums(of: object.key, version: object.version, size: object.size)
            } catch {
                throw TransferFailure(side, error)
            }
        }
    }
}
