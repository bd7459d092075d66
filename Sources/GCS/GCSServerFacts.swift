/// What a store has learned about its server while it talked to it.
///
/// A value behind the store's mutex. Facts only narrow what the store does: a server that once refused a call is not
/// asked again.
struct GCSServerFacts: Sendable {
    /// Whether the XML API's multipart uploads are there.
    private(set) var takesMultipart = true
    /// Whether objects can be moved within the bucket.
    private(set) var movesObjects = true
    /// For people, one sentence each.
    private(set) var notes: [String] = []

    mutating func learnNoMultipart() {
        guard takesMultipart else { return }
        takesMultipart = false
        notes.append("the server has no multipart uploads; large objects are sent part after part")
    }

    mutating func learnNoMoves() {
        guard movesObjects else { return }
        movesObjects = false
        notes.append(
            "the server cannot move objects, or the credentials lack the right; large objects are rewritten to their name"
        )
    }
}
