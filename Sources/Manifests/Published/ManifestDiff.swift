import ReplicationModel

/// One key that two manifests do not agree on.
package enum ManifestDifference: Sendable, Hashable {
    case added(LedgerRow)
    case removed(LedgerRow)
    /// `fields` names what differs as the rows name it.
    case changed(before: LedgerRow, after: LedgerRow, fields: [String])
}

/// Compares two manifests key by key. Pages that both list are not read.
package struct ManifestDiff {
    private var before: Side
    private var after: Side

    package init(_ before: PublishedRows, _ after: PublishedRows) {
        self.before = Side(pages: before)
        self.after = Side(pages: after)
    }

    /// The next difference in key order; nil at the end.
    package mutating func next() async throws -> ManifestDifference? {
        while true {
            while before.isBetweenPages, after.isBetweenPages, let page = before.pages.upcoming,
                page == after.pages.upcoming
            {
                before.pages.skipPage()
                after.pages.skipPage()
            }
            let old = try await before.row()
            let new = try await after.row()
            switch (old, new) {
            case (nil, nil): return nil
            case (let old?, nil): return .removed(before.consume(old))
            case (nil, let new?): return .added(after.consume(new))
            case (let old?, let new?) where old.key < new.key: return .removed(before.consume(old))
            case (let old?, let new?) where new.key < old.key: return .added(after.consume(new))
            case (let old?, let new?):
                let fields = Self.fields(before.consume(old), after.consume(new))
                if !fields.isEmpty { return .changed(before: old, after: new, fields: fields) }
            }
            try Task.checkCancellation()
        }
    }

    private struct Side {
        var pages: PublishedRows
        private var rows: [LedgerRow] = []
        private var position = 0

        init(pages: PublishedRows) {
            self.pages = pages
        }

        var isBetweenPages: Bool { position == rows.count }

        mutating func row() async throws -> LedgerRow? {
            if isBetweenPages {
                guard let page = try await pages.nextPage() else { return nil }
                rows = page
                position = 0
            }
            return rows[position]
        }

        mutating func consume(_ row: LedgerRow) -> LedgerRow {
            position += 1
            return row
        }
    }

    private static func fields(_ a: LedgerRow, _ b: LedgerRow) -> [String] {
        let differs: [(String, Bool)] = [
            ("size", a.size != b.size), ("source_version", a.sourceVersion != b.sourceVersion),
            ("target_version", a.targetVersion != b.targetVersion),
            ("source_modified", a.sourceModified != b.sourceModified), ("evidence", a.evidence != b.evidence),
            ("verified_at", a.verifiedAt != b.verifiedAt), ("crc32c", a.checksums.crc32c != b.checksums.crc32c),
            ("crc64nvme", a.checksums.crc64nvme != b.checksums.crc64nvme), ("md5", a.checksums.md5 != b.checksums.md5),
            ("blake3", a.blake3 != b.blake3), ("attributes", a.attributes != b.attributes),
        ]
        return differs.filter(\.1).map(\.0)
    }
}
