import CKernels
import Compression

/// Gives chunks back their plain bytes. Used by one thread at a time; keeps its memory from chunk to chunk.
package final class ChunkDecompressor {
    private let zstd = ZstdDecompressor()
    private let planes = Scratch()

    package init() {}

    /// Fills `into`, which has the chunk's plain length, exactly.
    ///
    /// The stored bytes may be anything: nothing is read or written elsewhere, and nothing is allocated by what they say. When it throws,
    /// `into` holds rubbish.
    package func decompress(
        _ stored: UnsafeRawBufferPointer, _ codec: ChunkCodec, into: UnsafeMutableRawBufferPointer
    ) throws(ChunkCodecError) {
        switch codec {
        case .raw: try copy(stored, into: into)
        case .lz4: try expand(stored, .lz4, into: into)
        case .zstd: try expand(stored, .zstd, into: into)
        default:
            guard let width = codec.planeWidth else {
                throw ChunkCodecError(message: "codec \(codec.rawValue) is unknown")
            }
            try join(stored, width, into: into)
        }
    }

    private func copy(
        _ stored: UnsafeRawBufferPointer, into: UnsafeMutableRawBufferPointer
    ) throws(ChunkCodecError) {
        guard stored.count == into.count else {
            throw ChunkCodecError(message: "\(stored.count) stored bytes of \(into.count)")
        }
        into.copyMemory(from: stored)
    }

    private func expand(
        _ stored: UnsafeRawBufferPointer, _ form: PlaneOutput.Form, into: UnsafeMutableRawBufferPointer
    ) throws(ChunkCodecError) {
        switch form {
        case .raw: try copy(stored, into: into)
        case .lz4:
            do throws(LZ4Error) { try LZ4.decompress(stored, into: into) } catch {
                throw ChunkCodecError(message: error.message)
            }
        case .zstd:
            do throws(ZstdError) { try zstd.decompress(stored, into: into) } catch {
                throw ChunkCodecError(message: error.message)
            }
        }
    }

    private func join(
        _ stored: UnsafeRawBufferPointer, _ width: Int, into: UnsafeMutableRawBufferPointer
    ) throws(ChunkCodecError) {
        let count = into.count / width
        guard count > 0 else { throw ChunkCodecError(message: "no element in \(into.count) bytes of planes") }
        let scratch = planes.take(count * width)
        var rest = stored
        let sources = UnsafeMutablePointer<UnsafePointer<UInt8>?>.allocate(capacity: width)
        defer { sources.deallocate() }
        for index in 0..<width {
            let (form, bytes) = try takePlane(from: &rest)
            var plane = bytes
            if form == .raw {
                // Read where it lies.
                guard bytes.count == count else {
                    throw ChunkCodecError(message: "a plane of \(bytes.count) bytes instead of \(count)")
                }
            } else {
                let target = UnsafeMutableRawBufferPointer(rebasing: scratch[index * count..<(index + 1) * count])
                try expand(bytes, form, into: target)
                plane = UnsafeRawBufferPointer(target)
            }
            sources[index] = plane.baseAddress!.assumingMemoryBound(to: UInt8.self)
        }
        lockstep_planes_join(sources, count, UInt32(width), into.baseAddress)
        try copy(rest, into: UnsafeMutableRawBufferPointer(rebasing: into[(count * width)...]))
    }

    private func takePlane(
        from rest: inout UnsafeRawBufferPointer
    ) throws(ChunkCodecError) -> (PlaneOutput.Form, UnsafeRawBufferPointer) {
        guard rest.count >= PlaneOutput.headLength else { throw ChunkCodecError(message: "planes end early") }
        guard let form = PlaneOutput.Form(rawValue: rest[0]) else {
            throw ChunkCodecError(message: "form \(rest[0]) of a plane is unknown")
        }
        let length = Int(UInt32(littleEndian: rest.loadUnaligned(fromByteOffset: 1, as: UInt32.self)))
        guard length <= rest.count - PlaneOutput.headLength else {
            throw ChunkCodecError(message: "planes end early")
        }
        let end = PlaneOutput.headLength + length
        let bytes = UnsafeRawBufferPointer(rebasing: rest[PlaneOutput.headLength..<end])
        rest = UnsafeRawBufferPointer(rebasing: rest[end...])
        return (form, bytes)
    }
}

/// Stored bytes that are not what the codec says, or not a chunk of the expected length.
package struct ChunkCodecError: Error, Sendable, CustomStringConvertible {
    package let message: String

    package var description: String { message }
}
