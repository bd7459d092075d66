package import Cryptography
import ReplicationModel

/// Proves that a manifest is what was published: every bit of every page and head, their order, and that nothing newer was taken away.
package struct ManifestVerifier: Sendable {
    /// A manifest whose heads and pages all hold together.
    package struct Verified: Sendable {
        package var file: HeadFile
        /// Heads that are there; older ones were pruned.
        package var heads: Int
        /// Whether the newest head is signed by a trusted key, and so everything that it leads to.
        package var isTrusted: Bool
        /// The newest head: what to remember for the next time.
        package var newest: PublishedHeadAnchor

        package var head: PublishedHead { file.head }
    }

    private let folder: ManifestFolder
    private let trusted: [Ed25519PublicKey]
    private let anchor: PublishedHeadAnchor?

    /// - Parameters:
    ///   - trusted: keys of which one must have signed; empty when nobody knows, which the result then says.
    ///   - anchor: the newest head that was seen before.
    package init(_ folder: ManifestFolder, trusted: [Ed25519PublicKey], anchor: PublishedHeadAnchor?) {
        self.folder = folder
        self.trusted = trusted
        self.anchor = anchor
    }

    /// Verifies the chain of heads and all pages of one of them.
    /// - Parameter sequence: nil for the newest.
    @concurrent
    package func verify(sequence: Int64? = nil) async throws -> Verified {
        let verified = try await verifyHeads(sequence: sequence)
        try await verifyPages(of: verified.head)
        return verified
    }

    /// Verifies the chain of heads alone: signatures, order, what each says of the one before, and the anchor.
    @concurrent
    package func verifyHeads(sequence: Int64? = nil) async throws -> Verified {
        let heads = try await folder.heads()
        guard let last = heads.last else {
            if let anchor { throw rolledBack("there is no manifest any more, but head \(anchor.sequence) was seen") }
            throw ManifestError(.noManifest, "there is no manifest in \(folder.name)")
        }
        var chosen: HeadFile?
        var before: PublishedHeadAnchor?
        var newestKey: Ed25519PublicKey?
        for listed in heads {
            try Task.checkCancellation()
            let file = try await folder.head(listed)
            let here = file.anchor
            if let before {
                guard before.sequence + 1 == here.sequence else {
                    throw ManifestError(
                        .missingHead,
                        "head \(before.sequence + 1) is missing: there are \(before.sequence) and \(here.sequence)")
                }
                guard file.head.previous == before.digest else {
                    throw ManifestError(
                        .brokenChain,
                        "head \(here.sequence) was published after another head \(before.sequence) than the one that is there"
                    )
                }
            }
            if let anchor, anchor.sequence == here.sequence, anchor.digest != here.digest {
                throw ManifestError(
                    .replacedHead, "head \(here.sequence) is not the one that was seen before under this number")
            }
            if listed.sequence == sequence ?? last.sequence { chosen = file }
            before = here
            newestKey = file.head.publicKey
        }
        guard let newest = before, let newestKey else { preconditionFailure("there is at least one head") }
        if let anchor, newest.sequence < anchor.sequence {
            throw rolledBack("the newest head is \(newest.sequence), but \(anchor.sequence) was seen")
        }
        let isTrusted = trusted.contains(newestKey)
        guard isTrusted || trusted.isEmpty else {
            throw ManifestError(
                .wrongSigner,
                "head \(newest.sequence) is signed by the key \(newestKey.id), not by \(trusted.map(\.id).joined(separator: ", "))"
            )
        }
        guard let chosen else {
            throw ManifestError(
                .noManifest,
                "there is no head \(sequence ?? 0) in \(folder.name): it holds \(heads[0].sequence) to \(last.sequence)"
            )
        }
        return Verified(file: chosen, heads: heads.count, isTrusted: isTrusted, newest: newest)
    }

    private func verifyPages(of head: PublishedHead) async throws {
        var totals = ManifestTotals()
        var pages = PublishedRows(head, in: folder)
        while let rows = try await pages.nextPage() {
            try Task.checkCancellation()
            for row in rows where !totals.add(size: row.size, evidence: row.evidence.rawValue) {
                throw ManifestError(.damagedHead, "the objects of head \(head.sequence) have more than 2^63 bytes")
            }
        }
        guard totals == head.totals else {
            throw ManifestError(.damagedHead, "head \(head.sequence): its counts are not those of its rows")
        }
    }

    private func rolledBack(_ what: String) -> ManifestError {
        ManifestError(.rolledBack, "\(folder.name): \(what): an old copy was put back, or files were deleted")
    }
}
