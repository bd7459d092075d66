/// A half-open range of an object's bytes: `offset ..< offset + length`.
package struct ByteRange: Hashable, Sendable, Codable {
    /// First byte, counted from 0.
    package var offset: Int64
    /// Number of bytes; never negative.
    package var length: Int64

    package init(offset: Int64, length: Int64) {
        precondition(offset >= 0 && length >= 0, "a byte range has neither a negative offset nor a negative length")
        self.offset = offset
        self.length = length
    }

    package var end: Int64 { offset + length }
    package var isEmpty: Bool { length == 0 }

    /// The value of an HTTP `Range` header (RFC 9110, 14.1.2). A range of zero bytes has none.
    package var headerValue: String { "bytes=\(offset)-\(end - 1)" }
}
