import ChunkPipeline
import Testing

@Suite struct GearCutterTests {
    static let tiny = GearSizes(min: 256, average: 1024, max: 4096)

    /// The definition, byte by byte.
    private func reference(_ object: [UInt8], _ sizes: GearSizes) -> [Int] {
        var seed = SplitMix64(0x4C6F_636B_7374_6570)
        let table = (0..<256).map { _ in seed.next() }
        var lengths: [Int] = []
        var start = 0
        while start < object.count {
            var length = 0
            while start + length < object.count, length < sizes.max {
                let bits = sizes.average.trailingZeroBitCount + (length < sizes.average ? 2 : -2)
                length += 1
                guard length > sizes.min else { continue }
                var register: UInt64 = 0
                for byte in object[start + length - 64..<start + length] {
                    register = register << 1 &+ table[Int(byte)]
                }
                if register >> (64 - bits) == 0 { break }
            }
            lengths.append(length)
            start += length
        }
        return lengths
    }

    @Test(arguments: [0, 1, 255, 256, 257, 4096, 5000, 300_000])
    func `cuts as the definition says`(count: Int) {
        var random = SplitMix64(UInt64(count))
        let object = random.bytes(count)
        #expect(lengths(object, .gear(Self.tiny)) == reference(object, Self.tiny))
    }

    @Test func `repetitive bytes too`() {
        for byte in [UInt8(0), 0xFF, 0x41] {
            let object = [UInt8](repeating: byte, count: 20_000)
            #expect(lengths(object, .gear(Self.tiny)) == reference(object, Self.tiny))
        }
        var random = SplitMix64(1)
        let words = (0..<50).map { _ in random.bytes(7) }
        let object = (0..<20_000).flatMap { _ in words.randomElement(using: &random)! }
        #expect(lengths(object, .gear(Self.tiny)) == reference(object, Self.tiny))
    }

    @Test func `the standard sizes on whole blocks of the kernel`() {
        var random = SplitMix64(2)
        let object = random.bytes(6 << 20)
        #expect(lengths(object, .gear(.small)) == reference(object, .small))
        #expect(lengths(object, .gear(.standard)) == reference(object, .standard))
    }

    @Test func `sizes are near the average`() {
        var random = SplitMix64(3)
        let object = random.bytes(32 << 20)
        let average = object.count / lengths(object, .gear(.small)).count
        #expect((48 << 10...96 << 10).contains(average))
    }
}
