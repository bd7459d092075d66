import ChunkPipeline
import Cryptography
import Digests
import Foundation
import ObjectStores
import ReplicationModel
import Testing
import Vault

struct IndexChunkTests {
    private static let keys = SnapshotSamples.keys
    private static let session = SnapshotSamples.session

    /// A vault's index in a store, with what it should say.
    private struct Fixture {
        let store: any ObjectStore
        var local: any VaultLocalState = MemoryVaultState()
        var segments: [SegmentReference] = []
        var model: [ChunkID: Set<ChunkLocation>] = [:]

        mutating func write(_ rows: [(ChunkID, ChunkLocation)]) async throws {
            segments += try await SegmentWriter.write(
                rows: rows, session: session, store: store, keys: keys, local: local)
            for (id, location) in rows { model[id, default: []].insert(location) }
        }

        func load(condemned: Set<PackName> = [], time: any Timekeeper = SystemTime()) async throws -> ChunkIndex {
            try await ChunkIndex.load(
                segments, condemned: Set(condemned.map(\.text)), store: store, keys: keys, local: local, time: time)
        }

        func check(_ index: ChunkIndex) {
            for (id, locations) in model {
                #expect(Set(index.findAll(id)) == locations)
                #expect(index.find(id).map { locations.contains($0) } ?? locations.isEmpty)
            }
        }
    }

    private static func pack(_ random: inout SampleRandom) -> PackName {
        PackName(session: session, id: random.bytes(16), isMetadata: random.chance(20))
    }

    private static func rows(
        _ count: Int, in packs: [PackName], _ random: inout SampleRandom
    ) -> [(ChunkID, ChunkLocation)] {
        (0..<count).map { _ in (random.id(), location(in: packs.randomElement(using: &random)!, &random)) }
    }

    private static func location(in pack: PackName, _ random: inout SampleRandom) -> ChunkLocation {
        ChunkLocation(
            pack: pack, offset: .random(in: 96...1 << 25, using: &random),
            storedLength: .random(in: 17...1 << 20, using: &random),
            plainLength: .random(in: 1...1 << 20, using: &random), codec: .zstd)
    }

    private static func directory() -> String {
        NSTemporaryDirectory() + "lockstep-index-\(Hex.encode(SecureRandom.bytes(8)))"
    }

    @Test func findsWhatWasWritten() async throws {
        var random = SampleRandom(1)
        var fixture = Fixture(store: MemoryStore())
        let packs = (0..<20).map { _ in Self.pack(&random) }
        let rows = Self.rows(2000, in: packs, &random)
        try await fixture.write(rows + rows[..<100])
        // The same chunks in another pack, in one segment and in another.
        let other = Self.pack(&random)
        let again = rows[..<50].map { ($0.0, Self.location(in: other, &random)) }
        try await fixture.write(again + Self.rows(10, in: packs, &random))
        let index = try await fixture.load()
        #expect(index.count == 2060)
        fixture.check(index)
        for _ in 0..<2000 { #expect(index.find(random.id()) == nil) }
        #expect(Set(index.packs) == Set(packs + [other]))
        #expect(index.contains(pack: other) && !index.contains(pack: Self.pack(&random)))
        var seen: [ChunkID: Set<ChunkLocation>] = [:]
        index.forEachRow { seen[$0, default: []].insert($1) }
        #expect(seen == fixture.model)

        let condemned = try await fixture.load(condemned: [other])
        for (id, _) in again {
            #expect(condemned.find(id)!.pack != other && condemned.findLive(id)!.pack != other)
            #expect(condemned.findAll(id).count == 2)
        }
        let all = try await fixture.load(condemned: Set(packs + [other]))
        #expect(rows.allSatisfy { all.find($0.0) != nil && all.findLive($0.0) == nil })
        #expect(try await Fixture(store: MemoryStore()).load().find(rows[0].0) == nil)
    }

    @Test func cutsLongRunsIntoSegments() async throws {
        var random = SampleRandom(2)
        var fixture = Fixture(store: MemoryStore())
        let packs = (0..<9).map { _ in Self.pack(&random) }
        try await fixture.write(Self.rows(SegmentPayload.maxRows + 1000, in: packs, &random))
        #expect(fixture.segments.map(\.rows) == [SegmentPayload.maxRows, 1000])
        let index = try await fixture.load()
        for (id, locations) in fixture.model.prefix(5000) { #expect(index.find(id) == locations.first) }
    }

    @Test func mergesSmallSegmentsOnly() async throws {
        var random = SampleRandom(3)
        var fixture = Fixture(store: MemoryStore())
        let packs = (0..<12).map { _ in Self.pack(&random) }
        let shared = Self.rows(30, in: [packs[0]], &random)
        try await fixture.write(Self.rows(SegmentPayload.maxRows / 2, in: packs, &random))
        for number in 1...9 {
            #expect(SegmentMerge.plan(fixture.segments).isEmpty)
            let mine = shared.map { ($0.0, number < 3 ? $0.1 : Self.location(in: packs[number], &random)) }
            try await fixture.write(mine + Self.rows(100 * number, in: packs, &random))
        }
        let planned = SegmentMerge.plan(fixture.segments)
        #expect(planned == Array(fixture.segments[1...]))
        let merged = try await SegmentMerge.merged(
            planned, session: Self.session, store: fixture.store, keys: Self.keys, local: fixture.local)
        // Of the 9 · 30 copies two are the same.
        #expect(merged.map(\.rows) == [4500 + 270 - 30])
        fixture.segments = [fixture.segments[0]] + merged
        fixture.check(try await fixture.load())
    }

    @Test func rewritesOnlySegmentsOfDeadPacks() async throws {
        var random = SampleRandom(4)
        var fixture = Fixture(store: MemoryStore())
        let packs = (0..<6).map { _ in Self.pack(&random) }
        for number in 0..<5 {
            try await fixture.write(Self.rows(300, in: [packs[number], packs[number + 1]], &random))
        }
        try await fixture.write(Self.rows(10, in: [packs[2]], &random))
        let before = fixture.segments
        let dead: Set<PackName> = [packs[2]]
        let (segments, replaced) = try await SegmentMerge.rewritten(
            before, dropping: dead, session: Self.session, store: fixture.store, keys: Self.keys, local: fixture.local)
        #expect(replaced == [before[1], before[2], before[5]])
        #expect(segments.prefix(3) == [before[0], before[3], before[4]] && segments.count == 4)
        fixture.segments = segments
        fixture.model = fixture.model.mapValues { $0.filter { !dead.contains($0.pack) } }
        let index = try await fixture.load()
        fixture.check(index)
        #expect(!index.contains(pack: packs[2]) && index.contains(pack: packs[3]))

        let none = try await SegmentMerge.rewritten(
            segments, dropping: dead, session: Self.session, store: fixture.store, keys: Self.keys, local: fixture.local
        )
        #expect(none.segments == segments && none.replaced.isEmpty)
        let nothing = try await SegmentMerge.rewritten(
            segments, dropping: Set(packs), session: Self.session, store: fixture.store, keys: Self.keys,
            local: fixture.local)
        #expect(nothing.segments.isEmpty && nothing.replaced == segments)
    }

    @Test func readsOwnSegmentsFromTheCache() async throws {
        var random = SampleRandom(5)
        let directory = Self.directory()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let store = FaultStore(MemoryStore()) { _, _, _ in nil }
        var fixture = Fixture(store: store, local: MemoryVaultState(cacheDirectory: directory))
        try await fixture.write(Self.rows(500, in: [Self.pack(&random)], &random))
        try await fixture.write(Self.rows(500, in: [Self.pack(&random)], &random))
        fixture.check(try await fixture.load())
        #expect(store.count(.read) == 0)

        // Damaged anywhere, cut short, empty, or another segment's: fetched again, and whole again.
        let paths = fixture.segments.map { "\(directory)/\($0.id)" }
        let good = try Data(contentsOf: URL(fileURLWithPath: paths[0]))
        let mode = try FileManager.default.attributesOfItem(atPath: paths[0])[.posixPermissions] as? Int
        #expect(mode == 0o600)
        var wrongs = [Data(), good.prefix(40), good.dropLast(), try Data(contentsOf: URL(fileURLWithPath: paths[1]))]
        for place in [0, 9, 17, 40, 70, good.count / 2, good.count - 1] {
            var wrong = good
            wrong[place] ^= 4
            wrongs.append(wrong)
        }
        for (number, wrong) in wrongs.enumerated() {
            try wrong.write(to: URL(fileURLWithPath: paths[0]))
            fixture.check(try await fixture.load())
            #expect(store.count(.read) == number + 1)
            #expect(try Data(contentsOf: URL(fileURLWithPath: paths[0])) == good)
        }
    }

    @Test func forgetsOldFilesOfTheCache() async throws {
        struct Later: Timekeeper {
            let hours: Int64
            func now() -> Int64 { SystemTime().now() + hours * 3_600_000_000_000 }
            func monotonic() -> Int64 { now() }
            func sleep(for duration: Duration) async throws {}
        }
        var random = SampleRandom(6)
        let directory = Self.directory()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        var fixture = Fixture(store: MemoryStore(), local: MemoryVaultState(cacheDirectory: directory))
        try await fixture.write(Self.rows(5, in: [Self.pack(&random)], &random))
        try await fixture.write(Self.rows(5, in: [Self.pack(&random)], &random))
        let old = fixture.segments.removeFirst()
        for name in ["\(old.id).AbCdEf", "notes"] {
            try Data([1]).write(to: URL(fileURLWithPath: "\(directory)/\(name)"))
        }
        func names() throws -> Set<String> { Set(try FileManager.default.contentsOfDirectory(atPath: directory)) }
        _ = try await fixture.load(time: Later(hours: 23))
        #expect(try names().count == 4)
        _ = try await fixture.load(time: Later(hours: 25))
        #expect(try names() == [fixture.segments[0].id, "notes"])
    }

    @Test func tellsWhatIsWrongWithASegment() async throws {
        var random = SampleRandom(7)
        let store = MemoryStore()
        var fixture = Fixture(store: store)
        try await fixture.write(Self.rows(50, in: [Self.pack(&random)], &random))
        func code(_ segment: SegmentReference) async -> VaultError.Code? {
            do throws(VaultError) {
                _ = try await ChunkIndex.load([segment], store: store, keys: Self.keys, local: MemoryVaultState())
                return nil
            } catch {
                return error.code
            }
        }
        var wrong = fixture.segments[0]
        #expect(await code(wrong) == nil)
        wrong.rows = 49
        #expect(await code(wrong) == .damaged)
        wrong = fixture.segments[0]
        wrong.size -= 1
        #expect(await code(wrong) == .damaged)
        wrong.size = 1 << 40
        #expect(await code(wrong) == .damaged)
        wrong.id = String(repeating: "0", count: 32)
        wrong.size = 500
        #expect(await code(wrong) == .missing)
    }
}
