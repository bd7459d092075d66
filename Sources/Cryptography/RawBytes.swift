/// Something whose bytes lie together in memory: what can be hashed, signed and authenticated.
package protocol RawBytes {
    /// The bytes are there during the call only.
    func withRawBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result
}

extension UnsafeRawBufferPointer: RawBytes {
    package func withRawBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result { body(self) }
}

extension [UInt8]: RawBytes {
    package func withRawBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        withUnsafeBytes(body)
    }
}

extension ArraySlice<UInt8>: RawBytes {
    package func withRawBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        withUnsafeBytes(body)
    }
}

extension String.UTF8View: RawBytes {
    package func withRawBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        withContiguousStorageIfAvailable { body(UnsafeRawBufferPointer($0)) } ?? Array(self).withUnsafeBytes(body)
    }
}
