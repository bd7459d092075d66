import Buffers
import ObjectStores
import ReplicationModel
import Synchronization
import Testing
import Vault

@Suite struct PackReaderTests {
    /// One small pack with three chunks.
    private func smallPack() async throws -> (PackFixture, chunks: [[UInt8]], locations: [ChunkLocation], [UInt8]) {
        let fixture = PackFixture()
        while true {
            let writer = fixture.writer()
            let chunks = [Array("first".utf8), Array(repeating: 9, count: 300), Array((0..<200).map { UInt8($0) })]
            var locations: [ChunkLocation] = []
            for chunk in chunks { locations.append(try await fixture.add(chunk, to: writer)) }
            try await writer.flush()
            // By chance all in one pack: one of four times.
            guard Set(locations.map(\.pack)).count == 1 else { continue }
            return (fixture, chunks, locations, try await fixture.stored(locations[0].pack.text))
        }
    }

    @Test func findsEveryChangedByte() async throws {
        let (fixture, chunks, locations, sound) = try await smallPack()
        let pack = locations[0].pack
        for place in sound.indices {
            var bytes = sound
            bytes[place] ^= 1 << UInt8(place % 8)
            let store = MemoryStore()
            try await PackFixture.put(bytes, pack.text, to: store)
            await #expect(throws: VaultError.self, "byte \(place)") {
                try await KeylessVerifier(store: store).verify(pack.text)
            }

            let reader = fixture.reader(of: store)
            var failures = 0
            for (chunk, location) in zip(chunks, locations) {
                let found = await fixture.read(chunk, at: [location], by: reader)
                if found.failure == nil {
                    #expect(found.bytes == chunk)
                } else {
                    failures += 1
                    #expect(found.failure?.object == pack.text)
                    #expect(found.bytes.allSatisfy { $0 == 0 || $0 == 0xAA })
                }
            }
            var isFooterSound = true
            do throws(VaultError) { _ = try await reader.footer(of: pack) } catch { isFooterSound = false }
            let firstOfFooter = Int(locations.map { $0.offset + $0.storedLength }.max()!)
            switch place {
            case ..<96: #expect(failures == 3 && !isFooterSound, "byte \(place)")
            case ..<firstOfFooter: #expect(failures == 1 && isFooterSound, "byte \(place)")
            // The hash of the trailer says nothing of the footer.
            case (sound.count - 40)..<(sound.count - 8): #expect(failures == 0 && isFooterSound, "byte \(place)")
            default: #expect(failures == 0 && !isFooterSound, "byte \(place)")
            }
            let verification = try await reader.verify(pack)
            #expect(!verification.damages.isEmpty, "byte \(place)")
            if (96..<firstOfFooter).contains(place) {
                // The record, and the hash over all.
                #expect(verification.damages.map { $0.id == nil } == [false, true])
            }
        }
        let reader = fixture.reader()
        let verification = try await reader.verify(pack)
        #expect(verification.damages.isEmpty)
        #expect(verification.records == 3 && verification.plainBytes == 505)
        #expect(try await KeylessVerifier(store: fixture.store).verify(pack.text) == Int64(sound.count))
    }

    @Test func findsEveryTruncation() async throws {
        let (fixture, chunks, locations, sound) = try await smallPack()
        let pack = locations[0].pack
        for count in 1..<sound.count {
            let store = MemoryStore()
            try await PackFixture.put(Array(sound[..<count]), pack.text, to: store)
            await #expect(throws: VaultError.self) { try await KeylessVerifier(store: store).verify(pack.text) }
            let reader = fixture.reader(of: store)
            await #expect(throws: VaultError.self) { try await reader.footer(of: pack) }
            for (chunk, location) in zip(chunks, locations) {
                let found = await fixture.read(chunk, at: [location], by: reader)
                let isThere = Int(location.offset + location.storedLength) <= count
                #expect((found.failure == nil) == isThere)
                if !isThere { #expect(found.failure?.code == .damaged) }
            }
        }
    }

    @Test func findsPacksThatChangedPlaces() async throws {
        let (fixture, chunks, locations, sound) = try await smallPack()
        let other = PackName(session: fixture.session, id: Array(repeating: 3, count: 16), isMetadata: false)
        try await PackFixture.put(sound, other.text, to: fixture.store)
        let reader = fixture.reader()
        var moved = locations[0]
        moved.pack = other
        let found = await fixture.read(chunks[0], at: [moved], by: reader)
        #expect(found.failure?.code == .damaged)
        #expect(found.failure?.object == other.text)
        await #expect(throws: VaultError.self) { try await reader.footer(of: other) }
        // Of the same bytes as another type.
        moved.pack = PackName(session: fixture.session, id: locations[0].pack.id, isMetadata: true)
        #expect(await fixture.read(chunks[0], at: [moved], by: reader).failure?.code == .damaged)
        // One record in place of another.
        #expect(await fixture.read(chunks[0], at: [locations[1]], 0..<5, by: reader).failure?.code == .damaged)
    }

    @Test func takesTheNextLocation() async throws {
        let (fixture, chunks, locations, sound) = try await smallPack()
        let missing = PackName(session: fixture.session, id: Array(repeating: 1, count: 16), isMetadata: false)
        let damaged = PackName(session: fixture.session, id: Array(repeating: 2, count: 16), isMetadata: false)
        try await PackFixture.put(sound, damaged.text, to: fixture.store)
        var (first, second) = (locations[2], locations[2])
        first.pack = missing
        second.pack = damaged
        let reader = fixture.reader()
        let found = await fixture.read(chunks[2], at: [first, second, locations[2]], by: reader)
        #expect(found.failure == nil && found.bytes == chunks[2])
        let failed = await fixture.read(chunks[2], at: [first, second], by: reader)
        #expect(failed.failure?.code == .missing)
        #expect(failed.failure?.object == missing.text)
        #expect(await fixture.read(chunks[2], at: [], by: reader).failure?.code == .missing)
    }

    @Test func refusesImpossibleRows() async throws {
        let (fixture, chunks, locations, _) = try await smallPack()
        let reader = fixture.reader()
        for change in [
            { $0.offset = 0 }, { $0.offset = .max }, { $0.storedLength = 3 }, { $0.storedLength = .max },
            { $0.plainLength = .max }, { $0.plainLength += 1 },
        ] as [(inout ChunkLocation) -> Void] {
            var location = locations[0]
            change(&location)
            let found = await fixture.read(chunks[0], at: [location], 0..<5, by: reader)
            #expect(found.failure?.code == .damaged)
        }
    }

    /// Many callers with room for four blocks, each of whom wants more of them than there can be.
    @Test func servesManyCallersInTheSmallestMemory() async throws {
        let base = MemoryStore()
        let counted = FaultStore(base) { _, _, _ in nil }
        let fixture = PackFixture(store: base)
        let writer = fixture.writer()
        let chunks = PackFixture.chunks(60, upTo: 40_000, seed: 9)
        let locations = try await fixture.add(chunks, to: writer)
        try await writer.flush()
        let reader = fixture.reader(of: counted)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for caller in 0..<32 {
                group.addTask {
                    var random = SeededGenerator(state: UInt64(caller))
                    let order = chunks.indices.shuffled(using: &random)
                    let destinations = order.map { TestBytes(Array(repeating: 0, count: chunks[$0].count)) }
                    try await reader.read(
                        zip(order, destinations).map { index, destination in
                            ChunkRead(
                                fixture.id(of: chunks[index]), at: [locations[index]], range: 0..<chunks[index].count,
                                into: destination.memory.baseAddress!)
                        })
                    for (index, destination) in zip(order, destinations) {
                        #expect(destination.bytes.elementsEqual(chunks[index]))
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(reader.peak <= 4 * 16 << 10)
    }

    @Test func fetchesABlockOnceForAll() async throws {
        let base = MemoryStore()
        let gate = TestGate()
        let slow = FaultStore(base) { operation, _, _ in operation == .read ? .before { await gate.wait() } : nil }
        let fixture = PackFixture(store: base)
        let writer = fixture.writer()
        let chunk: [UInt8] = [1, 2, 3]
        let location = try await fixture.add(chunk, to: writer)
        try await writer.flush()
        let reader = fixture.reader(of: slow)
        await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<4 { group.addTask { await fixture.read(chunk, at: [location], by: reader).bytes == chunk } }
            while slow.count(.read) == 0 { await Task.yield() }
            gate.open()
            for await isRight in group { #expect(isRight) }
        }
        #expect(slow.count(.read) == 1)
        #expect(slow.count(.head) == 0)
        #expect(await fixture.read(chunk, at: [location], by: reader).failure == nil)
        #expect(slow.count(.read) == 1)
    }

    @Test func passesOnTheStoresFailuresAndTriesAgainLater() async throws {
        let base = MemoryStore()
        let faulty = FaultStore(base) { operation, _, number in
            operation == .read && number == 0 ? .error(.unavailable, .transient) : nil
        }
        let fixture = PackFixture(store: base)
        let writer = fixture.writer()
        let chunk: [UInt8] = [1, 2, 3]
        let location = try await fixture.add(chunk, to: writer)
        try await writer.flush()
        let reader = fixture.reader(of: faulty)
        let failed = await fixture.read(chunk, at: [location], by: reader)
        #expect(failed.failure?.store?.code == .unavailable)
        #expect(failed.bytes == [0xAA, 0xAA, 0xAA])
        #expect(await fixture.read(chunk, at: [location], by: reader).bytes == chunk)
    }

    @Test func anInterruptedCallerLeavesTheOthersTheirBlock() async throws {
        let base = MemoryStore()
        let gate = TestGate()
        let slow = FaultStore(base) { operation, _, number in
            operation == .read && number == 0 ? .interrupted { await gate.wait() } : nil
        }
        let fixture = PackFixture(store: base)
        let writer = fixture.writer()
        let chunk: [UInt8] = [1, 2, 3]
        let location = try await fixture.add(chunk, to: writer)
        try await writer.flush()
        let reader = fixture.reader(of: slow)
        let first = Task { await fixture.read(chunk, at: [location], by: reader) }
        while slow.count(.read) == 0 { await Task.yield() }
        let second = Task { await fixture.read(chunk, at: [location], by: reader) }
        first.cancel()
        #expect(await first.value.failure?.code == .cancelled)
        #expect(await second.value.bytes == chunk)
    }

    @Test func verifiesPacksOfManyBlocks() async throws {
        let fixture = PackFixture()
        let writer = fixture.writer()
        let chunks = PackFixture.chunks(40, upTo: 40_000, seed: 10)
        let locations = try await fixture.add(chunks, to: writer)
        try await writer.flush()
        let reader = fixture.reader()
        var records = 0
        for pack in writer.takeFinished() {
            let verification = try await reader.verify(pack.name)
            #expect(verification.damages.isEmpty && verification.size == pack.size)
            records += verification.records
            #expect(try await KeylessVerifier(store: fixture.store).verify(pack.name.text) == pack.size)
        }
        #expect(records == chunks.count)

        // One bit of two records.
        let pack = locations[0].pack
        let inside = locations.filter { $0.pack == pack }.sorted { $0.offset < $1.offset }
        var bytes = try await fixture.stored(pack.text)
        for location in [inside.first!, inside.last!] { bytes[Int(location.offset)] ^= 1 }
        try await PackFixture.put(bytes, pack.text, to: fixture.store)
        let verification = try await fixture.reader().verify(pack)
        #expect(verification.damages.count == 3)
        #expect(verification.damages.allSatisfy { $0.error.code == .damaged })
    }

    @Test func namesWhatIsMissing() async throws {
        let fixture = PackFixture()
        let pack = PackName(session: fixture.session, id: Array(repeating: 1, count: 16), isMetadata: false)
        let reader = fixture.reader()
        for call in [
            { _ = try await reader.footer(of: pack) }, { _ = try await reader.verify(pack) },
            { _ = try await KeylessVerifier(store: fixture.store).verify(pack.text) },
        ] as [() async throws -> Void] {
            let failure = await #expect(throws: VaultError.self) { try await call() }
            #expect(failure?.code == .missing)
            #expect(failure?.object == pack.text)
        }
    }
}
