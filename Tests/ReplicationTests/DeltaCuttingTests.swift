import Digests
import Manifests
import Replication
import TestFixtures
import Testing

/// Where content is cut: always alike, within bounds, and again as before soon after a change.
struct DeltaCuttingTests {
    static let limits = SegmentCutter.Limits(average: 1 << 13)

    static func random(_ count: Int, seed: UInt64) -> [UInt8] {
        var random = SeededRandom(seed: seed)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count + 8)
        while bytes.count < count { withUnsafeBytes(of: random.next()) { bytes += $0 } }
        return Array(bytes.prefix(count))
    }

    /// Ends of the segments of a stream that arrives in pieces.
    static func ends(_ bytes: [UInt8], _ limits: SegmentCutter.Limits = limits, piece: () -> Int) -> [Int] {
        var cutter = SegmentCutter(limits)
        var ends: [Int] = []
        var offset = 0
        while offset < bytes.count {
            let step = min(piece(), bytes.count - offset)
            let found = bytes.withUnsafeBytes {
                cutter.cut(UnsafeRawBufferPointer(rebasing: $0[offset..<(offset + step)]))
            }
            offset += found ?? step
            if found != nil { ends.append(offset) }
        }
        return ends
    }

    static func ends(_ bytes: [UInt8], _ limits: SegmentCutter.Limits = limits) -> [Int] {
        ends(bytes, limits) { bytes.count }
    }

    @Test(arguments: [1, 63, 64, 65, 4095, 4096, 4097, 100_000]) func `pieces of any size are cut alike`(size: Int) {
        let bytes = Self.random(600_000, seed: 1)
        #expect(Self.ends(bytes) { size } == Self.ends(bytes))
    }

    @Test(arguments: 1...5 as ClosedRange<UInt64>) func `pieces of changing sizes are cut alike`(seed: UInt64) {
        let bytes = Self.random(600_000, seed: seed)
        var random = SeededRandom(seed: seed)
        #expect(Self.ends(bytes) { Int.random(in: 1...20_000, using: &random) } == Self.ends(bytes))
    }

    /// The definition, byte by byte: what the kernel must find, however it goes about it.
    @Test func `the kernel cuts where the definition says`() {
        let bytes = Self.random(300_000, seed: 7)
        var expected: [Int] = []
        var start = 0
        while start < bytes.count {
            var end = min(start + Self.limits.minimum, bytes.count)
            while end < bytes.count {
                end += 1
                let length = end - start
                let bits = length <= Self.limits.average ? 13 : 11
                var hash = GearHash()
                let window = Array(bytes[(end - 64)..<(end - 1)])
                window.withUnsafeBytes { hash.roll($0) }
                let last = [bytes[end - 1]]
                if last.withUnsafeBytes({ hash.find(bits, in: $0) }) != nil || length == Self.limits.maximum { break }
            }
            if end < bytes.count { expected.append(end) }
            start = end
        }
        #expect(Self.ends(bytes) == expected)
        #expect(expected.count > 20)
    }

    @Test func `segments keep their bounds and come near the average`() {
        let bytes = Self.random(8 << 20, seed: 2)
        let ends = Self.ends(bytes)
        let lengths = zip(ends, [0] + ends).map { $0 - $1 }
        #expect(lengths.allSatisfy { $0 > Self.limits.minimum && $0 <= Self.limits.maximum })
        let mean = lengths.reduce(0, +) / lengths.count
        #expect((7_000...10_000).contains(mean), "mean \(mean)")
        #expect(lengths.filter { $0 == Self.limits.maximum }.count * 100 < lengths.count)
    }

    @Test(arguments: [0, 255] as [UInt8]) func `bytes without content are cut by the maximum`(value: UInt8) {
        let ends = Self.ends([UInt8](repeating: value, count: 1 << 20))
        #expect(ends == (1...32).map { $0 * Self.limits.maximum })
    }

    @Test(arguments: 1...20 as ClosedRange<UInt64>) func `after an insertion the cuts are soon the old ones`(
        seed: UInt64
    ) {
        let bytes = Self.random(400_000, seed: seed)
        var random = SeededRandom(seed: seed)
        let place = Int.random(in: 100_000..<200_000, using: &random)
        let insertion = Self.random(Int.random(in: 1...9000, using: &random), seed: seed + 100)
        let changed = Array(bytes[..<place] + insertion + bytes[place...])
        let before = Set(Self.ends(bytes).map { $0 + insertion.count })
        let after = Self.ends(changed)
        let kept = after.prefix { $0 <= place }
        #expect(kept.elementsEqual(Self.ends(bytes).prefix(kept.count)))
        let again = after.first { $0 > place + insertion.count && before.contains($0) }
        #expect(again.map { $0 - place - insertion.count <= 8 * Self.limits.average } == true)
        #expect(after.filter { $0 >= again ?? 0 }.allSatisfy { before.contains($0) })
    }

    /// Golden: another cut would leave the ledgers of all users useless.
    @Test func `cuts never change`() {
        let bytes = Self.random(200_000, seed: 42)
        #expect(
            Self.ends(bytes) == [
                9999, 16143, 23979, 37832, 46342, 53129, 57445, 63797, 68787, 78269, 89384, 98260, 104828, 112660,
                123360, 132619, 137523, 143689, 150745, 160093, 164468, 174381, 179592, 188765, 197222,
            ])
    }

    @Test func `very large objects are cut more coarsely`() {
        let limits = SegmentCutter.Limits.standard
        #expect(limits.minimum == 512 << 10 && limits.average == 1 << 20 && limits.maximum == 4 << 20)
        #expect(limits.scaled(to: 64 << 30) == limits)
        #expect(limits.scaled(to: 65 << 30).average == 2 << 20)
        #expect(limits.scaled(to: 5 << 40).average == 128 << 20)
    }
}
