import Buffers
import ChunkPipeline
import Cryptography
import Synchronization

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// The places where chunks are compressed, opened and hashed: one for each processor, each with its memory and codecs.
final class ChunkBench: Sendable {
    /// What one chunk is worked on with. Used by one task at a time.
    struct Place: Sendable {
        fileprivate let tools: Tools
        fileprivate let memory: PooledBuffer
        /// Bytes of the first area.
        fileprivate let split: Int

        var compressor: ChunkCompressor { tools.compressor }
        var decompressor: ChunkDecompressor { tools.decompressor }
        /// For stored bytes.
        var first: UnsafeMutableRawBufferPointer { UnsafeMutableRawBufferPointer(start: memory.base, count: split) }
        /// For plain bytes.
        var second: UnsafeMutableRawBufferPointer {
            UnsafeMutableRawBufferPointer(start: memory.base + split, count: memory.capacity - split)
        }
    }

    /// Unchecked: whoever took it from the bench is alone with it.
    fileprivate final class Tools: @unchecked Sendable {
        let compressor: ChunkCompressor
        let decompressor = ChunkDecompressor()

        init(_ policy: CompressionPolicy) {
            compressor = ChunkCompressor(policy)
        }
    }

    /// Processors of the machine, up to a number above which their memory would be too much.
    static let processors = max(1, min(32, sysconf(Int32(_SC_NPROCESSORS_ONLN))))

    private let policy: CompressionPolicy
    private let pool: BufferPool
    private let idle = Mutex<[Tools]>([])

    /// - Parameter largest: bytes that most chunks do not exceed; a larger one takes the room of several.
    init(_ policy: CompressionPolicy, largest: Int) {
        self.policy = policy
        pool = BufferPool(limit: max(Self.processors * Self.room(largest), Self.room(PackLayout.maxChunk)))
    }

    private static func room(_ count: Int) -> Int {
        BufferPool.footprint(ChunkCompressor.bound(count) + RecordCipher.overhead + count)
    }

    /// Waits for a place for chunks of up to `plain` bytes, and up to `stored` bytes in their first area.
    func take(stored: Int, plain: Int) async throws(VaultError) -> Place {
        let memory: PooledBuffer
        do {
            memory = try await pool.acquire(stored + plain)
        } catch {
            throw VaultError(.cancelled, "interrupted")
        }
        return Place(tools: idle.withLock { $0.popLast() } ?? Tools(policy), memory: memory, split: stored)
    }

    /// The memory goes back with the last reference to the place.
    func giveBack(_ place: Place) {
        withExtendedLifetime(place.memory) {}
        idle.withLock { if $0.count < Self.processors { $0.append(place.tools) } }
    }
}
