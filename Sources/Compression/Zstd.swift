import CZstd

/// Zstandard (RFC 8878) with the content's size and checksum in every frame.
package enum Zstd {
    /// Room that one compressed frame of so many bytes never exceeds.
    package static func bound(_ count: Int) -> Int { ZSTD_compressBound(count) }

    /// The size of the content that a frame announces, without looking at anything but its header. Throws when it announces none
    /// or one above `limit`, so that nothing is allocated for a bomb.
    package static func contentSize(of frame: UnsafeRawBufferPointer, limit: Int) throws(ZstdError) -> Int {
        let size = ZSTD_getFrameContentSize(frame.baseAddress, frame.count)
        // The two highest values mean unknown and error.
        guard size < UInt64.max - 1 else { throw ZstdError(message: "no zstd frame with the size of its content") }
        guard size <= UInt64(limit) else {
            throw ZstdError(message: "announces \(size) bytes of content; at most \(limit) are allowed")
        }
        return Int(size)
    }

    /// Decompresses exactly one frame into `content`, which has exactly its content's size. Never writes beyond it.
    package static func decompress(
        _ frame: UnsafeRawBufferPointer, into content: UnsafeMutableRawBufferPointer
    ) throws(ZstdError) {
        let end = ZSTD_findFrameCompressedSize(frame.baseAddress, frame.count)
        guard ZSTD_isError(end) == 0 else { throw ZstdError(end) }
        guard end == frame.count else { throw ZstdError(message: "\(frame.count - end) bytes follow the frame") }
        let written = ZSTD_decompress(content.baseAddress, content.count, frame.baseAddress, frame.count)
        guard ZSTD_isError(written) == 0 else { throw ZstdError(written) }
        guard written == content.count else { throw ZstdError(message: "holds less than it announces") }
    }
}

/// Compresses one frame after the other with the same memory.
///
/// The same version of the library gives the same bytes for the same content.
package final class ZstdCompressor {
    private let context: OpaquePointer

    /// What is looked for in the content.
    package enum Search: Sendable {
        /// What the level says.
        case level(Int32)
        /// Long repeats only, and those at a glance: what is left is a Huffman code of the bytes. On planes of exponents that is
        /// three times as fast as level 1, and smaller: their short repeats are chance, and cost more to name than to spell.
        case frequencies
    }

    /// - Parameter checksum: whether frames carry a checksum of their content. What has its own does without.
    package convenience init(level: Int32 = 3, checksum: Bool = true) {
        self.init(.level(level), checksum: checksum)
    }

    package init(_ search: Search, checksum: Bool) {
        guard let context = ZSTD_createCCtx() else { preconditionFailure("out of memory for a zstd context") }
        self.context = context
        var parameters: [(ZSTD_cParameter, Int32)] = [
            (ZSTD_c_contentSizeFlag, 1), (ZSTD_c_checksumFlag, checksum ? 1 : 0),
        ]
        switch search {
        case .level(let level): parameters.append((ZSTD_c_compressionLevel, level))
        case .frequencies: parameters += [(ZSTD_c_compressionLevel, 1), (ZSTD_c_hashLog, 6), (ZSTD_c_minMatch, 7)]
        }
        for (parameter, value) in parameters {
            let status = ZSTD_CCtx_setParameter(context, parameter, value)
            precondition(ZSTD_isError(status) == 0, "zstd refuses \(search)")
        }
    }

    deinit {
        ZSTD_freeCCtx(context)
    }

    /// - Parameter frame: has at least `Zstd.bound` bytes of room.
    /// - Returns: the bytes of the frame.
    package func compress(_ content: UnsafeRawBufferPointer, into frame: UnsafeMutableRawBufferPointer) -> Int {
        let written = ZSTD_compress2(
            context, frame.baseAddress, frame.count, content.baseAddress, content.count)
        precondition(ZSTD_isError(written) == 0, "zstd: \(ZstdError(written).message)")
        return written
    }

    /// - Returns: the bytes of the frame; nil when they do not fit into `frame`, or hardly (zstd wants a few bytes to spare). It then holds
    ///   rubbish.
    package func compress(_ content: UnsafeRawBufferPointer, fitting frame: UnsafeMutableRawBufferPointer) -> Int? {
        let written = ZSTD_compress2(
            context, frame.baseAddress, frame.count, content.baseAddress, content.count)
        return ZSTD_isError(written) == 0 ? written : nil
    }
}

/// Decompresses one frame after the other with the same memory.
package final class ZstdDecompressor {
    private let context: OpaquePointer

    package init() {
        guard let context = ZSTD_createDCtx() else { preconditionFailure("out of memory for a zstd context") }
        self.context = context
    }

    deinit {
        ZSTD_freeDCtx(context)
    }

    /// Decompresses exactly one frame that holds exactly `content.count` bytes. Never writes elsewhere, whatever the frame says, and
    /// allocates nothing.
    package func decompress(
        _ frame: UnsafeRawBufferPointer, into content: UnsafeMutableRawBufferPointer
    ) throws(ZstdError) {
        // Neither skippable frames nor those of versions before 1.0.
        guard frame.count >= 4, frame.loadUnaligned(as: UInt32.self) == UInt32(ZSTD_MAGICNUMBER).littleEndian else {
            throw ZstdError(message: "no zstd frame")
        }
        let end = ZSTD_findFrameCompressedSize(frame.baseAddress, frame.count)
        guard ZSTD_isError(end) == 0 else { throw ZstdError(end) }
        guard end == frame.count else { throw ZstdError(message: "\(frame.count - end) bytes follow the frame") }
        let written = ZSTD_decompressDCtx(context, content.baseAddress, content.count, frame.baseAddress, frame.count)
        guard ZSTD_isError(written) == 0 else { throw ZstdError(written) }
        guard written == content.count else {
            throw ZstdError(message: "a zstd frame of \(written) bytes instead of \(content.count)")
        }
    }
}

/// Bytes that are no frame, or not the whole of one.
package struct ZstdError: Error, Sendable, CustomStringConvertible {
    package let message: String

    init(message: String) {
        self.message = message
    }

    init(_ status: Int) {
        message = String(cString: ZSTD_getErrorName(status))
    }

    package var description: String { message }
}
