package import ReplicationModel

/// How far a resumable session has come, and what to do next: no input and no output, only decisions.
///
/// The server says after each request how many bytes it holds, which may be fewer than were sent. The last bytes of
/// the object are held back until the upload is completed, because with them the object appears, and by then its
/// whole checksum is known and sent along.
package struct GCSResumableProgress: Sendable, Hashable {
    /// Chunks but the last come in multiples of this many bytes.
    package static let quantum = 256 << 10
    /// Requests in a row after which the server holds no more than before.
    static let standstillLimit = 3

    package enum Step: Hashable, Sendable {
        /// Ask the server how much it holds.
        case ask
        /// Send these bytes of the object.
        case send(ByteRange)
        case finished
        case failed(Failure)
    }

    package enum Failure: Hashable, Sendable {
        /// The server holds fewer bytes than the parts before made.
        case lostParts
        /// The server claims more bytes than anybody can have sent: the session holds something else.
        case corrupt
        /// The server takes no more bytes.
        case standstill
    }

    /// Bytes of the whole object.
    let size: Int64
    /// Bytes that the server holds; nil when that has to be asked.
    package private(set) var held: Int64?
    /// The server's CRC-32C of the bytes that it holds, if it told one.
    private(set) var runningChecksum: UInt32?
    private var standstills = 0

    package init(size: Int64, held: Int64?) {
        self.size = size
        self.held = held
    }

    /// Where the bytes begin that are held back: between 1 and `quantum` of them, none for an empty object.
    package var reserve: Int64 { size == 0 ? 0 : (size - 1) / Int64(Self.quantum) * Int64(Self.quantum) }

    /// What a part that covers this range of the object needs.
    package func next(for part: ByteRange) -> Step {
        step(from: part.offset, to: min(part.end, reserve))
    }

    /// What completing needs: the reserve, all at once, even when it is empty.
    package func nextForCompletion() -> Step {
        let step = step(from: reserve, to: size)
        return step == .finished ? .send(ByteRange(offset: size, length: 0)) : step
    }

    private func step(from start: Int64, to end: Int64) -> Step {
        if standstills >= Self.standstillLimit { return .failed(.standstill) }
        guard let held else { return .ask }
        if held > size { return .failed(.corrupt) }
        if held >= end { return .finished }
        if held < start { return .failed(.lostParts) }
        return .send(ByteRange(offset: held, length: end - held))
    }

    /// Notes how many bytes the server says it holds.
    ///
    /// - Parameters:
    ///   - sentTo: the end of the bytes that it can have; nil when nothing was sent and nobody knows.
    ///   - running: the server's checksum of the bytes that it holds.
    package mutating func note(held reported: Int64, sentTo: Int64?, running: UInt32? = nil) -> Failure? {
        if reported > sentTo ?? size { return .corrupt }
        standstills = if let held, reported <= held { standstills + 1 } else { 0 }
        held = reported
        runningChecksum = running
        return nil
    }

    /// The bytes that a 308 reply says are stored: `bytes=0-LAST`, or none without the header. nil when it is
    /// something else.
    package static func held(rangeHeader: String?) -> Int64? {
        guard let rangeHeader else { return 0 }
        let text = rangeHeader.hasPrefix("bytes=") ? rangeHeader.dropFirst(6) : rangeHeader[...]
        guard text.hasPrefix("0-"), let last = Int64(text.dropFirst(2)), last >= 0 else { return nil }
        return last + 1
    }
}
