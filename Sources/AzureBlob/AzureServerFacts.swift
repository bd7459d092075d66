import ReplicationModel

/// What a store has learned from its server's replies.
struct AzureServerFacts: Sendable {
    /// Seconds that the server's clock is ahead of this machine's.
    private(set) var clockOffset: Int64 = 0
    /// Whether the server verifies and reports CRC-64; nil before the first write. Some emulators ignore it.
    private(set) var verifiesChecksums: Bool?
    /// Whether the server can read its own blobs as the source of a copy.
    private(set) var copiesFromURLs = true
    /// Nonces of uploads that were given up: the service keeps their blocks for a while, this store does not take them
    /// up again.
    private(set) var abortedUploads: Set<UInt64> = []
    /// One sentence for each, for people.
    private(set) var notes: [String] = []

    private var date: (second: Int64, text: String)?
    private var abortOrder: [UInt64] = []
    private static let abortLimit = 1000
    private static let noteLimit = 32

    /// The value of `x-ms-date`, in the server's time.
    mutating func date(now: Int64) -> String {
        let second = now + clockOffset
        if let date, date.second == second { return date.text }
        let text = CivilTime(secondsSince1970: second).httpDate
        date = (second, text)
        return text
    }

    mutating func learn(clockOffset offset: Int64) {
        clockOffset = offset
        // A broken server may name another time with every reply.
        guard notes.count < Self.noteLimit else { return }
        notes.append(
            "this machine's clock is \(Duration.seconds(abs(offset)).text) \(offset > 0 ? "behind" : "ahead of") the server's; requests are dated by the server's"
        )
    }

    mutating func learn(verifiesChecksums verifies: Bool) {
        if verifiesChecksums != false, !verifies {
            notes.append(
                "the server reports no checksums of what it stores; what is written must be read back to be proven")
        }
        verifiesChecksums = verifies && verifiesChecksums != false
    }

    /// Beyond the limit the earliest are forgotten; their blocks vanish by themselves.
    mutating func abort(upload nonce: UInt64) {
        guard abortedUploads.insert(nonce).inserted else { return }
        abortOrder.append(nonce)
        if abortOrder.count > Self.abortLimit { abortedUploads.remove(abortOrder.removeFirst()) }
    }

    mutating func learnNoCopies() {
        if copiesFromURLs { notes.append("the server cannot copy from its own URLs; copies go through this machine") }
        copiesFromURLs = false
    }
}
