import Buffers
import ChunkPipeline
import Cryptography
import Digests
import ObjectStores
import ReplicationModel
import Synchronization
import Testing
import Vault

/// A vault's keys and a store, with small packs.
struct PackFixture {
    let keys = KeyRing.generate(repository: Array(repeating: 7, count: 32))
    let session = SessionName(base: 1, random: Array(0..<8))
    let packSize: Int
    let store: any ObjectStore
    let hasher: ChunkHasher

    init(packSize: Int = 256 << 10, store: any ObjectStore = MemoryStore()) {
        self.packSize = packSize
        self.store = store
        hasher = ChunkHasher(key: keys.chunkIDKey)
    }

    func writer(
        _ kind: PackWriter.Kind = .data, memory: PackMemory? = nil, to store: (any ObjectStore)? = nil,
        tamper: (@Sendable (UnsafeMutableRawBufferPointer) -> Void)? = nil
    ) -> PackWriter {
        PackWriter(
            store: store ?? self.store, keys: keys, chunker: .fixed(size: 64 << 10), compression: .auto,
            session: session, kind: kind,
            memory: memory ?? PackMemory(packSize: packSize), time: TimeThatDoesNotWait(), tamper: tamper)
    }

    func reader(of store: (any ObjectStore)? = nil, blockSize: Int = 16 << 10) -> PackReader {
        PackReader(store: store ?? self.store, keys: keys, memory: 4 * blockSize, blockSize: blockSize)
    }

    func id(of bytes: [UInt8]) -> ChunkID { bytes.withUnsafeBytes { hasher.id(of: $0) } }

    func add(_ bytes: [UInt8], to writer: PackWriter) async throws(VaultError) -> ChunkLocation {
        let memory = TestBytes(bytes)
        defer { withExtendedLifetime(memory) {} }
        return try await writer.add(id(of: bytes), memory.bytes, elementWidth: 1)
    }

    /// Reads one chunk, or a range of it. What is in the destination is returned in any case.
    func read(
        _ bytes: [UInt8], at locations: [ChunkLocation], _ range: Range<Int>? = nil, by reader: PackReader
    ) async -> (bytes: [UInt8], failure: VaultError?) {
        let range = range ?? 0..<bytes.count
        let destination = TestBytes(Array(repeating: 0xAA, count: range.count))
        var failure: VaultError?
        do throws(VaultError) {
            try await reader.read([
                ChunkRead(id(of: bytes), at: locations, range: range, into: destination.memory.baseAddress!)
            ])
        } catch {
            failure = error
        }
        return (Array(destination.bytes), failure)
    }

    /// Adds all chunks from so many tasks.
    func add(_ chunks: [[UInt8]], to writer: PackWriter, tasks: Int = 16) async throws -> [ChunkLocation] {
        let next = TestCounter()
        return try await withThrowingTaskGroup(of: [(Int, ChunkLocation)].self) { group in
            for _ in 0..<tasks {
                group.addTask {
                    var added: [(Int, ChunkLocation)] = []
                    while true {
                        let index = next.next()
                        guard index < chunks.count else { return added }
                        added.append((index, try await add(chunks[index], to: writer)))
                    }
                }
            }
            var locations: [ChunkLocation?] = Array(repeating: nil, count: chunks.count)
            for try await added in group { for (index, location) in added { locations[index] = location } }
            return locations.map { $0! }
        }
    }

    /// The whole object as stored.
    func stored(_ name: String, in store: (any ObjectStore)? = nil) async throws -> [UInt8] {
        let store = store ?? self.store
        let size = try await store.head(ObjectKey(name)).object.size
        let buffer = try await BufferPool(limit: BufferPool.footprint(Int(size))).acquire(Int(size))
        _ = try await store.read(
            ReadRequest(key: ObjectKey(name), range: ByteRange(offset: 0, length: size), version: nil), into: buffer)
        return buffer.slice(Int(size)).withUnsafeBytes { Array($0) }
    }

    /// Replaces an object.
    static func put(_ bytes: [UInt8], _ name: String, to store: any ObjectStore) async throws {
        let buffer = try await BufferPool(limit: BufferPool.footprint(bytes.count)).acquire(bytes.count)
        bytes.withUnsafeBytes { buffer.base.copyMemory(from: $0.baseAddress!, byteCount: $0.count) }
        let body = buffer.slice(bytes.count)
        _ = try await store.put(
            PutRequest(
                key: ObjectKey(name), body: body, digest: body.withUnsafeBytes { ContentDigest(of: $0) },
                attributes: ObjectAttributes(), condition: .unconditional))
    }

    /// Chunks of many lengths, some of which compress; the same ones for the same seed.
    static func chunks(_ count: Int, upTo longest: Int, seed: UInt64) -> [[UInt8]] {
        var random = SeededGenerator(state: seed)
        return (0..<count).map { index in
            let length = Int.random(in: 1...longest, using: &random)
            let spread: UInt8 = index % 2 == 0 ? 255 : 3
            return (0..<length).map { _ in UInt8.random(in: 0...spread, using: &random) }
        }
    }
}

/// SplitMix64.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}

/// Memory with an address, as long as somebody holds it.
final class TestBytes: @unchecked Sendable {
    let memory: UnsafeMutableRawBufferPointer

    init(_ bytes: [UInt8]) {
        memory = .allocate(byteCount: max(1, bytes.count), alignment: 16)
        memory.copyBytes(from: bytes)
        self.count = bytes.count
    }

    deinit { memory.deallocate() }

    private let count: Int
    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: memory[..<count]) }
}

/// Counts from 0.
final class TestCounter: Sendable {
    private let value = Mutex(0)

    func next() -> Int {
        value.withLock { value in
            defer { value += 1 }
            return value
        }
    }
}

struct TimeThatDoesNotWait: Timekeeper {
    func now() -> Int64 { 0 }
    func monotonic() -> Int64 { 0 }
    func sleep(for duration: Duration) async throws { try Task.checkCancellation() }
}

/// Opened once; whoever comes before waits, unless cancelled.
final class TestGate: Sendable {
    private let pair = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))

    func open() { pair.continuation.finish() }

    func wait() async { for await _ in pair.stream {} }
}
