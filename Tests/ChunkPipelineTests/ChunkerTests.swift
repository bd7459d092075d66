import ChunkPipeline
import Cryptography
import Digests
import Testing

/// The properties that every profile has to show.
@Suite struct ChunkerTests {
    static let small = GearSizes(min: 256, average: 1024, max: 4096)
    static let profiles: [ChunkerProfile] = [
        .gear(small), .gear(GearSizes(min: 64, average: 64, max: 128)), .fixed(size: 1000),
        .tensor(grid: 4096, otherwise: small),
    ]

    /// Random bytes, text, a safetensors file, a GGUF file.
    static let objects: [[UInt8]] = {
        var random = SplitMix64(21)
        return [
            [], [7], random.bytes(255), random.bytes(60_000), Samples.lines(60_000),
            [UInt8](repeating: 0, count: 20_000),
            TensorFile.safetensors(TensorCutterTests.model, content: TensorCutterTests.content),
            TensorFile.gguf(
                [.init(name: "q", type: "Q8", count: 30_000), .init(name: "n", type: "F32", count: 10)],
                content: TensorCutterTests.content
            ).file,
        ]
    }()

    @Test(arguments: profiles)
    func `the same cuts however the bytes arrive`(profile: ChunkerProfile) {
        var random = SplitMix64(22)
        for object in Self.objects {
            let pieces = cut(object, profile, buffers: [Int.max / 2])
            #expect(pieces.reduce(0) { $0 + $1.length } == object.count)
            for size in [1, 63, 64, 65, 257, 4099, 65_537] {
                #expect(cut(object, profile, buffers: [size]) == pieces, "\(object.count) bytes by \(size)")
            }
            for _ in 0..<5 {
                let sizes = (0..<200).map { _ in 1 + Int(random.next() % 5000) }
                #expect(cut(object, profile, buffers: sizes) == pieces)
            }
        }
    }

    @Test(arguments: profiles)
    func `no chunk is too long, and only the last too short`(profile: ChunkerProfile) {
        let least: Int? =
            switch profile {
            case .gear(let sizes): sizes.min
            case .fixed(let size): size
            case .tensor: nil
            }
        for object in Self.objects {
            let lengths = lengths(object, profile)
            #expect(lengths.allSatisfy { (1...profile.largest).contains($0) })
            if let least { #expect(lengths.dropLast().allSatisfy { $0 >= least }) }
        }
    }

    /// Where cuts lie, counted from the end.
    private func cuts(_ object: [UInt8], _ profile: ChunkerProfile) -> [Int] {
        var left = object.count
        return lengths(object, profile).map { length in
            left -= length
            return left
        }
    }

    /// How many cuts behind a random edit lie elsewhere than before it, until one lies where it did; all behind that one have to.
    private func cutsMoved(_ profile: ChunkerProfile, seed: UInt64) -> Int {
        var random = SplitMix64(seed)
        let object = random.bytes(200_000)
        let place = 10_000 + Int(random.next() % 100_000)
        let count = 1 + Int(random.next() % 300)
        var edited = object
        switch seed % 3 {
        case 0: edited.insert(contentsOf: random.bytes(count), at: place)
        case 1: edited.removeSubrange(place..<place + count)
        default: edited.replaceSubrange(place..<place + count, with: random.bytes(count))
        }
        let behind = edited.count - place - count
        let old = cuts(object, profile).filter { $0 < behind }
        let new = cuts(edited, profile).filter { $0 < behind }
        let common = new.firstIndex { old.contains($0) } ?? new.count
        let oldTail = old.drop { $0 != new[common] }
        #expect(Array(oldTail) == Array(new[common...]), "seed \(seed)")
        return common
    }

    /// It is a matter of chance: each cut has an even one to be where it was, so a few edits of a hundred take longer.
    @Test(arguments: [ChunkerProfile.gear(small), .tensor(grid: 4096, otherwise: small)])
    func `cuts are where they were within three chunks of an edit`(profile: ChunkerProfile) {
        let moved = (0..<200).map { cutsMoved(profile, seed: $0) }
        #expect(moved.count { $0 > 3 } <= 10, "\(moved)")
        #expect(moved.allSatisfy { $0 <= 10 }, "\(moved)")
    }

    @Test func `profiles that cannot be`() {
        let bad: [GearSizes] = [
            GearSizes(min: 32, average: 64, max: 128), GearSizes(min: 0, average: 0, max: 0),
            GearSizes(min: 64, average: 64, max: 64),
            GearSizes(min: 128, average: 64, max: 256), GearSizes(min: 64, average: 256, max: 128),
            GearSizes(min: 64, average: 100, max: 256), GearSizes(min: 64, average: 256, max: 16 << 20),
            GearSizes(min: -64, average: 64, max: 64), GearSizes(min: .min, average: .min, max: .min),
        ]
        for sizes in bad {
            #expect(!ChunkerProfile.gear(sizes).isValid)
            #expect(!ChunkerProfile.tensor(grid: 4096, otherwise: sizes).isValid)
        }
        for size in [Int.min, -1, 0, 63, (8 << 20) + 1] { #expect(!ChunkerProfile.fixed(size: size).isValid) }
        for grid in [Int.min, 0, 2048, 5000, 16 << 20] {
            #expect(!ChunkerProfile.tensor(grid: grid, otherwise: .standard).isValid)
        }
        #expect(ChunkerProfile.standard.isValid && ChunkerProfile.gear(.small).isValid)
    }

    /// Other cuts are another format: nothing that lies in a vault would be found again.
    @Test(arguments: [
        ("gear", ChunkerProfile.gear(.standard), "random", "40adb9096d23faa12f19b3f33b2f4191"),
        ("gear small", .gear(.small), "random", "799becc27999f441f042e0e240e0c5b7"),
        ("gear small", .gear(.small), "lines", "c6125078963dc049bf59ad8ee5cd1b41"),
        ("tensor", .standard, "random", "40adb9096d23faa12f19b3f33b2f4191"),
        ("tensor", .standard, "safetensors", "6b08e49f980c6f5d8cbf0c72f45edcc0"),
        ("tensor", .standard, "gguf", "95929260c919dd9193996c384dc9cfdc"),
        ("fixed", .fixed(size: 100_000), "random", "136665a8ea5cba8d1195f7d5755a4b2a"),
    ])
    func `frozen cuts`(name: String, profile: ChunkerProfile, object: String, hash: String) {
        var random = SplitMix64(0x5EED)
        let large = [
            TensorFile.Entry(name: "embedding", type: "BF16", count: 600_000),
            .init(name: "norm", type: "F32", count: 384), .init(name: "bias", type: "F32", count: 5),
            .init(name: "weight", type: "F32", count: 300_000), .init(name: "scale", type: "F64", count: 3000),
        ]
        let bytes =
            switch object {
            case "random": random.bytes(8 << 20)
            case "lines": Samples.lines(4 << 20)
            case "safetensors": TensorFile.safetensors(large, content: TensorCutterTests.content)
            default: TensorFile.gguf(large, content: TensorCutterTests.content).file
            }
        // Each chunk: its length (u32) and its width (u8).
        let list = cut(bytes, profile).flatMap { TensorFile.number(UInt64($0.length), 4) + [UInt8($0.width)] }
        #expect(Hex.encode(Array(list.withUnsafeBytes { BLAKE3.hash($0) }.prefix(16))) == hash, "\(name) of \(object)")
    }

    @Test func `stages are measured`() {
        let bytes = TensorFile.safetensors(TensorCutterTests.model, content: TensorCutterTests.content)
        let speeds = bytes.withUnsafeBytes { StageSpeed.measure($0, atLeast: .zero) }
        #expect(speeds.map(\.stage) == StageSpeed.Stage.allCases)
        #expect(speeds.allSatisfy { $0.bytesPerSecond > 0 })
        #expect(speeds.last!.ratio! <= 1)
    }
}
