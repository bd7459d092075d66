import Digests
import ReplicationModel

/// Fills a ledger from a published manifest: what a lost database is rebuilt with, and one that was put back from an old copy.
package struct ManifestImport: Sendable {
    package struct Counts: Sendable, Hashable {
        package var rows = 0
        package var bytes: Int64 = 0
    }

    private static let batch = 512

    private let folder: ManifestFolder
    private let verified: ManifestVerifier.Verified

    /// - Precondition: the manifest has been verified as a whole under a trusted key, so that no row enters a ledger before all are proven.
    package init(_ verified: ManifestVerifier.Verified, from folder: ManifestFolder) {
        precondition(verified.isTrusted, "a ledger is rebuilt from a manifest of a known signer only")
        self.folder = folder
        self.verified = verified
    }

    /// Every page is checked once more as it is read. A row that the ledger holds stays when its evidence is as new: what is in it already was
    /// true then and is true now, and a ledger that was put back from an old copy learns what came later.
    ///
    /// Interrupted, it leaves rows that are true, and can be called again. At its end the ledger remembers the newest head as published, so
    /// that the next run continues the chain.
    /// - Returns: what was taken over.
    @concurrent
    package func restore(_ ledger: any Ledger) async throws -> Counts {
        let wasEmpty = try await ledger.count() == 0
        var counts = Counts()
        var pages = PublishedRows(verified.head, in: folder)
        while let rows = try await pages.nextPage() {
            var rest = rows[...]
            while !rest.isEmpty {
                try Task.checkCancellation()
                var wanted: [LedgerRow] = []
                for row in rest.prefix(Self.batch) {
                    if !wasEmpty, let known = try await ledger.row(for: row.key), known.verifiedAt >= row.verifiedAt {
                        continue
                    }
                    wanted.append(row)
                }
                if !wanted.isEmpty { try await ledger.apply(wanted.map { .record($0) }) }
                counts.rows += wanted.count
                counts.bytes += wanted.reduce(0) { $0 + $1.size }
                rest = rest.dropFirst(Self.batch)
            }
        }
        // What is published next differs from the newest head when an older one was imported by choice, or the ledger knows more.
        let isCopy = wasEmpty && verified.newest == verified.file.anchor
        try await PublishedState(anchor: verified.newest, revision: isCopy ? try await ledger.revision() : -1)
            .save(in: ledger)
        return counts
    }
}
