import Cryptography
import ReplicationModel

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// How fast one core does each step that a chunk goes through, over given bytes.
///
/// The time is the thread's on its core: what else the machine does hardly matters.
package struct StageSpeed: Sendable {
    package enum Stage: String, CaseIterable, Sendable {
        case chunk
        case hash = "BLAKE3"
        case lz4Compress = "LZ4 compress"
        case lz4Decompress = "LZ4 decompress"
        case zstdCompress = "zstd compress"
        case zstdDecompress = "zstd decompress"
        case autoCompress = "auto compress"
        case autoDecompress = "auto decompress"
        case seal = "AES-256-GCM seal"
        case open = "AES-256-GCM open"
        /// Cut, hash, compress as `auto` does, seal; then open, decompress and hash again.
        case whole
    }

    package let stage: Stage
    /// Of plain bytes.
    package let bytesPerSecond: Double
    /// Stored bytes for each plain one; only for those that compress.
    package let ratio: Double?

    /// Runs every stage by itself on the calling thread, over and over for at least `duration`. It takes as much
    /// memory again as `bytes` has.
    ///
    /// - Precondition: there is at least one byte.
    package static func measure(
        _ bytes: UnsafeRawBufferPointer, profile: ChunkerProfile = .standard, zstdLevel: Int32 = 3,
        atLeast duration: Duration
    ) -> [StageSpeed] {
        precondition(!bytes.isEmpty, "nothing to measure with")
        let bench = StageBench(bytes, profile)
        defer { bench.memory.deallocate() }
        return Stage.allCases.map { stage in
            let work = bench.work(stage, zstdLevel: zstdLevel)
            let start = threadTime()
            var rounds = 0
            var stored = 0
            var elapsed = Duration.zero
            repeat {
                stored = work()
                rounds += 1
                elapsed = threadTime() - start
            } while elapsed < duration
            let isCompressing = [.lz4Compress, .zstdCompress, .autoCompress, .whole].contains(stage)
            return StageSpeed(
                stage: stage, bytesPerSecond: Double(rounds * bytes.count) / max(elapsed / .seconds(1), 1e-9),
                ratio: isCompressing ? Double(stored) / Double(bytes.count) : nil)
        }
    }

    /// What the calling thread has had of a core.
    private static func threadTime() -> Duration {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
    }
}

/// The chunks of the bytes, and room for what becomes of each.
private struct StageBench {
    private struct Chunk {
        var range: Range<Int>
        var width: Int
    }

    private let bytes: UnsafeRawBufferPointer
    private let profile: ChunkerProfile
    private let chunks: [Chunk]
    private let hasher = ChunkHasher(key: Secret([UInt8](repeating: 7, count: 32)))
    private let cipher = AES256GCM(key: Secret([UInt8](repeating: 9, count: AES256GCM.keyLength)))
    /// For each chunk its bytes and a tag, one after the other; then one more of the largest.
    let memory: UnsafeMutableRawBufferPointer

    init(_ bytes: UnsafeRawBufferPointer, _ profile: ChunkerProfile) {
        self.bytes = bytes
        self.profile = profile
        var chunks: [Chunk] = []
        Self.cut(bytes, profile) { chunks.append(Chunk(range: $0, width: $1)) }
        self.chunks = chunks
        let largest = chunks.reduce(0) { max($0, $1.range.count) }
        memory = .allocate(
            byteCount: bytes.count + largest + (chunks.count + 1) * AES256GCM.tagLength, alignment: 64)
    }

    private static func cut(
        _ bytes: UnsafeRawBufferPointer, _ profile: ChunkerProfile, _ body: (Range<Int>, Int) -> Void
    ) {
        var chunker = Chunker(profile, objectSize: Int64(bytes.count))
        var start = 0
        while start < bytes.count {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[start...])
            let end = start + (chunker.nextCut(in: rest) ?? rest.count)
            body(start..<end, chunker.elementWidth)
            start = end
        }
    }

    /// One round over all chunks; it returns the bytes that it would store, if it stores.
    func work(_ stage: StageSpeed.Stage, zstdLevel: Int32) -> () -> Int {
        switch stage {
        case .chunk:
            return {
                var count = 0
                Self.cut(bytes, profile) { _, _ in count += 1 }
                return count
            }
        case .hash: return { chunks.reduce(0) { $0 ^ Int(truncatingIfNeeded: hasher.id(of: plain($1)).words.0) } }
        case .lz4Compress: return compress(.lz4, zstdLevel)
        case .lz4Decompress: return decompress(.lz4, zstdLevel)
        case .zstdCompress: return compress(.zstd, zstdLevel)
        case .zstdDecompress: return decompress(.zstd, zstdLevel)
        case .autoCompress: return compress(.auto, zstdLevel)
        case .autoDecompress: return decompress(.auto, zstdLevel)
        case .seal:
            return {
                for index in chunks.indices { seal(plain(chunks[index]), index) }
                return bytes.count
            }
        case .open:
            for index in chunks.indices { seal(plain(chunks[index]), index) }
            return {
                for index in chunks.indices { open(chunks[index].range.count, index, into: spare) }
                return bytes.count
            }
        case .whole: return whole(zstdLevel)
        }
    }

    private func compress(_ policy: CompressionPolicy, _ zstdLevel: Int32) -> () -> Int {
        let compressor = ChunkCompressor(policy, zstdLevel: zstdLevel)
        return {
            chunks.indices.reduce(0) { sum, index in
                let chunk = chunks[index]
                return sum + compressor.compress(plain(chunk), elementWidth: chunk.width, into: place(index)).count
            }
        }
    }

    private func decompress(_ policy: CompressionPolicy, _ zstdLevel: Int32) -> () -> Int {
        let compressor = ChunkCompressor(policy, zstdLevel: zstdLevel)
        let decompressor = ChunkDecompressor()
        let stored = chunks.indices.map { index in
            let chunk = plain(chunks[index])
            let result = compressor.compress(chunk, elementWidth: chunks[index].width, into: place(index))
            if result.codec == .raw { place(index).copyMemory(from: chunk) }
            return result
        }
        return {
            for index in chunks.indices {
                let (codec, count) = stored[index]
                let source = UnsafeRawBufferPointer(rebasing: place(index)[..<count])
                expand(source, codec, chunks[index].range.count, decompressor, into: spare)
            }
            return bytes.count
        }
    }

    private func whole(_ zstdLevel: Int32) -> () -> Int {
        let compressor = ChunkCompressor(.auto, zstdLevel: zstdLevel)
        let decompressor = ChunkDecompressor()
        return {
            var stored = 0
            var index = 0
            Self.cut(bytes, profile) { range, width in
                let chunk = UnsafeRawBufferPointer(rebasing: bytes[range])
                let id = hasher.id(of: chunk)
                let (codec, count) = compressor.compress(chunk, elementWidth: width, into: spare)
                let packed = codec == .raw ? chunk : UnsafeRawBufferPointer(rebasing: spare[..<count])
                seal(packed, index)
                // In place, then back to where it was compressed.
                open(count, index, into: place(index))
                let opened = UnsafeRawBufferPointer(rebasing: place(index)[..<count])
                expand(opened, codec, chunk.count, decompressor, into: spare)
                let again = hasher.id(of: UnsafeRawBufferPointer(rebasing: spare[..<chunk.count]))
                precondition(again == id, "a chunk came back changed")
                stored += count
                index += 1
            }
            return stored
        }
    }

    private func plain(_ chunk: Chunk) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: bytes[chunk.range])
    }

    /// Room for a chunk and its tag.
    private func place(_ index: Int) -> UnsafeMutableRawBufferPointer {
        let range = chunks[index].range
        let start = range.lowerBound + index * AES256GCM.tagLength
        return UnsafeMutableRawBufferPointer(rebasing: memory[start..<start + range.count + AES256GCM.tagLength])
    }

    /// Room for the largest chunk.
    private var spare: UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(rebasing: memory[(bytes.count + chunks.count * AES256GCM.tagLength)...])
    }

    private func seal(_ plain: UnsafeRawBufferPointer, _ index: Int) {
        let none = UnsafeRawBufferPointer(start: nil, count: 0)
        cipher.seal(plain, nonce: (UInt64(index), 0), associated: none, into: place(index).baseAddress!)
    }

    private func open(_ count: Int, _ index: Int, into: UnsafeMutableRawBufferPointer) {
        let none = UnsafeRawBufferPointer(start: nil, count: 0)
        let sealed = UnsafeRawBufferPointer(rebasing: place(index)[..<(count + AES256GCM.tagLength)])
        let isAuthentic = cipher.open(sealed, nonce: (UInt64(index), 0), associated: none, into: into.baseAddress!)
        precondition(isAuthentic, "a sealed chunk did not open")
    }

    private func expand(
        _ stored: UnsafeRawBufferPointer, _ codec: ChunkCodec, _ count: Int, _ decompressor: ChunkDecompressor,
        into: UnsafeMutableRawBufferPointer
    ) {
        do {
            try decompressor.decompress(stored, codec, into: UnsafeMutableRawBufferPointer(rebasing: into[..<count]))
        } catch {
            preconditionFailure("a chunk did not come back: \(error)")
        }
    }
}
