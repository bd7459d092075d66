import Buffers
import ObjectStores
import ReplicationModel
import Synchronization
import Testing
import Vault

@Suite struct PackWriterTests {
    @Test func placesChunksOfManyTasksAndGivesThemBack() async throws {
        let fixture = PackFixture()
        let memory = PackMemory(
            packSize: fixture.packSize, limit: PackMemory.smallest(packSize: fixture.packSize))
        let writer = fixture.writer(memory: memory)
        let chunks = PackFixture.chunks(3000, upTo: 40_000, seed: 1)
        let locations = try await fixture.add(chunks, to: writer, tasks: 32)
        try await writer.flush()
        #expect(memory.peak <= memory.limit)
        #expect(memory.inUse == 0)

        let packs = writer.takeFinished()
        #expect(packs.count > 50)
        #expect(writer.takeFinished().isEmpty)
        #expect(writer.storedBytes == packs.reduce(0) { $0 + $1.size })
        let reader = fixture.reader()
        var byPack: [PackName: [ChunkID: ChunkLocation]] = [:]
        for (chunk, location) in zip(chunks, locations) {
            byPack[location.pack, default: [:]][fixture.id(of: chunk)] = location
        }
        #expect(Set(packs.map(\.name)) == Set(byPack.keys))
        for pack in packs {
            #expect(Padding.padded(Int(pack.size)) == Int(pack.size))
            #expect(pack.size <= fixture.packSize)
            let footer = try await reader.footer(of: pack.name)
            #expect(Dictionary(footer, uniquingKeysWith: { a, _ in a }) == byPack[pack.name])
        }
        for (index, chunk) in chunks.enumerated() {
            let range = index % 3 == 0 ? chunk.count / 3..<chunk.count - chunk.count / 4 : 0..<chunk.count
            let found = await fixture.read(chunk, at: [locations[index]], range, by: reader)
            try #require(found.failure == nil && found.bytes == Array(chunk[range]))
        }
    }

    @Test func usesTwoPacksAtATimeByChance() async throws {
        let fixture = PackFixture(packSize: 1 << 20)
        let writer = fixture.writer()
        var order: [PackName] = []
        for chunk in PackFixture.chunks(64, upTo: 100, seed: 2) {
            order.append(try await fixture.add(chunk, to: writer).pack)
        }
        try await writer.flush()
        #expect(Set(order).count == 2)
        // The chance that 64 fair throws give at most 4 changes of side is below 1 in 10¹².
        #expect(zip(order, order.dropFirst()).count { $0 != $1 } > 4)
    }

    @Test func uploadsNoMoreThanAFewChunksNeed() async throws {
        let fixture = PackFixture(packSize: 32 << 20)
        let writer = fixture.writer(.metadata)
        _ = try await fixture.add(Array("tiny".utf8), to: writer)
        try await writer.flush()
        #expect(writer.storedBytes == Int64(Padding.padded(96 + (4 + 16) + (12 + 48 + 16) + 48)))
        // It goes on.
        _ = try await fixture.add(Array("more".utf8), to: writer)
        try await writer.flush()
        #expect(writer.takeFinished().count == 2)
        try await writer.flush()
        #expect(writer.takeFinished().isEmpty)
    }

    @Test func endsAPackAtItsMostRows() async throws {
        let fixture = PackFixture(packSize: 8 << 20)
        let writer = fixture.writer()
        // 48 bytes of row and 17 of record: more than two packs' rows, less than two packs' bytes.
        let chunk: [UInt8] = [1]
        var counts: [PackName: Int] = [:]
        for _ in 0..<140_000 { counts[try await fixture.add(chunk, to: writer).pack, default: 0] += 1 }
        try await writer.flush()
        #expect(counts.values.max() == 65_536)
        for pack in writer.takeFinished() {
            #expect(try await fixture.reader().footer(of: pack.name).count == counts[pack.name])
        }
    }

    @Test func refusesChunksThatNoPackHolds() async throws {
        let fixture = PackFixture(packSize: 64 << 10)
        let writer = fixture.writer()
        for count in [0, 64 << 10] {
            await #expect(throws: VaultError.self) {
                try await fixture.add(Array(repeating: 1, count: count), to: writer)
            }
        }
        _ = try await fixture.add([1], to: writer)
        try await writer.flush()
    }

    /// A store so slow that all memory is taken: data and metadata wait for each other's uploads, never for each other.
    @Test func waitsForASlowStoreInTheSmallestMemory() async throws {
        let gate = TestGate()
        let slow = FaultStore(MemoryStore()) { operation, _, _ in
            operation == .put ? .before { await gate.wait() } : nil
        }
        let fixture = PackFixture(packSize: 64 << 10, store: slow)
        let memory = PackMemory(packSize: fixture.packSize, limit: PackMemory.smallest(packSize: fixture.packSize))
        let writers = [fixture.writer(.data, memory: memory), fixture.writer(.metadata, memory: memory)]
        let chunks = PackFixture.chunks(400, upTo: 8000, seed: 3)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for writer in writers { group.addTask { _ = try await fixture.add(chunks, to: writer) } }
            // Let uploads begin before the store works.
            while slow.count(.put) < 2 { await Task.yield() }
            gate.open()
            try await group.waitForAll()
        }
        for writer in writers { try await writer.flush() }
        #expect(memory.peak <= memory.limit)
        #expect(memory.inUse == 0)
    }

    @Test func uploadsNothingThatDoesNotOpenAgain() async throws {
        let fixture = PackFixture()
        let number = Mutex(0)
        let writer = fixture.writer(tamper: { record in
            let isThis = number.withLock { number in
                number += 1
                return number == 5
            }
            if isThis { record[record.count / 2] ^= 4 }
        })
        let chunks = PackFixture.chunks(5, upTo: 1000, seed: 4)
        for chunk in chunks.dropLast() { _ = try await fixture.add(chunk, to: writer) }
        for _ in 0..<2 {
            let failure = await #expect(throws: VaultError.self) { try await fixture.add(chunks[4], to: writer) }
            #expect(failure?.code == .damaged)
        }
        let failure = await #expect(throws: VaultError.self) { try await writer.flush() }
        #expect(failure?.code == .damaged)
        #expect(try await fixture.store.list(ListRequest()).objects.isEmpty)
    }

    @Test func refusesAnIDThatIsNotTheChunks() async throws {
        let fixture = PackFixture()
        let writer = fixture.writer()
        let bytes = TestBytes([1, 2, 3])
        let failure = await #expect(throws: VaultError.self) {
            try await writer.add(fixture.id(of: [4]), bytes.bytes, elementWidth: 1)
        }
        #expect(failure?.code == .damaged)
    }
}
