import Digests
import Manifests
import ObjectStores
import ReplicationModel

/// Finds out whether two objects that the ledger does not vouch for are the same: checksums that the stores report, then the
/// provenance mark of an earlier copy, then (for `--checksum`) the bytes of both sides.
struct ContentComparison {
    enum Outcome {
        /// The same bytes and attributes; what is known goes into the ledger.
        case same(EvidenceLevel, Known)
        case different
        /// Nothing to compare by.
        case unknown
    }

    /// What the comparison has learned of the target's object.
    struct Known {
        var checksums: ObjectChecksums
        /// Without this program's own marks.
        var attributes: ObjectAttributes
    }

    let context: RunContext

    /// Both versions are pinned to what the listings showed; a version that has moved on counts as different.
    /// - Parameter row: what the ledger says of the key, and does not vouch for.
    func compare(source: ListedObject, target: ListedObject, row: LedgerRow?) async throws -> Outcome {
        guard source.size == target.size else { return .different }
        if source.checksums.agrees(with: target.checksums) == false { return .different }
        let (here, there) = try await heads(source.key)
        guard let here else { throw TransferFailure(.source, .store(.notFound), "\(source.key) is gone") }
        guard let there, here.object.version == source.version, there.object.version == target.version else {
            return .different
        }
        guard sameAttributes(here.attributes, there.attributes) else { return .different }
        let known = Known(
            checksums: there.object.checksums.merging(here.object.checksums),
            attributes: Provenance.strip(there.attributes))
        switch here.object.checksums.agrees(with: there.object.checksums) {
        case false: return .different
        case true: return .same(.reported, known)
        default: break
        }
        if context.options.comparison == .checksum {
            return try await compareByReading(source, target, known.attributes)
        }
        let mark = Provenance.fingerprint(store: context.source.name, key: source.key, version: source.version)
        guard there.attributes.userMetadata[Provenance.sourceName] == mark else { return .unknown }
        // A mark says which copy this was. It vouches for the bytes only where the store had checked them, where nobody can change
        // bytes under a mark, and where the ledger has never seen another version.
        let capabilities = context.target.capabilities
        if row == nil, capabilities.reportsChecksums, capabilities.attributesFollowBytes {
            return .same(.recorded, known)
        }
        return try await compareByReading(source, target, known.attributes)
    }

    /// Whether the target holds exactly the bytes that an earlier run announced in the ledger before it wrote them.
    func holds(_ row: LedgerRow, at target: ListedObject) async throws -> Bool {
        guard row.evidence == .none, row.size == target.size else { return false }
        let there = try await context.transfers.withPermit { try await head(target.key, context.target, .target) }
        guard let there, there.object.version == target.version else { return false }
        if let same = row.checksums.agrees(with: there.object.checksums) { return same }
        let found = try await ContentReader(context: context, store: context.target, side: .target)
            .digest(of: target.key, size: target.size, version: target.version)
        return row.checksums.agrees(with: ObjectChecksums(crc32c: found.crc32c, crc64nvme: found.crc64nvme)) == true
    }

    private func heads(_ key: ObjectKey) async throws -> (ObjectDescription?, ObjectDescription?) {
        try await context.transfers.withPermit {
            async let here = head(key, context.source, .source)
            async let there = head(key, context.target, .target)
            return try await (here, there)
        }
    }

    private func head(_ key: ObjectKey, _ store: any ObjectStore, _ side: TransferFailure.Side) async throws
        -> ObjectDescription?
    {
        do throws(StoreError) {
            return try await store.head(key)
        } catch {
            if error.code == .notFound { return nil }
            throw TransferFailure(side, error)
        }
    }

    private func sameAttributes(_ source: ObjectAttributes, _ target: ObjectAttributes) -> Bool {
        let wanted = context.target.rules.fit(Provenance.strip(source)).kept
        return wanted.sameForReaders(as: Provenance.strip(target))
    }

    private func compareByReading(
        _ source: ListedObject, _ target: ListedObject, _ attributes: ObjectAttributes
    ) async throws -> Outcome {
        async let here = ContentReader(context: context, store: context.source, side: .source)
            .digest(of: source.key, size: source.size, version: source.version)
        async let there = ContentReader(context: context, store: context.target, side: .target)
            .digest(of: target.key, size: target.size, version: target.version)
        let (a, b) = try await (here, there)
        guard a == b else { return .different }
        return .same(
            .reread,
            Known(checksums: ObjectChecksums(crc32c: a.crc32c, crc64nvme: a.crc64nvme), attributes: attributes))
    }
}

extension ObjectChecksums {
    /// These and what only `other` knows.
    func merging(_ other: ObjectChecksums) -> ObjectChecksums {
        ObjectChecksums(
            crc32c: crc32c ?? other.crc32c, crc64nvme: crc64nvme ?? other.crc64nvme, md5: md5 ?? other.md5,
            blake3: blake3 ?? other.blake3)
    }
}

extension ObjectAttributes {
    /// Equal as a reader sees them: no content type is what stores serve as `application/octet-stream`.
    func sameForReaders(as other: ObjectAttributes) -> Bool {
        var a = self
        var b = other
        let fallbacks: Set<String?> = [nil, "application/octet-stream", "binary/octet-stream", ""]
        if fallbacks.contains(a.contentType), fallbacks.contains(b.contentType) {
            a.contentType = nil
            b.contentType = nil
        }
        return a == b
    }
}
