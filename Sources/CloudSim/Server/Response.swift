package import NIOCore
package import NIOHTTP1

/// An answer: status, headers and a body that is already there. The server adds Date, Content-Length and Server.
package struct Response {
    package var status: HTTPResponseStatus
    package var headers: HTTPHeaders
    package var body: Body
    /// What Content-Length says when the body is left out, as in the answer to HEAD.
    package var declaredLength: Int?
    /// Without Content-Length, in chunks: the answer of a service that makes the body while it sends it.
    package var isChunked = false

    package init(_ status: HTTPResponseStatus, headers: HTTPHeaders = HTTPHeaders(), body: Body = Body()) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    package init(
        _ status: HTTPResponseStatus, contentType: String, headers: HTTPHeaders = HTTPHeaders(), text: String
    ) {
        self.status = status
        self.headers = headers
        self.headers.add(name: "Content-Type", value: contentType)
        body = Body(ByteBuffer(string: text))
    }

    package init(
        _ status: HTTPResponseStatus, contentType: String, headers: HTTPHeaders = HTTPHeaders(), bytes: ByteBuffer
    ) {
        self.status = status
        self.headers = headers
        self.headers.add(name: "Content-Type", value: contentType)
        body = Body(bytes)
    }
}
