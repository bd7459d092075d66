import Digests
import ReplicationModel

/// Fills an empty ledger from a published manifest: what a lost database is rebuilt with.
package struct ManifestImport: Sendable {
    package struct Counts: Sendable, Hashable {
        package var rows = 0
        package var bytes: Int64 = 0
    }

    private static let batch = 512
    /// Names the head that an import has begun with, so that it can be continued after an interruption.
    private static let note = "manifest.import"

    private let folder: ManifestFolder
    private let verified: ManifestVerifier.Verified

    /// - Precondition: the manifest has been verified as a whole under a trusted key, so that no row enters a ledger before all are proven.
    package init(_ verified: ManifestVerifier.Verified, from folder: ManifestFolder) {
        precondition(verified.isTrusted, "a ledger is rebuilt from a manifest of a known signer only")
        self.folder = folder
        self.verified = verified
    }

    /// Every page is checked once more as it is read. Throws `.notEmpty` when the ledger holds rows of its own.
    ///
    /// Interrupted, it leaves rows that are true, and can be called again with the same head. At its end the ledger remembers the newest
    /// head as published, so that the next run continues the chain.
    @concurrent
    package func rebuild(_ ledger: any Ledger) async throws -> Counts {
        let mark = Hex.encode(verified.file.anchor.digest)
        if try await ledger.count() > 0, try await ledger.note(Self.note) != mark {
            throw ManifestError(
                .notEmpty, "the ledger already holds rows; move its file away to rebuild it from the manifest")
        }
        try await ledger.setNote(Self.note, mark)
        var counts = Counts()
        var pages = PublishedRows(verified.head, in: folder)
        while let rows = try await pages.nextPage() {
            var rest = rows[...]
            while !rest.isEmpty {
                try Task.checkCancellation()
                try await ledger.apply(rest.prefix(Self.batch).map { .record($0) })
                rest = rest.dropFirst(Self.batch)
            }
            counts.rows += rows.count
            counts.bytes += rows.reduce(0) { $0 + $1.size }
        }
        // An older head was imported by choice: what is published next differs from the newest.
        let isNewest = verified.newest == verified.file.anchor
        try await PublishedState(anchor: verified.newest, revision: isNewest ? try await ledger.revision() : -1)
            .save(in: ledger)
        try await ledger.setNote(Self.note, nil)
        return counts
    }
}
