import Digests

/// What a ledger remembers of its last publication.
package struct PublishedState: Sendable, Hashable {
    package var anchor: PublishedHeadAnchor
    /// The ledger's revision that was published: while it is the same there is nothing new to publish.
    package var revision: Int64

    package init(anchor: PublishedHeadAnchor, revision: Int64) {
        self.anchor = anchor
        self.revision = revision
    }

    private static let note = "manifest.published"

    /// nil before the first publication.
    package static func load(from ledger: any Ledger) async throws -> PublishedState? {
        guard let text = try await ledger.note(note) else { return nil }
        let words = text.split(separator: " ")
        guard words.count == 3, let sequence = Int64(words[0]), let digest = Hex.decode(String(words[1])),
            let revision = Int64(words[2])
        else { throw ManifestError(.badState, "the ledger's note of the last published manifest is damaged: \(text)") }
        return PublishedState(anchor: PublishedHeadAnchor(sequence: sequence, digest: digest), revision: revision)
    }

    /// One note, so that its parts are never of different publications.
    package func save(in ledger: any Ledger) async throws {
        try await ledger.setNote(Self.note, "\(anchor.sequence) \(Hex.encode(anchor.digest)) \(revision)")
    }
}
