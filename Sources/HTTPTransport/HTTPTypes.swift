package import Buffers
package import Digests

package enum HTTPMethod: String, Sendable {
    case get = "GET"
    case head = "HEAD"
    case put = "PUT"
    case post = "POST"
    case delete = "DELETE"
    case patch = "PATCH"
}

/// Header fields in the order they are sent; names compare without case.
package struct HTTPHeaders: Sendable, ExpressibleByDictionaryLiteral {
    package struct Field: Sendable {
        /// Lower-case.
        package var name: String
        package var value: String
    }

    package private(set) var fields: [Field] = []

    package init() {}

    package init(dictionaryLiteral elements: (String, String)...) {
        for (name, value) in elements { append(name, value) }
    }

    /// The first value of that name. `name` must be lower-case.
    package subscript(_ name: String) -> String? {
        for field in fields where field.name == name { return field.value }
        return nil
    }

    package mutating func append(_ name: String, _ value: String) {
        fields.append(Field(name: name.lowercased(), value: value))
    }

    package mutating func appendIfPresent(_ name: String, _ value: String?) {
        if let value { append(name, value) }
    }

    package mutating func replace(_ name: String, _ value: String) {
        let name = name.lowercased()
        fields.removeAll { $0.name == name }
        fields.append(Field(name: name, value: value))
    }

    package mutating func remove(_ name: String) {
        let name = name.lowercased()
        fields.removeAll { $0.name == name }
    }
}

/// What a request sends: segments one after the other, each resent from its start when the connection must be replayed.
package struct HTTPBody: Sendable {
    package enum Segment: Sendable {
        case bytes([UInt8])
        case slice(BufferSlice)

        package var count: Int {
            switch self {
            case .bytes(let bytes): bytes.count
            case .slice(let slice): slice.count
            }
        }
    }

    package var segments: [Segment]

    package init(_ segments: [Segment]) {
        self.segments = segments
    }

    package static let empty = HTTPBody([])
    package static func bytes(_ bytes: [UInt8]) -> HTTPBody { HTTPBody([.bytes(bytes)]) }
    package static func text(_ text: String) -> HTTPBody { HTTPBody([.bytes(Array(text.utf8))]) }
    package static func slice(_ slice: BufferSlice) -> HTTPBody { HTTPBody([.slice(slice)]) }

    package var count: Int { segments.reduce(0) { $0 + $1.count } }
}

/// Where the body of a successful (2xx) reply goes. Other replies are always collected, up to 64 KiB.
package enum HTTPSink: Sendable {
    /// Into `HTTPResponse.body`; a longer body fails with `.bodyTooLong`.
    case collect(limit: Int)
    /// Into the buffer from offset 0; at most `limit` bytes, a longer body fails with `.bodyTooLong`. The reply carries the digest
    /// of what arrived, computed while the bytes are in the cache.
    case buffer(PooledBuffer, limit: Int)
}

/// Time limits of one request. There is none on the whole transfer: progress counts, not size.
package struct HTTPTimeouts: Sendable {
    package var connect: Duration = .seconds(10)
    /// The request fails as `.stalled` when no byte moved in either direction for so long.
    package var stall: Duration = .seconds(60)

    package init(connect: Duration = .seconds(10), stall: Duration = .seconds(60)) {
        self.connect = connect
        self.stall = stall
    }

    /// For calls during which the server may be silent for minutes: complete, compose, copy.
    package static let patient = HTTPTimeouts(stall: .seconds(600))
}

package struct HTTPRequest: Sendable {
    package var method: HTTPMethod
    /// The complete URL, already percent-encoded: sent as it stands, no dot segments removed.
    package var url: String
    /// Sent as they stand. The transport adds Host, Content-Length and Accept only; a signer signs the host of `url`.
    package var headers: HTTPHeaders
    package var body: HTTPBody
    package var timeouts: HTTPTimeouts
    package var reach: HTTPReach

    package init(
        _ method: HTTPMethod, _ url: String, headers: HTTPHeaders = [:], body: HTTPBody = .empty,
        timeouts: HTTPTimeouts = HTTPTimeouts(), reach: HTTPReach = .service
    ) {
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
        self.timeouts = timeouts
        self.reach = reach
    }
}

package struct HTTPResponse: Sendable {
    package var status: Int
    package var headers: HTTPHeaders
    /// The collected body; empty when it went into a buffer.
    package var body: [UInt8]
    /// Bytes that went into the buffer.
    package var received: Int
    /// Digest of the bytes that went into the buffer.
    package var digest: ContentDigest

    package init(
        status: Int, headers: HTTPHeaders, body: [UInt8] = [], received: Int = 0,
        digest: ContentDigest = ContentDigest()
    ) {
        self.status = status
        self.headers = headers
        self.body = body
        self.received = received
        self.digest = digest
    }
}

/// Why no complete reply arrived.
package struct HTTPFailure: Error, Sendable, CustomStringConvertible {
    /// `unknownHost`: the resolver says that there is no such name; `resolve`: it could not say.
    package enum Code: String, Sendable {
        case badURL, resolve, unknownHost, refusedAddress, connect, tls, certificate, reset, stalled, truncated,
            bodyTooLong,
            protocolViolation
        case cancelled, other
    }

    package var code: Code
    /// For people: the endpoint's host and port and what the library said; never a URL with a query (it may hold a signature).
    package var message: String
    /// Whether the server may have acted on the request: false only when it certainly never saw it whole
    /// (not resolved, not connected, TLS refused, nothing sent).
    package var mayHaveBeenProcessed: Bool

    package init(code: Code, message: String, mayHaveBeenProcessed: Bool) {
        self.code = code
        self.message = message
        self.mayHaveBeenProcessed = mayHaveBeenProcessed
    }

    package var description: String { message }
}

/// Sends requests. One attempt each: no retries, no redirects, no decoding, no cookies.
package protocol HTTPTransport: Sendable {
    /// Returns the reply whatever its status. Throws `HTTPFailure` when no complete reply arrived, also when the body was shorter than its
    /// Content-Length. Cancelling the task aborts the request and throws `HTTPFailure` with `.cancelled`.
    func send(_ request: HTTPRequest, into sink: HTTPSink) async throws(HTTPFailure) -> HTTPResponse
}
