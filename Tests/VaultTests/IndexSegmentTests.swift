import ChunkPipeline
import ReplicationModel
import Testing
import Vault

struct IndexSegmentTests {
    private static func packs(_ count: Int) -> [PackName] {
        (0..<count).map { index in
            let session = SessionName(base: UInt64(index / 3), random: [1, 2, 3, 4, 5, 6, 7, 8])
            var id = [UInt8](repeating: 7, count: 16)
            id[0] = UInt8(index)
            return PackName(session: session, id: id, isMetadata: index % 2 == 1)
        }
    }

    private static func rows(_ count: Int, packs: Int, _ random: inout SampleRandom) -> [SegmentRow] {
        (0..<count).map { _ in
            SegmentRow(
                id: random.id(), pack: .random(in: 0..<UInt32(packs), using: &random),
                offset: .random(in: 0...1 << 28, using: &random),
                storedLength: .random(in: 17...1 << 20, using: &random),
                plainLength: .random(in: 1...1 << 20, using: &random), codec: ChunkCodec(rawValue: 0x23))
        }.sorted()
    }

    private static func decode(_ payload: [UInt8]) throws(VaultError) -> (packs: [PackName], rows: Int) {
        let result: Result<([PackName], Int), VaultError> = payload.withUnsafeBytes { bytes in
            do throws(VaultError) { return .success(try SegmentPayload.decode(bytes, name: "index/x")) } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    @Test func roundTrips() throws {
        var random = SampleRandom(1)
        for count in [1, 2, 1000] {
            let packs = Self.packs(min(count, 40))
            let rows = Self.rows(count, packs: packs.count, &random)
            let payload = SegmentPayload.encode(packs: packs, rows: rows[...])
            #expect(payload.count == 16 + 40 * packs.count + 52 * count)
            #expect(try Self.decode(payload).packs == packs)
            let image = try SegmentImage(payload: payload, name: "index/x")
            #expect((0..<image.rows.count).map { image.rows[$0] } == rows)
        }
    }

    @Test func layout() {
        let pack = PackName(
            session: SessionName(base: 258, random: [1, 2, 3, 4, 5, 6, 7, 8]), id: Array(0..<16), isMetadata: true)
        let row = SegmentRow(
            id: ChunkID(Array(32..<64)), pack: 0, offset: 96, storedLength: 0x0102_0304, plainLength: 5,
            codec: ChunkCodec(rawValue: 0x13))
        var expected: [UInt8] = Array("LSIDX001".utf8)
        expected += [1, 0, 0, 0, 1, 0, 0, 0] as [UInt8]
        expected += [0, 0, 0, 0, 0, 0, 1, 2, 1, 2, 3, 4, 5, 6, 7, 8] as [UInt8]
        expected += Array<UInt8>(0..<16)
        expected += [2, 0, 0, 0, 0, 0, 0, 0] as [UInt8]
        expected += Array<UInt8>(32..<64)
        expected += [0, 0, 0, 0, 96, 0, 0, 0, 4, 3, 2, 1, 5, 0, 0, 0, 0x13, 0, 0, 0] as [UInt8]
        #expect(SegmentPayload.encode(packs: [pack], rows: [row]) == expected)
    }

    @Test func damageIsAnErrorOrASegment() throws {
        var random = SampleRandom(2)
        let packs = Self.packs(4)
        let rows = Self.rows(12, packs: 4, &random)
        let payload = SegmentPayload.encode(packs: packs, rows: rows[...])
        for index in payload.indices {
            for change: UInt8 in [0x01, 0x80, 0xFF] {
                var wrong = payload
                wrong[index] ^= change
                do throws(VaultError) {
                    let image = try SegmentImage(payload: wrong, name: "index/x")
                    let decoded = (0..<image.rows.count).map { image.rows[$0] }
                    #expect(SegmentPayload.encode(packs: try Self.decode(wrong).packs, rows: decoded[...]) == wrong)
                    #expect(decoded != rows || wrong[16..<16 + 160] != payload[16..<16 + 160])
                } catch {
                    #expect(error.code == .damaged)
                }
            }
        }
        for count in 0..<payload.count {
            #expect(throws: VaultError.self) { try Self.decode(Array(payload[..<count])) }
        }
        #expect(throws: VaultError.self) { try Self.decode(payload + [0]) }
    }

    @Test func refusesRowsThatPointNowhere() throws {
        var random = SampleRandom(3)
        let packs = Self.packs(2)
        let good = Self.rows(3, packs: 2, &random)
        let changes: [(inout [SegmentRow]) -> Void] = [
            { $0[1].pack = 2 }, { $0.swapAt(0, 1) }, { $0[1] = $0[0] },
            { ($0[2].offset, $0[2].storedLength) = (1 << 31, 1 << 31) },
        ]
        for change in changes {
            var rows = good
            change(&rows)
            let payload = SegmentPayload.encode(packs: packs, rows: rows[...])
            #expect(throws: VaultError.self) { try SegmentImage(payload: payload, name: "index/x") }
        }
        let swapped = SegmentPayload.encode(packs: packs.reversed(), rows: good[...])
        #expect(throws: VaultError.self) { try Self.decode(swapped) }
    }

    /// Even ids, ids that crowd together, and the same id many times.
    @Test func searchesAsALinearOneDoes() throws {
        var random = SampleRandom(4)
        for spread in 0..<4 {
            for count in [1, 2, 3, 100, 5000] {
                let packs = min(count, 30)
                let ids = (0..<count).map { _ in
                    var bytes = random.bytes(32)
                    if spread == 1 { for index in 0..<Int.random(in: 0...12, using: &random) { bytes[index] = 0 } }
                    if spread == 2 { for index in 0..<Int.random(in: 6...9, using: &random) { bytes[index] = 0xFF } }
                    if spread == 3 { bytes = [UInt8](repeating: bytes[0] % 16 * 17, count: 32) }
                    return ChunkID(bytes)
                }
                let rows = Set(
                    ids.enumerated().map { number, id in
                        SegmentRow(
                            id: id, pack: UInt32(number % packs), offset: 96, storedLength: 17, plainLength: 1,
                            codec: .raw)
                    }
                ).sorted()
                let payload = SegmentPayload.encode(packs: Self.packs(packs), rows: rows[...])
                let image = try SegmentImage(payload: payload, name: "index/x")
                let edges = [ChunkID([UInt8](repeating: 0, count: 32)), ChunkID([UInt8](repeating: 255, count: 32))]
                for id in ids + edges + (0..<50).map({ _ in random.id() }) {
                    #expect(image.rows.first(of: id) == rows.firstIndex { $0.id == id })
                    guard rows.contains(where: { $0.id == id }) else { continue }
                    #expect(SegmentFilter.mayContain(id, image.filter, blocks: image.filterBlocks))
                }
            }
        }
    }

    @Test(arguments: [1, 50, 3000, 262_144]) func filterKnowsWhatIsThere(_ count: Int) throws {
        var random = SampleRandom(5)
        let rows = Self.rows(count, packs: 1, &random)
        let image = try SegmentImage(
            payload: SegmentPayload.encode(packs: Self.packs(1), rows: rows[...]), name: "index/x")
        #expect(rows.allSatisfy { SegmentFilter.mayContain($0.id, image.filter, blocks: image.filterBlocks) })
        let wrong = (0..<100_000).count { _ in
            SegmentFilter.mayContain(random.id(), image.filter, blocks: image.filterBlocks)
        }
        #expect(wrong < 2000)
    }
}
