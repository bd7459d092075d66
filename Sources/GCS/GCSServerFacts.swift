/// What a store has learned about its server while it talked to it.
///
/// A value behind the store's mutex. Facts only narrow what the store does: a server that once refused a call is not
/// asked again.
struct GCSServerFacts: Sendable {
    /// Whether the XML API's multipart uploads are there.
    private(set) var takesMultipart = true
    /// Whether objects can be moved within the bucket.
    private(set) var movesObjects = true
    /// The last token that the server refused, since it last took one.
    private(set) var refused: GoogleToken?
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

    mutating func accepted() { refused = nil }

    /// What to do about a token that the server refused.
    enum Refusal {
        /// Fetch another one, which may be valid.
        case forget
        /// Another request has already made sure that a new one is fetched.
        case stale
        /// The one before was refused too: fetching more does not help.
        case final
    }

    mutating func refuse(_ token: GoogleToken) -> Refusal {
        guard let refused else {
            self.refused = token
            return .forget
        }
        return refused == token ? .stale : .final
    }
}
