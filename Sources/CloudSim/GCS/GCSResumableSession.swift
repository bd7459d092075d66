import Digests
import NIOCore

/// A resumable upload: what was said at its start, and the bytes that have arrived.
final class GCSResumableSession {
    let id: String
    let bucket: String
    let name: ObjectName
    let started: SimTime
    let resource: GCSResourceInput
    let contentType: String?
    let conditions: GCSPreconditions
    /// `X-Upload-Content-Length`.
    let announcedLength: Int?

    private let writer: BodyWriter
    private(set) var crc32c: UInt32 = 0
    /// Set while a chunk is on its way; a session takes one at a time.
    var isReceiving = false
    /// The object, once it is there: later questions are answered with it.
    var finished: StoredObject?

    /// - Parameter writer: need not compute CRC-32C, which the session does itself for its running value.
    init(
        id: String, bucket: String, name: ObjectName, started: SimTime, resource: GCSResourceInput,
        contentType: String?, conditions: GCSPreconditions, announcedLength: Int?, writer: BodyWriter
    ) {
        self.id = id
        self.bucket = bucket
        self.name = name
        self.started = started
        self.resource = resource
        self.contentType = contentType
        self.conditions = conditions
        self.announcedLength = announcedLength
        self.writer = writer
    }

    /// Bytes that are stored.
    var count: Int { writer.count }

    func append(_ bytes: UnsafeRawBufferPointer) throws {
        crc32c = CRC32C.update(crc32c, bytes)
        try writer.receive(bytes)
    }

    /// The whole body; no bytes can be appended afterwards.
    func finish() throws -> (body: Body, digests: BodyDigests) {
        var (body, digests) = try writer.finish()
        digests.crc32c = crc32c
        return (body, digests)
    }
}

/// The sessions that are open or were finished not long ago, by id. A session lives one week.
final class GCSResumableSessions {
    private static let lifetime: Int64 = 7 * 86_400
    /// Beyond it, the oldest session makes room.
    private static let maximumCount = 10_000

    private let services: SimServices
    private var sessions: [String: GCSResumableSession] = [:]
    /// Ids by age; may name sessions that are gone.
    private var order = CircularBuffer<String>()

    init(_ services: SimServices) {
        self.services = services
    }

    subscript(id: String) -> GCSResumableSession? {
        guard let session = sessions[id] else { return nil }
        if services.clock.now.seconds - session.started.seconds > Self.lifetime {
            sessions[id] = nil
            return nil
        }
        return session
    }

    func makeID() -> String { Hex.encode(services.storage.randomBytes(24)) }

    func add(_ session: GCSResumableSession) {
        sessions[session.id] = session
        order.append(session.id)
        while order.count > Self.maximumCount { sessions[order.removeFirst()] = nil }
    }

    func remove(_ session: GCSResumableSession) {
        sessions[session.id] = nil
    }
}

/// `Content-Range` of a chunk or of a status query.
struct GCSContentRange {
    /// The bytes sent; nil for `bytes */…`.
    var bytes: Range<Int>?
    /// The object's length; nil for `…/*`.
    var total: Int?

    /// Nil when the text is neither.
    init?(_ text: String) {
        guard text.lowercased().hasPrefix("bytes ") else { return nil }
        let halves = text.dropFirst(6).split(separator: "/", omittingEmptySubsequences: false)
        guard halves.count == 2 else { return nil }
        if halves[1] != "*" {
            guard let total = Int(halves[1]), total >= 0 else { return nil }
            self.total = total
        }
        guard halves[0] != "*" else { return }
        let bounds = halves[0].split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
        guard bounds.count == 2, let first = bounds[0], let last = bounds[1], first >= 0, last >= first, last < .max
        else { return nil }
        bytes = first..<last + 1
        if let total, last >= total { return nil }
    }

    init(wholeOf length: Int?) {
        bytes = length.map { 0..<$0 }
        total = length
    }
}

/// Takes one chunk: passes over what is already stored and drops what is not to be kept.
final class GCSChunkSink: BodySink {
    private let session: GCSResumableSession
    /// The offset of the next byte that arrives.
    private var offset: Int
    /// Bytes from here on are not kept: a chunk that is not the last counts in multiples of 256 KiB.
    private let keepBefore: Int
    private(set) var received = 0

    init(_ session: GCSResumableSession, start: Int, keepBefore: Int) {
        self.session = session
        offset = start
        self.keepBefore = keepBefore
    }

    func receive(_ bytes: inout ByteBuffer) throws {
        try bytes.readWithUnsafeReadableBytes { pointer in
            let first = min(max(session.count - offset, 0), pointer.count)
            let end = min(max(keepBefore - offset, 0), pointer.count)
            if first < end { try session.append(UnsafeRawBufferPointer(rebasing: pointer[first..<end])) }
            offset += pointer.count
            received += pointer.count
            return pointer.count
        }
    }
}
