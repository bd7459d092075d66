import ChunkPipeline
import Testing

@Suite struct TensorCutterTests {
    typealias Entry = TensorFile.Entry

    static let grid = 65_536
    static let profile = ChunkerProfile.tensor(grid: grid, otherwise: GearSizes(min: 256, average: 1024, max: 4096))

    /// A model in small: large tensors between small ones, all types.
    static let model: [Entry] = [
        Entry(name: "embedding", type: "BF16", count: 100_000),
        Entry(name: "0.bias", type: "F32", count: 100), Entry(name: "0.norm", type: "F32", count: 50),
        Entry(name: "0.weight", type: "F32", count: 50_001),
        Entry(name: "1.bias", type: "F16", count: 3), Entry(name: "1.weight", type: "F64", count: 9000),
        Entry(name: "scale", type: "F16", count: 1), Entry(name: "ids", type: "I64", count: 20),
        Entry(name: "codes", type: "U8", count: 70_000),
    ]

    /// The same bytes for the same name.
    static func content(_ entry: Entry) -> [UInt8] {
        var random = SplitMix64(entry.name.utf8.reduce(17) { $0 &* 31 &+ UInt64($1) })
        return random.bytes(entry.count * TensorFile.width(entry.type))
    }

    /// What the layout promises for one large tensor.
    private func grid(_ count: Int, _ width: Int) -> [Piece] {
        stride(from: 0, to: count, by: Self.grid).map { Piece(length: min(Self.grid, count - $0), width: width) }
    }

    private func isPlain(_ object: [UInt8], _ profile: ChunkerProfile = Self.profile) -> Bool {
        guard case .tensor(_, let sizes) = profile else { return false }
        return cut(object, profile) == cut(object, .gear(sizes))
    }

    @Test func `safetensors are cut at their tensors`() {
        let file = TensorFile.safetensors(Self.model, content: Self.content)
        let header = file.count - Self.model.reduce(0) { $0 + $1.count * TensorFile.width($1.type) }
        let pieces = cut(file, Self.profile)
        let ofHeader = lengths(Array(file[..<header]), .gear(GearSizes(min: 256, average: 1024, max: 4096)))
        #expect(Array(pieces.map(\.length).prefix(ofHeader.count)) == ofHeader)
        var expected = ofHeader.map { Piece(length: $0, width: 1) }
        expected += grid(200_000, 2)
        // A run of small ones, cut by content: 400 and 200 bytes.
        let run = Self.content(Self.model[1]) + Self.content(Self.model[2])
        expected += lengths(run, .gear(GearSizes(min: 256, average: 1024, max: 4096))).map {
            Piece(length: $0, width: 4)
        }
        expected += grid(200_004, 4) + [Piece(length: 6, width: 2)] + grid(72_000, 8)
        expected += [Piece(length: 162, width: 1)] + grid(70_000, 1)
        #expect(pieces == expected)
    }

    @Test(arguments: [2, 3], [1, 32, 4096])
    func `gguf files are cut at their tensors`(version: UInt64, alignment: Int) {
        let entries = [
            Entry(name: "embedding", type: "Q8", count: 100_000), Entry(name: "norm", type: "F32", count: 100),
            Entry(name: "weight", type: "BF16", count: 50_001), Entry(name: "other", type: "F16", count: 40_000),
            Entry(name: "scales", type: "F64", count: 10_000),
        ]
        let (file, header) = TensorFile.gguf(entries, version: version, alignment: alignment, content: Self.content)
        func padded(_ count: Int) -> Int { (count + alignment - 1) / alignment * alignment }
        let sizes = GearSizes(min: 256, average: 1024, max: 4096)
        var expected = lengths(Array(file[..<header]), .gear(sizes)).map { Piece(length: $0, width: 1) }
        expected += grid(padded(100_000), 1)
        let norm = Array(file[(header + padded(100_000))..<(header + padded(100_000) + padded(400))])
        expected += lengths(norm, .gear(sizes)).map { Piece(length: $0, width: 4) }
        expected += grid(padded(100_002), 2) + grid(padded(80_000), 2) + grid(padded(80_000), 8)
        #expect(cut(file, Self.profile) == expected)
    }

    @Test func `a tensor that moved, under another name, in another shard, gives the same chunks`() {
        func chunks(_ file: [UInt8]) -> Set<[UInt8]> {
            var start = 0
            return Set(
                lengths(file, Self.profile).map { length in
                    defer { start += length }
                    return Array(file[start..<start + length])
                })
        }
        let large = Self.model.filter { $0.count * TensorFile.width($0.type) >= 16 << 10 }
        let before = chunks(TensorFile.safetensors(Self.model, content: Self.content))
        let shard = Array(large.reversed().dropLast())
        let renamed = shard.map { Entry(name: "model.layers.\($0.name)", type: $0.type, count: $0.count) }
        let after = chunks(
            TensorFile.safetensors(renamed, metadata: "fine-tuned") {
                var entry = $0
                entry.name.removeFirst("model.layers.".count)
                return Self.content(entry)
            })
        // All but the header.
        #expect(after.subtracting(before).reduce(0) { $0 + $1.count } < 1024)
    }

    @Test func `thousands of tiny tensors do not give thousands of chunks`() {
        let tiny = (0..<5000).map { Entry(name: "\($0)", type: "F16", count: 7) }
        let file = TensorFile.safetensors(tiny, content: Self.content)
        #expect(lengths(file, .standard).count <= 8)
        let (gguf, _) = TensorFile.gguf(tiny, content: Self.content)
        #expect(lengths(gguf, .standard).count <= 8)
        // Each large one is on its own all the same.
        let mixed = (0..<200).flatMap {
            [Entry(name: "l\($0)", type: "U8", count: 20_000), Entry(name: "s\($0)", type: "F32", count: 1)]
        }
        #expect(lengths(TensorFile.safetensors(mixed, content: Self.content), .standard).count <= 401)
    }

    @Test func `metadata, escapes, spaces and members that nobody knows`() {
        let text = #"""
            { "__metadata__" : {"a\"b": "}]\\", "c": [1, {"d": null}]},
               "w\"1" : {"shape": [ 5 , 4000 ], "future": [[{"x": -1.5e3}], true], "dtype": "BF16", "data_offsets": [0, 40000]} }
            """#
        let file = TensorFile.wrap(Array(text.utf8)) + Self.content(Entry(name: "w", type: "U8", count: 40_000))
        #expect(cut(file, Self.profile).last == Piece(length: 40_000, width: 2))
        #expect(!isPlain(file))
    }

    @Test func `a file without tensors`() {
        #expect(cut(TensorFile.wrap(Array("{}".utf8)), Self.profile) == [Piece(length: 16, width: 1)])
        let (gguf, header) = TensorFile.gguf([], content: Self.content)
        #expect(gguf.count == header)
        #expect(isPlain(gguf))
    }

    @Test(arguments: [
        // Overlap, outside of the file, backwards, another size than the shape's, no numbers, none at all.
        #"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,600]},"b":{"dtype":"U8","shape":[1],"data_offsets":[500,1000]}}"#,
        #"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1000000]}}"#,
        #"{"a":{"dtype":"U8","shape":[1],"data_offsets":[600,500]}}"#,
        #"{"a":{"dtype":"F32","shape":[100],"data_offsets":[0,404]}}"#,
        #"{"a":{"dtype":"F32","shape":[999999999999999999,999999999999999999],"data_offsets":[0,404]}}"#,
        #"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,9223372036854775807]}}"#,
        #"{"a":{"dtype":"U8","shape":[1],"data_offsets":[-5,10]}}"#,
        #"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1,2]}}"#,
        #"{"a":{"dtype":"U8","shape":[1],"data_offsets":"0"}}"#,
        #"{"a":{"dtype":"U8","shape":[1]}}"#,
        #"{"a":5}"#, #"{"a":{"dtype":"U8"#, #"{"a"}"#, #"{]"#, #"{"__metadata__":{"#, #"{"__metadata__":]}"#, #"{} x"#,
        "{",
    ])
    func `safetensors headers that say what cannot be`(text: String) {
        var random = SplitMix64(5)
        let file = TensorFile.wrap(Array(text.utf8)) + random.bytes(20_000)
        #expect(isPlain(file))
    }

    @Test func `a header of any length that is not there`() {
        var random = SplitMix64(6)
        let lengths: [UInt64] = [0, 1, 2, 19_992, 19_993, 1 << 24, (1 << 24) + 1, UInt64.max, 1 << 63]
        for length in lengths {
            let file = TensorFile.number(length, 8) + Array("{".utf8) + random.bytes(19_991)
            #expect(isPlain(file), "length \(length)")
        }
        for count in 0...30 { #expect(isPlain(Array("GGUF".utf8.prefix(count)) + random.bytes(max(0, count - 4)))) }
    }

    /// Changes a few bytes, numbers above all; then the cuts are somewhere, the same for all buffers, and nothing crashes.
    private func mutate(_ file: [UInt8], _ header: Int, _ random: inout SplitMix64) -> [UInt8] {
        var file = file
        for _ in 0...random.next() % 3 {
            let place = Int(random.next() % UInt64(header))
            switch random.next() % 6 {
            case 0: file[place] = UInt8(truncatingIfNeeded: random.next())
            case 1: file[place] ^= 1 << (random.next() % 8)
            case 2: file.remove(at: place)
            case 3: file.insert(UInt8(truncatingIfNeeded: random.next()), at: place)
            case 4: for index in place..<min(place + 8, header) { file[index] = 0xFF }
            default: file[place] = Array("0123456789[]{},:\" \\".utf8).randomElement(using: &random)!
            }
        }
        return file
    }

    @Test(arguments: 0..<8)
    func `mutated headers`(seed: UInt64) {
        var random = SplitMix64(seed)
        let small = [
            Entry(name: "a", type: "F32", count: 40), Entry(name: "b", type: "F16", count: 9000),
            Entry(name: "c", type: "F64", count: 3),
        ]
        let profile = ChunkerProfile.tensor(grid: 4096, otherwise: GearSizes(min: 64, average: 256, max: 1024))
        let safetensors = TensorFile.safetensors(small, content: Self.content)
        let (gguf, ggufHeader) = TensorFile.gguf(small, content: Self.content)
        for (file, header) in [(safetensors, safetensors.count - 18_184), (gguf, ggufHeader)] {
            for _ in 0..<500 {
                let mutated = mutate(file, header, &random)
                let pieces = cut(mutated, profile)
                #expect(pieces.reduce(0) { $0 + $1.length } == mutated.count)
                #expect(pieces.allSatisfy { $0.length <= profile.largest && $0.length > 0 })
                let pattern = (0..<40).map { _ in 1 + Int(random.next() % 3000) }
                #expect(cut(mutated, profile, buffers: pattern) == pieces, "seed \(seed)")
            }
        }
    }

    @Test(arguments: [Int64.min, -1, 0, 1, 100, 20_000, 1 << 40, .max])
    func `an object of another size than it was said to have`(announced: Int64) {
        var random = SplitMix64(8)
        let safetensors = TensorFile.safetensors(Self.model, content: Self.content)
        let (gguf, _) = TensorFile.gguf([Entry(name: "w", type: "F32", count: 90_000)], content: Self.content)
        for object in [safetensors, gguf] {
            let pieces = cut(object, Self.profile, announced: announced)
            #expect(pieces.reduce(0) { $0 + $1.length } == object.count)
            let pattern = (0..<100).map { _ in 1 + Int(random.next() % 9000) }
            #expect(cut(object, Self.profile, buffers: pattern, announced: announced) == pieces)
        }
    }

    @Test func `offsets and shapes near the end of all numbers`() {
        let (file, header) = TensorFile.gguf([Entry(name: "w", type: "F32", count: 90_000)], content: Self.content)
        // The length of the only dimension; type and offset follow.
        let place = file[..<header].lastRange(of: TensorFile.number(90_000, 8))!.lowerBound
        let lengths: [UInt64] = [0, 1 << 61, (1 << 61) - 1, 1 << 62, .max]
        let offsets: [UInt64] = [0, 1 << 62, (1 << 63) - 32, 1 << 63, .max - 31]
        for length in lengths {
            for offset in offsets {
                var changed = file
                changed.replaceSubrange(place..<place + 8, with: TensorFile.number(length, 8))
                changed.replaceSubrange(place + 12..<place + 20, with: TensorFile.number(offset, 8))
                for announced in [Int64(file.count), .max] {
                    let pieces = cut(changed, Self.profile, announced: announced)
                    #expect(pieces.reduce(0) { $0 + $1.length } == file.count)
                }
            }
        }
    }
}

extension ArraySlice<UInt8> {
    fileprivate func lastRange(of bytes: [UInt8]) -> Range<Int>? {
        (startIndex...endIndex - bytes.count).last { self[$0..<$0 + bytes.count].elementsEqual(bytes) }
            .map { $0..<$0 + bytes.count }
    }
}
