import Buffers
import ObjectStores
import ReplicationModel
import Synchronization

/// Blocks of packs as they are stored, in bounded memory: each is fetched once however many want it, and the one that was not used for
/// longest makes room.
///
/// Who wants blocks takes permits for all of them first, and holds no more than that. There are never more permits than blocks that fit,
/// so whenever somebody inserts one there is one that nobody holds to make room for it, and nobody waits for memory, only for the store.
/// Where there is memory for it there are half as many: the other half keeps what the next reads want again.
///
/// What a pack's size is becomes known with the first reply. Until then a block is read only up to the last byte that anybody is known
/// to want of the pack; who wants more of it later reads it again.
final class BlockCache: Sendable {
    struct Key: Hashable {
        let pack: PackName
        let number: Int
    }

    /// A block that somebody holds, or that is kept for the next.
    final class Block: @unchecked Sendable {
        /// First byte in the pack.
        let offset: Int
        /// Bytes that will be there.
        let count: Int
        fileprivate let arrival = Promise<Result<PooledBuffer, VaultError>>()
        /// Guarded by the cache's mutex.
        fileprivate var holders = 1
        fileprivate var lastUse: UInt64 = 0

        fileprivate init(offset: Int, count: Int) {
            self.offset = offset
            self.count = count
        }

        /// Waits until the block is there.
        func bytes() async throws(VaultError) -> UnsafeRawBufferPointer {
            let arrived: Result<PooledBuffer, VaultError>
            do throws(CancellationError) { arrived = try await arrival.value() } catch {
                throw VaultError(.cancelled, "interrupted")
            }
            return UnsafeRawBufferPointer(start: try arrived.get().base, count: count)
        }
    }

    private struct State {
        var blocks: [Key: Block] = [:]
        /// Blocks that have memory, also those that were replaced while somebody holds them.
        var resident = 0
        var clock: UInt64 = 0
    }

    let permits: BlockPermits
    /// Blocks that have memory, at most.
    private let capacity: Int
    let blockSize: Int
    private let packs: PackDirectory
    private let pool: BufferPool
    private let state = Mutex(State())

    init(_ packs: PackDirectory, memory: Int, blockSize: Int) {
        self.packs = packs
        self.blockSize = blockSize
        capacity = memory / blockSize
        permits = BlockPermits(max(min(capacity, PackReader.minBlocks), capacity / 2))
        pool = BufferPool(limit: BufferPool.footprint(capacity * BufferPool.footprint(blockSize)))
    }

    /// Largest sum of bytes of blocks so far.
    var peak: Int { pool.peak }

    /// Takes hold of one block, which another task may be fetching. The caller has a permit for it; `release` must follow.
    /// - Parameter end: the block is wanted up to this byte of the pack at least.
    func hold(_ key: Key, through end: Int) async throws(VaultError) -> Block {
        while true {
            let size = packs.size(of: key.pack)
            if let size, end > size { throw PackDirectory.tooShort(key.pack, size, end) }
            let offset = key.number * blockSize
            let count = min(blockSize, (size ?? end) - offset)
            let (block, isNew) = state.withLock { enter(key, offset: offset, count: count, needed: end - offset, &$0) }
            if isNew { await fetch(key, block) }
            do throws(VaultError) {
                _ = try await block.bytes()
                return block
            } catch {
                release(key, block)
                // Interrupted was the task that fetched it, and perhaps not this one.
                guard error.code == .cancelled, !isNew, !Task.isCancelled else { throw error }
            }
        }
    }

    func release(_ key: Key, _ block: Block) {
        state.withLock { state in
            block.holders -= 1
            if block.holders == 0, state.blocks[key] !== block { state.resident -= 1 }
        }
    }

    private func enter(
        _ key: Key, offset: Int, count: Int, needed: Int, _ state: inout State
    ) -> (Block, isNew: Bool) {
        state.clock += 1
        if let block = state.blocks[key] {
            if block.count >= needed {
                block.holders += 1
                block.lastUse = state.clock
                return (block, false)
            }
            // Too short: whoever holds it keeps it.
            state.blocks[key] = nil
            if block.holders == 0 { state.resident -= 1 }
        }
        while state.resident >= capacity {
            let oldest = state.blocks.lazy.filter { $0.value.holders == 0 }.min { $0.value.lastUse < $1.value.lastUse }
            guard let oldest else { preconditionFailure("more blocks are held than there are permits") }
            state.blocks[oldest.key] = nil
            state.resident -= 1
        }
        let block = Block(offset: offset, count: count)
        block.lastUse = state.clock
        state.blocks[key] = block
        state.resident += 1
        return (block, true)
    }

    private func fetch(_ key: Key, _ block: Block) async {
        do throws(VaultError) {
            let buffer: PooledBuffer
            do { buffer = try await pool.acquire(block.count) } catch { throw VaultError(.cancelled, "interrupted") }
            try await packs.read(key.pack, offset: block.offset, count: block.count, into: buffer)
            block.arrival.fulfil(.success(buffer))
        } catch {
            state.withLock { state in
                // Whoever holds it gives it back; the next one tries again.
                if state.blocks[key] === block { state.blocks[key] = nil }
            }
            block.arrival.fulfil(.failure(error))
        }
    }
}
