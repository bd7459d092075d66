import Digests

/// Remembers the newest head that was seen of one manifest, so that a rolled-back one shows. Readable by its owner only.
package struct AnchorFile: Sendable {
    private let file: StateFile

    package init(path: String) {
        file = StateFile(path: path)
    }

    /// nil when nothing was seen yet.
    package func load() throws -> PublishedHeadAnchor? {
        guard let text = try file.read() else { return nil }
        let words = text.split(whereSeparator: \.isWhitespace)
        guard words.count == 2, let sequence = Int64(words[0]), sequence > 0, let digest = Hex.decode(String(words[1])),
            digest.count == 32
        else {
            throw ManifestError(
                .badState,
                "\(file.path) is damaged; it should hold the number and SHA-256 of the newest head seen. Delete it to begin anew"
            )
        }
        return PublishedHeadAnchor(sequence: sequence, digest: digest)
    }

    package func save(_ anchor: PublishedHeadAnchor) throws {
        try file.write("\(anchor.sequence) \(Hex.encode(anchor.digest))\n")
    }
}
