import CLZ4

/// The LZ4 block format: fast both ways, and silent about the size of its content.
package enum LZ4 {
    /// The longest content of one block.
    package static let longest = Int(LZ4_MAX_INPUT_SIZE)

    /// Decompresses one block that holds exactly `content.count` bytes. Never reads or writes elsewhere, whatever the block says, and
    /// allocates nothing.
    package static func decompress(
        _ block: UnsafeRawBufferPointer, into content: UnsafeMutableRawBufferPointer
    ) throws(LZ4Error) {
        // An empty content still has one byte of block, and LZ4 wants addresses even then.
        guard let source = block.baseAddress, block.count <= Int(Int32.max) else {
            throw LZ4Error(message: "no LZ4 block")
        }
        var nothing: UInt8 = 0
        let written = withUnsafeMutableBytes(of: &nothing) { nothing in
            LZ4_decompress_safe(
                source.assumingMemoryBound(to: CChar.self),
                (content.baseAddress ?? nothing.baseAddress!).assumingMemoryBound(to: CChar.self), Int32(block.count),
                Int32(clamping: content.count))
        }
        guard written >= 0 else { throw LZ4Error(message: "no LZ4 block, or one of more than \(content.count) bytes") }
        guard written == content.count else {
            throw LZ4Error(message: "an LZ4 block of \(written) bytes instead of \(content.count)")
        }
    }
}

/// Compresses one block after the other with the same memory.
package final class LZ4Compressor {
    private let state: UnsafeMutableRawPointer

    package init() {
        state = .allocate(byteCount: Int(LZ4_sizeofState()), alignment: 16)
    }

    deinit {
        state.deallocate()
    }

    /// - Returns: the bytes of the block; nil when they do not fit into `block`, which then holds rubbish.
    /// - Precondition: at most `LZ4.longest` bytes of content.
    package func compress(_ content: UnsafeRawBufferPointer, fitting block: UnsafeMutableRawBufferPointer) -> Int? {
        precondition(content.count <= LZ4.longest, "\(content.count) bytes are more than one LZ4 block holds")
        guard let target = block.baseAddress else { return nil }
        var nothing: UInt8 = 0
        let written = withUnsafeBytes(of: &nothing) { nothing in
            LZ4_compress_fast_extState(
                state, (content.baseAddress ?? nothing.baseAddress!).assumingMemoryBound(to: CChar.self),
                target.assumingMemoryBound(to: CChar.self), Int32(content.count), Int32(clamping: block.count), 1)
        }
        return written > 0 ? Int(written) : nil
    }
}

/// Bytes that are no block, or not one of the expected content.
package struct LZ4Error: Error, Sendable, CustomStringConvertible {
    package let message: String

    package var description: String { message }
}
