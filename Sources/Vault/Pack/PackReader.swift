import Buffers
import ChunkPipeline
package import ObjectStores
package import ReplicationModel
import Synchronization

/// Some bytes of one chunk that are wanted.
///
/// Unchecked: the destination belongs to the reader until the call returns.
package struct ChunkRead: @unchecked Sendable {
    package let id: ChunkID
    /// Where the chunk lies, tried in this order.
    package let locations: [ChunkLocation]
    /// Of the chunk's plain bytes.
    package let range: Range<Int>
    /// Room for the range.
    package let destination: UnsafeMutableRawPointer

    package init(
        _ id: ChunkID, at locations: [ChunkLocation], range: Range<Int>, into destination: UnsafeMutableRawPointer
    ) {
        self.id = id
        self.locations = locations
        self.range = range
        self.destination = destination
    }
}

/// Reads chunks out of packs.
///
/// Packs are fetched in blocks, several at a time, each once for all who want it, and kept as long as there is memory. Nothing reaches a
/// caller that was not authenticated and whose id was not computed again. Sizes and versions of packs are learnt from the replies, so
/// reading costs one request for each block, and one more of 96 bytes for a pack of which the first block is not wanted.
///
/// A read goes through its chunks in windows. For each window it takes permits for all blocks at once, and holds none while it waits for
/// them: so reads wait for each other's end, never in a circle, and the smallest memory serves any number of callers.
package final class PackReader: Sendable {
    /// Bytes of memory for blocks at least.
    package static let smallestMemory = minBlocks * standardBlockSize

    private static let standardBlockSize = 4 << 20
    /// The longest record lies in no more blocks of the standard size: 8 MiB and its tag, cut at both ends.
    static let minBlocks = 4
    /// Bytes; the longest footer and a block with the longest record fit.
    private static let maintenanceMemory = 64 << 20
    /// Blocks of one window, unless a single chunk needs more: what one read fetches at a time.
    private static let windowBlocks = 8

    let directory: PackDirectory
    let hasher: ChunkHasher
    let bench: ChunkBench
    /// For footers and whole packs, which do not go through the cache.
    let maintenance = BufferPool(limit: maintenanceMemory)
    let blockSize: Int
    private let cache: BlockCache
    private let window: Int

    /// - Parameter store: rooted at the vault.
    /// - Parameter memory: bytes for blocks. Besides, each processor has room for one chunk, stored and plain.
    /// - Parameter blockSize: of other than the standard size for tests.
    package init(store: any ObjectStore, keys: KeyRing, memory: Int, blockSize: Int? = nil) {
        self.blockSize = blockSize ?? Self.standardBlockSize
        precondition(
            memory >= Self.minBlocks * self.blockSize, "a reader of packs needs memory for \(Self.minBlocks) blocks")
        directory = PackDirectory(store: store, keys: keys)
        hasher = ChunkHasher(key: keys.chunkIDKey)
        bench = ChunkBench(.none, largest: 1 << 20)
        cache = BlockCache(directory, memory: memory, blockSize: self.blockSize)
        window = max(1, min(Self.windowBlocks, cache.permits.limit / 4))
    }

    /// Largest sum of bytes that blocks have held at a time.
    package var peak: Int { cache.peak }

    /// Reads, authenticates, decompresses and re-hashes chunks into their destinations.
    ///
    /// A chunk that cannot be had from one location is read from the next; the error thrown is that of the first. When it throws, other
    /// chunks' destinations may have been filled; that of a damaged one is wiped.
    package func read(_ wanted: [ChunkRead]) async throws(VaultError) {
        var pending = Array(wanted.indices)
        var failures: [Int: VaultError] = [:]
        var attempt = 0
        while !pending.isEmpty {
            var round = ReadPlan(blockSize: blockSize, window: window, limit: cache.permits.limit)
            for index in pending {
                let read = wanted[index]
                guard attempt < read.locations.count else {
                    throw failures[index]
                        ?? VaultError(
                            .missing, "a chunk that an object consists of is in no pack: the index is incomplete")
                }
                do throws(VaultError) { try round.add(index, read, read.locations[attempt]) } catch {
                    failures[index] = failures[index] ?? error
                }
            }
            var failed = pending.filter { !round.contains($0) }
            for window in round.windows() {
                for (index, failure) in try await self.read(window) {
                    if failure.code == .cancelled { throw failure }
                    failures[index] = failures[index] ?? failure
                    failed.append(index)
                }
            }
            pending = failed
            attempt += 1
        }
    }

    /// Reads the chunks of one window.
    /// - Returns: those that failed.
    private func read(_ window: ReadPlan.Window) async throws(VaultError) -> [(Int, VaultError)] {
        do throws(CancellationError) { try await cache.permits.acquire(window.blocks.count) } catch {
            throw VaultError(.cancelled, "interrupted")
        }
        defer { cache.permits.release(window.blocks.count) }
        let arrived = await fetch(window)
        defer {
            for (wanted, block) in zip(window.blocks, arrived.blocks) {
                if case .success(let block) = block { cache.release(wanted.key, block) }
            }
        }
        // Not on the thread of a transport, which many transfers wait for.
        return await withTaskExecutorPreference(globalConcurrentExecutor) {
            await decode(window, arrived)
        }
    }

    // MARK: Fetching

    /// What a window's chunks are made of, in the order of its blocks and packs.
    struct Arrived: Sendable {
        var blocks: [Result<BlockCache.Block, VaultError>]
        var ciphers: [Result<RecordCipher, VaultError>]
    }

    private func fetch(_ window: ReadPlan.Window) async -> Arrived {
        enum Piece {
            case block(Int, Result<BlockCache.Block, VaultError>)
            case cipher(Int, Result<RecordCipher, VaultError>)
        }
        let unknown = VaultError(.cancelled, "interrupted")
        var arrived = Arrived(
            blocks: Array(repeating: .failure(unknown), count: window.blocks.count),
            ciphers: Array(repeating: .failure(unknown), count: window.packs.count))
        await withTaskGroup(of: Piece.self) { group in
            for (index, block) in window.blocks.enumerated() {
                group.addTask {
                    do throws(VaultError) {
                        return .block(index, .success(try await self.cache.hold(block.key, through: block.end)))
                    } catch {
                        return .block(index, .failure(error))
                    }
                }
            }
            for (index, pack) in window.packs.enumerated() where pack.headerBlock == nil {
                group.addTask {
                    do throws(VaultError) {
                        return .cipher(index, .success(try await self.directory.cipher(of: pack.name)))
                    } catch {
                        return .cipher(index, .failure(error))
                    }
                }
            }
            for await piece in group {
                switch piece {
                case .block(let index, let block): arrived.blocks[index] = block
                case .cipher(let index, let cipher): arrived.ciphers[index] = cipher
                }
            }
        }
        for (index, pack) in window.packs.enumerated() {
            guard let block = pack.headerBlock else { continue }
            do throws(VaultError) {
                let bytes = try await arrived.blocks[block].get().bytes()
                arrived.ciphers[index] = .success(try directory.cipher(of: pack.name, header: bytes))
            } catch {
                arrived.ciphers[index] = .failure(error)
            }
        }
        return arrived
    }

    // MARK: Decoding

    /// Opens the chunks of a window on all processors.
    @concurrent private func decode(_ window: ReadPlan.Window, _ arrived: Arrived) async -> [(Int, VaultError)] {
        let next = Cursor()
        let workers = min(ChunkBench.processors, window.chunks.count)
        return await withTaskGroup(of: [(Int, VaultError)].self) { group in
            for _ in 0..<workers { group.addTask { await self.work(window, arrived, next) } }
            return await group.reduce(into: []) { $0 += $1 }
        }
    }

    private final class Cursor: Sendable {
        private let value = Atomic<Int>(0)

        func next() -> Int { value.wrappingAdd(1, ordering: .relaxed).oldValue }
    }

    private func work(_ window: ReadPlan.Window, _ arrived: Arrived, _ next: Cursor) async -> [(Int, VaultError)] {
        var failures: [(Int, VaultError)] = []
        var place: ChunkBench.Place?
        defer { if let place { bench.giveBack(place) } }
        while true {
            let number = next.next()
            guard number < window.chunks.count else { return failures }
            let chunk = window.chunks[number]
            do throws(VaultError) {
                if Task.isCancelled { throw VaultError(.cancelled, "interrupted") }
                if place == nil { place = try await bench.take(stored: window.maxStored, plain: window.maxPlain) }
                let cipher = try arrived.ciphers[chunk.pack].get()
                let record = try await record(of: chunk, arrived, gathering: place!.first)
                try open(chunk.read, at: chunk.location, record, cipher, place!)
            } catch {
                failures.append((chunk.index, error))
            }
        }
    }

    /// The bytes of a sealed record where they lie: in one piece or two, or gathered when they lie in more.
    struct Record {
        var first: UnsafeRawBufferPointer
        var second: UnsafeRawBufferPointer?
        /// It lies in the place's first area.
        var isGathered = false
    }

    private func record(
        of chunk: ReadPlan.Chunk, _ arrived: Arrived, gathering area: UnsafeMutableRawBufferPointer
    ) async throws(VaultError) -> Record {
        var start = Int(chunk.location.offset)
        let end = start + Int(chunk.location.storedLength)
        var pieces = (UnsafeRawBufferPointer(start: nil, count: 0), UnsafeRawBufferPointer(start: nil, count: 0))
        var gathered = 0
        for (index, number) in chunk.blocks.enumerated() {
            let block = try arrived.blocks[number].get()
            let bytes = try await block.bytes()
            let piece = UnsafeRawBufferPointer(
                rebasing: bytes[(start - block.offset)..<min(end - block.offset, bytes.count)])
            start += piece.count
            if chunk.blocks.count > 2 {
                UnsafeMutableRawBufferPointer(rebasing: area[gathered...]).copyMemory(from: piece)
                gathered += piece.count
            } else if index == 0 {
                pieces.0 = piece
            } else {
                pieces.1 = piece
            }
        }
        if chunk.blocks.count > 2 {
            return Record(first: UnsafeRawBufferPointer(rebasing: area[..<gathered]), second: nil, isGathered: true)
        }
        return Record(first: pieces.0, second: chunk.blocks.count == 2 ? pieces.1 : nil)
    }

    /// Opens one record, and gives out the wanted bytes if they are the chunk's.
    private func open(
        _ read: ChunkRead, at location: ChunkLocation, _ record: Record, _ cipher: RecordCipher,
        _ place: ChunkBench.Place
    ) throws(VaultError) {
        let isWhole = read.range == 0..<Int(location.plainLength)
        let plain =
            isWhole
            ? UnsafeMutableRawBufferPointer(start: read.destination, count: read.range.count)
            : UnsafeMutableRawBufferPointer(rebasing: place.second[..<Int(location.plainLength)])
        do throws(VaultError) {
            try open(read.id, at: location, record, cipher, place, into: plain)
        } catch {
            plain.initializeMemory(as: UInt8.self, repeating: 0)
            throw error
        }
        if !isWhole {
            read.destination.copyMemory(
                from: plain.baseAddress! + read.range.lowerBound, byteCount: read.range.count)
        }
    }

    /// Fills `plain`, which has the chunk's length, or throws `.damaged`.
    func open(
        _ id: ChunkID, at location: ChunkLocation, _ record: Record, _ cipher: RecordCipher,
        _ place: ChunkBench.Place, into plain: UnsafeMutableRawBufferPointer
    ) throws(VaultError) {
        func damaged(_ what: String) -> VaultError {
            VaultError(.damaged, object: location.pack.text, "the record at byte \(location.offset) \(what)")
        }
        let count = Int(location.storedLength) - RecordCipher.overhead
        let isDirect = location.codec == .raw && !record.isGathered
        guard location.codec != .raw || count == plain.count else { throw damaged("is not as long as the index says") }
        let opened = isDirect ? plain.baseAddress! : place.first.baseAddress!
        let offset = UInt64(location.offset)
        let isAuthentic =
            if let second = record.second {
                cipher.open(record.first, second, at: offset, into: opened)
            } else {
                cipher.open(record.first, at: offset, into: opened)
            }
        guard isAuthentic else { throw damaged("was changed: it does not open") }
        if !isDirect {
            do throws(ChunkCodecError) {
                let stored = UnsafeRawBufferPointer(start: opened, count: count)
                try place.decompressor.decompress(stored, location.codec, into: plain)
            } catch {
                throw damaged("cannot be decompressed: \(error)")
            }
        }
        guard hasher.id(of: UnsafeRawBufferPointer(plain)) == id else {
            throw damaged("holds another chunk than it should")
        }
    }
}
