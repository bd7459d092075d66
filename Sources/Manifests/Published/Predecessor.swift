import Cryptography
import ObjectStores

/// Which head a new one follows, and whether it is the one that the ledger expects.
struct Predecessor {
    let folder: ManifestFolder
    let source: String
    let target: String

    /// nil when the new head is the first.
    func find(
        in heads: [(sequence: Int64, object: ListedObject)], remembered: PublishedHeadAnchor?, adopting: Bool
    ) async throws -> HeadFile? {
        guard let last = heads.last else {
            guard let remembered, !adopting else { return nil }
            throw rolledBack("there is no manifest any more, but this pair had published \(remembered.sequence)")
        }
        let newest = try await folder.head(last)
        if !adopting { try await check(newest, heads, remembered) }
        return newest
    }

    private func check(
        _ newest: HeadFile, _ heads: [(sequence: Int64, object: ListedObject)], _ remembered: PublishedHeadAnchor?
    ) async throws {
        let sequence = newest.head.sequence
        if let remembered {
            guard sequence >= remembered.sequence else {
                throw rolledBack("the newest head is \(sequence), but this pair had published \(remembered.sequence)")
            }
            // Later ones are this publisher's own if it died before the ledger could remember them, or those of another machine that
            // runs the same pair: the chain goes on after either, and each head says who signed it.
            if let same = heads.first(where: { $0.sequence == remembered.sequence }) {
                let digest = SHA256.hash(try await folder.headBytes(same.object))
                guard digest == remembered.digest else {
                    throw foreign("the head \(remembered.sequence) is not the one that this pair had published")
                }
            }
            if sequence == remembered.sequence { return }
        }
        guard newest.head.source == source, newest.head.target == target else {
            throw foreign("the head \(sequence) is of another pair, \(newest.head.source) to \(newest.head.target)")
        }
    }

    private func rolledBack(_ what: String) -> ManifestError {
        ManifestError(
            .rolledBack,
            "\(folder.name): \(what): an old copy was put back or files were deleted. \(Self.advice)")
    }

    private func foreign(_ what: String) -> ManifestError {
        ManifestError(
            .foreignHead,
            "\(folder.name): \(what): somebody else publishes here. \(Self.advice)")
    }

    private static let advice =
        "Look at it with `lockstep manifest show`; then publish elsewhere, or continue after it with --adopt-manifest"
}
