import Buffers
import Digests
package import HTTPTransport
import Synchronization

/// A transport without a network: keeps what it was asked and answers what the test says.
package final class ScriptedTransport: HTTPTransport {
    package struct Reply: Sendable {
        package var status: Int
        package var headers: HTTPHeaders
        package var body: [UInt8]

        package init(_ status: Int, _ headers: HTTPHeaders = [:], body: String = "") {
            self.init(status, headers, bytes: Array(body.utf8))
        }

        package init(_ status: Int, _ headers: HTTPHeaders = [:], bytes: [UInt8]) {
            self.status = status
            self.headers = headers
            self.body = bytes
        }
    }

    private let answer: @Sendable (HTTPRequest, Int) throws(HTTPFailure) -> Reply
    private let before: @Sendable (HTTPRequest) async -> Void
    private let log = Mutex<[HTTPRequest]>([])

    /// - Parameters:
    ///   - answer: gets each request and its number from 0.
    ///   - before: awaited before each answer, for tests that say in which order things happen.
    package init(
        _ answer: @escaping @Sendable (HTTPRequest, Int) throws(HTTPFailure) -> Reply,
        before: @escaping @Sendable (HTTPRequest) async -> Void = { _ in }
    ) {
        self.answer = answer
        self.before = before
    }

    /// Answers in order, the last reply for all that follow.
    package convenience init(_ replies: Reply...) {
        self.init { _, number in replies[min(number, replies.count - 1)] }
    }

    package var requests: [HTTPRequest] { log.withLock { $0 } }

    package func send(_ request: HTTPRequest, into sink: HTTPSink) async throws(HTTPFailure) -> HTTPResponse {
        let number = log.withLock { log in
            log.append(request)
            return log.count - 1
        }
        await before(request)
        let reply = try answer(request, number)
        if case .buffer(let buffer, let limit) = sink, (200..<300).contains(reply.status) {
            guard reply.body.count <= limit else {
                throw HTTPFailure(
                    code: .bodyTooLong, message: "the body is longer than asked for", mayHaveBeenProcessed: true)
            }
            buffer.base.copyMemory(from: reply.body, byteCount: reply.body.count)
            let digest = reply.body.withUnsafeBytes { ContentDigest(of: $0) }
            return HTTPResponse(
                status: reply.status, headers: reply.headers, received: reply.body.count, digest: digest)
        }
        return HTTPResponse(status: reply.status, headers: reply.headers, body: reply.body)
    }
}

extension HTTPRequest {
    /// The part of the URL after the host.
    package var target: String {
        String(url.drop { $0 != ":" }.dropFirst(3).drop { $0 != "/" })
    }

    package var bodyText: String {
        var bytes: [UInt8] = []
        for segment in body.segments {
            switch segment {
            case .bytes(let part): bytes += part
            case .slice(let slice): slice.withUnsafeBytes { bytes += $0 }
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
