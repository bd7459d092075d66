import Digests
import Manifests
import ObjectStores
import Replication
import ReplicationModel
import Testing

/// Which parts are made of segments that the target holds or does not.
struct DeltaComposerTests {
    /// Makes segments of so many bytes, those with a place held there, and says what becomes of them.
    private func compose(
        _ segments: [(Int64, held: Int64?)], key: ObjectKey = "old", minimum: Int64 = 5, target: Int64 = 8,
        present: [Int: RecordedPart] = [:]
    ) -> [String] {
        var composer = PartComposer(minimum: minimum, target: target, present: present)
        var offset: Int64 = 0
        var parts: [PartComposer.Part] = []
        for (length, held) in segments {
            let segment = Self.segment(offset, length)
            let location = held.map {
                SegmentLocation(key: key, version: VersionToken("v"), segment: Self.segment($0, length))
            }
            parts += composer.add(segment, held: location)
            offset += length
        }
        if let last = composer.finish() { parts.append(last) }
        #expect(parts.map(\.number) == Array(1...parts.count))
        #expect(zip(parts, [0] + parts.map(\.end)).allSatisfy { $0.offset == $1 })
        #expect(parts.last?.end == offset)
        return parts.map { part in
            part.origin.map { "copy \(part.digest.length) from \($0.offset)" } ?? "send \(part.digest.length)"
        }
    }

    private static func segment(_ offset: Int64, _ length: Int64) -> ContentSegment {
        ContentSegment(
            offset: offset, digest: ContentDigest(crc32c: 0, crc64nvme: 0, length: length),
            blake3: [UInt8](repeating: 0, count: 32))
    }

    private static func part(_ number: Int, _ offset: Int64, _ length: Int64) -> RecordedPart {
        RecordedPart(
            number: number, offset: offset, digest: ContentDigest(crc32c: 0, crc64nvme: 0, length: length), tag: "t")
    }

    @Test func `new bytes are sent in parts of the target size`() {
        #expect(compose([(3, nil), (3, nil), (3, nil), (3, nil)]) == ["send 9", "send 3"])
    }

    @Test func `a run that is held in one piece is copied`() {
        #expect(compose([(3, 10), (3, 13)]) == ["copy 6 from 10"])
        #expect(compose((0..<6).map { (3, 10 + 3 * $0) }) == ["copy 9 from 10", "copy 9 from 19"])
    }

    @Test func `a copy takes the end of its run, which would be too short`() {
        let run: [(Int64, held: Int64?)] = (0..<7).map { (3, 10 + 3 * $0) }
        #expect(compose(Array(run.prefix(4))) == ["copy 12 from 10"])
        #expect(compose(run + [(3, nil)]) == ["copy 9 from 10", "copy 12 from 19", "send 3"])
        #expect(compose(run + [(3, 90)]) == ["copy 9 from 10", "copy 12 from 19", "copy 3 from 90"])
    }

    @Test func `a run ends where the target holds it no longer in one piece`() {
        #expect(compose([(3, 10), (3, 13), (3, 40), (3, 43)]) == ["copy 6 from 10", "copy 6 from 40"])
    }

    @Test func `a held run that is too short for a part is sent with what follows`() {
        #expect(compose([(3, 10), (3, nil), (3, 50), (3, 53)]) == ["send 6", "copy 6 from 50"])
    }

    @Test func `what is sent takes as much of a held run as it needs`() {
        #expect(compose([(1, nil), (3, 50), (3, 53), (3, 56), (3, 59)]) == ["send 7", "copy 6 from 56"])
    }

    @Test func `a short end is a part of its own`() {
        #expect(compose([(3, 10), (3, 13), (1, nil)]) == ["copy 6 from 10", "send 1"])
    }

    @Test func `where a store takes any part each run is one`() {
        #expect(
            compose([(1, nil), (1, 50), (1, nil), (1, 7)], minimum: 1) == [
                "send 1", "copy 1 from 50", "send 1", "copy 1 from 7",
            ])
    }

    @Test func `the same content elsewhere is no continuation`() {
        #expect(compose([(4, 0), (4, 0), (4, 0), (4, 0)]) == ["send 8", "send 8"])
    }

    /// A continued upload has these parts already: what the ledger holds now must not move their borders.
    @Test func `parts that are there keep their borders`() {
        let present = [1: Self.part(1, 0, 6), 2: Self.part(2, 6, 12)]
        let segments: [(Int64, held: Int64?)] = [(3, 10), (3, 13), (3, nil), (3, nil), (3, nil), (3, 40), (3, nil)]
        #expect(compose(segments, present: present) == ["copy 6 from 10", "send 12", "send 3"])
    }

    @Test func `a part that is there and does not fit is never outgrown`() {
        let segments: [(Int64, held: Int64?)] = [(3, nil), (3, nil), (3, nil), (3, nil)]
        #expect(compose(segments, present: [1: Self.part(1, 0, 7)]) == ["send 6", "send 6"])
        #expect(compose(segments, present: [1: Self.part(1, 0, 2)]) == ["send 9", "send 3"])
        #expect(compose(segments, present: [2: Self.part(2, 8, 3)]) == ["send 9", "send 3"])
    }

    @Test func `nobody looks for what is there`() {
        var composer = PartComposer(minimum: 5, target: 8, present: [1: Self.part(1, 0, 6)])
        #expect(composer.isPresent(at: 0))
        _ = composer.add(Self.segment(0, 3), held: nil)
        #expect(composer.isPresent(at: 3))
        _ = composer.add(Self.segment(3, 3), held: nil)
        #expect(!composer.isPresent(at: 6))
    }

    // MARK: Sizes

    private static let cloud = StoreCapabilities(
        partSize: (5 << 20)...(5 << 30), maxParts: 10_000, maxObjectSize: 10_000 * (5 << 30), maxPutSize: 5 << 30,
        maxCopySize: 5 << 30, copiesParts: true, conditionalWrites: .enforced, listPageLimit: 1000, deleteBatch: 1000,
        versionCoversAttributes: true, reportsChecksums: true)

    @Test(arguments: [1, 16 << 20, 1 << 30, 50 << 30, 5 << 40, 10_000 * (5 << 30)] as [Int64])
    func `a store is never given more parts than it takes`(size: Int64) throws {
        guard let plan = DeltaPlan(size: size, preferred: 8 << 20, segments: .standard, store: Self.cloud) else {
            #expect(size > 40 << 40)
            return
        }
        #expect(plan.minimumPart * 9_999 >= size)
        #expect(plan.minimumPart >= 5 << 20 && plan.targetPart >= plan.minimumPart && plan.largestPart <= 5 << 30)
        #expect(size / Int64(plan.segments.average) <= SegmentCutter.Limits.segmentsPerObject)
    }

    @Test func `usual sizes`() throws {
        let plan = try #require(
            DeltaPlan(size: 1 << 30, preferred: 8 << 20, segments: .standard, store: Self.cloud))
        #expect(plan.minimumPart == 5 << 20 && plan.targetPart == 8 << 20 && plan.largestPart == 17 << 20)
        #expect(plan.leastMemory == 41 << 20)
        #expect(plan.ring(within: 96 << 20) == 76 << 20)
        #expect(plan.blocks == 256 && plan.range(ofBlock: 255).end == 1 << 30)
    }

    @Test func `a ring keeps what somebody needs`() {
        var window = RingWindow(capacity: 10)
        #expect(window.reserve(6) && window.reserve(4) && !window.reserve(1))
        window.handOut(1, end: 3)
        window.handOut(2, end: 7)
        window.handOut(3, end: 9)
        window.release(2)
        #expect(window.start == 0 && !window.reserve(1))
        window.release(1)
        #expect(window.start == 7 && window.reserve(7) && !window.reserve(1))
        window.release(3)
        #expect(window.start == 9 && window.reserve(2) && window.end == 19)
    }
}
