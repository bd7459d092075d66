import Buffers
import Digests

/// One request from its start to its reply: what the callbacks read, fill and count.
///
/// `@unchecked Sendable`: created by the caller, then touched by the loop's thread only. The continuation is set before the
/// transfer is posted and is resumed by the loop exactly once, after the library has let go of the transfer, so the caller's
/// buffer is free again when `send` returns.
final class CurlTransfer: @unchecked Sendable {
    typealias Outcome = Result<HTTPResponse, HTTPFailure>

    /// Replies other than 2xx are collected up to here; what is longer is cut off.
    static let errorBodyLimit = 64 << 10

    private(set) var request: HTTPRequest
    private var sink: HTTPSink
    private let counters: TransportCounters
    private var continuation: CheckedContinuation<Outcome, Never>?

    /// The handle that runs this request, while it runs.
    var handle: CurlHandle?
    /// Cancelled before it was started.
    var isCancelled = false

    private(set) var head = ReplyHead()
    private(set) var upload: BodyCursor
    /// The last byte of the body went to the library at least once; there may be no byte.
    private(set) var wasHandedWhole: Bool
    /// What made us end the request, whatever the library calls it.
    private(set) var abortion: Abortion?
    /// Times that the request was put on a connection: more than once when a kept connection turned out to be dead.
    private(set) var attempts = 0
    /// `errno` of the last socket that could not be created.
    private(set) var socketError: Int32 = 0
    /// Why the last address that the host's name resolved to was not connected to.
    private(set) var addressRefusal: String?

    private var body: [UInt8] = []
    private var received = 0
    private var digest = ContentDigest()

    enum Abortion {
        case cancelled
        case stalled(Duration)
        case bodyTooLong(limit: Int)
        case badHead(String)
        /// The connection died with the whole request sent: sending it again is not this layer's decision.
        case replayRefused
        /// A reply that is no success has a longer body than anybody reads.
        case errorBodyFull
    }

    init(_ request: HTTPRequest, into sink: HTTPSink, counters: TransportCounters) {
        self.request = request
        self.sink = sink
        self.counters = counters
        self.upload = BodyCursor(request.body)
        self.wasHandedWhole = upload.count == 0
    }

    /// The most bytes that a successful reply may have.
    var receiveLimit: Int {
        switch sink {
        case .collect(let limit): limit
        case .buffer(let buffer, let limit): min(limit, buffer.capacity)
        }
    }

    func setContinuation(_ continuation: CheckedContinuation<Outcome, Never>) {
        self.continuation = continuation
    }

    func resume(_ outcome: Outcome) {
        guard let continuation else { preconditionFailure("a transfer ended twice") }
        self.continuation = nil
        // The caller's buffers go back to their pool when the caller lets go, not when this thread gets round to it.
        request.body = .empty
        upload = BodyCursor(.empty)
        sink = .collect(limit: 0)
        continuation.resume(returning: outcome)
    }

    /// The first reason stands.
    func abort(_ reason: Abortion) {
        if abortion == nil { abortion = reason }
    }

    // MARK: What the library calls

    /// A connection is there and the request will be put on it. `sentBefore` says that an earlier connection took bytes of it.
    /// Returns whether to go on.
    func willSend(sentBefore: Bool) -> Bool {
        attempts += 1
        if attempts > 1, sentBefore, wasHandedWhole, !request.method.isSafe {
            abort(.replayRefused)
            return false
        }
        upload.rewind()
        return true
    }

    func rewindUpload() {
        upload.rewind()
    }

    func fillUpload(_ destination: UnsafeMutableRawBufferPointer) -> Int {
        let count = upload.read(into: destination)
        counters.sent(count)
        if upload.isAtEnd { wasHandedWhole = true }
        return count
    }

    /// For a small body that goes out together with the head.
    func copyUpload(to scratch: inout RequestScratch) -> Int {
        counters.sent(upload.count)
        wasHandedWhole = true
        return scratch.addBody(&upload)
    }

    func receiveHeadLine(_ line: UnsafeRawBufferPointer) -> Bool {
        guard let problem = head.consume(line) else { return true }
        abort(.badHead(problem))
        return false
    }

    func receiveBody(_ bytes: UnsafeRawBufferPointer) -> Bool {
        counters.received(bytes.count)
        guard head.isSuccess else { return collectErrorBody(bytes) }
        switch sink {
        case .collect(let limit):
            guard bytes.count <= limit - body.count else { return refuse(limit: limit) }
            body.append(contentsOf: bytes)
        case .buffer(let buffer, let limit):
            let limit = min(limit, buffer.capacity)
            guard bytes.count <= limit - received else { return refuse(limit: limit) }
            let place = UnsafeMutableRawBufferPointer(start: buffer.base + received, count: bytes.count)
            place.copyMemory(from: bytes)
            // Of what is in the buffer, not of what came: a fault on the way into it shows too.
            digest.update(UnsafeRawBufferPointer(place))
            received += bytes.count
        }
        return true
    }

    func refused(_ reason: String) {
        addressRefusal = reason
    }

    func socketFailed(_ error: Int32) {
        socketError = error
    }

    private func collectErrorBody(_ bytes: UnsafeRawBufferPointer) -> Bool {
        let room = Self.errorBodyLimit - body.count
        body.append(contentsOf: bytes.prefix(room))
        if bytes.count <= room { return true }
        abort(.errorBodyFull)
        return false
    }

    private func refuse(limit: Int) -> Bool {
        abort(.bodyTooLong(limit: limit))
        return false
    }

    // MARK: The reply

    /// Takes the reply out; meaningful once.
    func takeReply() -> HTTPResponse {
        let response = HTTPResponse(
            status: head.status, headers: head.headers, body: body, received: received, digest: digest)
        body = []
        return response
    }
}

extension HTTPMethod {
    /// Asking again changes nothing at the server.
    var isSafe: Bool { self == .get || self == .head }
}
