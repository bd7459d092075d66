import NIOCore

/// How an answer is sent: the answer itself, and what faults do to its bytes and its end.
struct ResponsePlan {
    enum Ending {
        case normal
        /// The connection is closed in order, possibly short of Content-Length.
        case close
        /// RST.
        case reset
        /// Nothing more is sent; the connection stays open, for ever or until it is closed after the time given.
        case stall(milliseconds: Int?)
    }

    var response: Response
    var contentLength: Int
    /// How many of the body's bytes are sent.
    var sentLength: Int
    /// Bytes behind the body.
    var extra: ByteBuffer?
    var ending = Ending.normal
    /// Offset of a byte whose lowest bit is flipped.
    var flippedOffset: Int?
    var bytesPerSecond: Int?
    /// Nothing is sent at all; the connection closes.
    var isDropped = false

    init(_ response: Response) {
        self.response = response
        contentLength = response.declaredLength ?? response.body.count
        sentLength = response.body.count
    }
}
