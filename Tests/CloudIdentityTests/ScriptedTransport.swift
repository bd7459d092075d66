import Buffers
import HTTPTransport
import Synchronization

/// A transport without a network: keeps what it was asked and answers what the test says.
final class ScriptedTransport: HTTPTransport {
    struct Reply: Sendable {
        var status: Int
        var headers: HTTPHeaders
        var body: [UInt8]

        init(_ status: Int, _ headers: HTTPHeaders = [:], body: String = "") {
            self.status = status
            self.headers = headers
            self.body = Array(body.utf8)
        }
    }

    private let answer: @Sendable (HTTPRequest, Int) throws(HTTPFailure) -> Reply
    private let log = Mutex<[HTTPRequest]>([])

    /// - Parameter answer: gets each request and its number from 0.
    init(_ answer: @escaping @Sendable (HTTPRequest, Int) throws(HTTPFailure) -> Reply) {
        self.answer = answer
    }

    /// Answers in order, the last reply for all that follow.
    convenience init(_ replies: Reply...) {
        self.init { _, number in replies[min(number, replies.count - 1)] }
    }

    var requests: [HTTPRequest] { log.withLock { $0 } }

    func send(_ request: HTTPRequest, into sink: HTTPSink) async throws(HTTPFailure) -> HTTPResponse {
        let number = log.withLock { log in
            log.append(request)
            return log.count - 1
        }
        let reply = try answer(request, number)
        return HTTPResponse(status: reply.status, headers: reply.headers, body: reply.body)
    }
}

extension HTTPRequest {
    var bodyText: String {
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
