package import NIOCore
import NIOHTTP1

/// Takes a request body piece by piece.
package protocol BodySink: AnyObject {
    /// The next bytes; an error ends the body early and reaches the callback of `streamBody`.
    func receive(_ bytes: inout ByteBuffer) throws
}

/// Why a request body did not arrive whole.
package enum BodyError: Error {
    /// The connection closed first.
    case connectionClosed
    /// More than the limit of `collectBody`.
    case tooLarge(limit: Int)
}

/// Who receives the request's body.
enum BodyConsumer {
    /// The bytes are thrown away.
    case none
    case collecting(ByteBuffer, limit: Int, (Result<ByteBuffer, any Error>) -> Void)
    case streaming(any BodySink, (Result<HTTPHeaders?, any Error>) -> Void)
}
