/// A decoder of gzip members (RFC 1952) and the deflate streams in them (RFC 1951).
///
/// It exists for decompressive transcoding alone: a read of an object whose Content-Encoding is `gzip` by a client that
/// does not accept gzip. The whole object is decoded in memory, at most `limit` bytes of it.
struct Inflate {
    enum Failure: Error {
        case truncated
        case invalid
        case tooLong
    }

    /// Bounds the memory of one transcoded read.
    static let limit = 1 << 30

    private let input: UnsafeRawBufferPointer
    private var position = 0
    private var bitBuffer: UInt64 = 0
    private var bitCount = 0
    private var output: [UInt8] = []

    /// Decodes all gzip members in `bytes`, one after the other.
    static func gunzip(_ bytes: UnsafeRawBufferPointer) throws(Failure) -> [UInt8] {
        var decoder = Inflate(input: bytes)
        decoder.output.reserveCapacity(min(limit, bytes.count * 4))
        repeat {
            try decoder.member()
        } while decoder.position < bytes.count
        return decoder.output
    }

    private init(input: UnsafeRawBufferPointer) {
        self.input = input
    }

    // MARK: The gzip frame

    private mutating func member() throws(Failure) {
        guard try byte() == 0x1f, try byte() == 0x8b, try byte() == 8 else { throw .invalid }
        let flags = try byte()
        try skip(6)
        if flags & 4 != 0 {
            let low = Int(try byte())
            let high = Int(try byte())
            try skip(low | high << 8)
        }
        if flags & 8 != 0 { while try byte() != 0 {} }
        if flags & 16 != 0 { while try byte() != 0 {} }
        if flags & 2 != 0 { try skip(2) }
        let start = output.count
        try deflated()
        var checksum: UInt32 = 0
        var length: UInt32 = 0
        for shift in stride(from: UInt32(0), to: 32, by: 8) { checksum |= UInt32(try byte()) << shift }
        for shift in stride(from: UInt32(0), to: 32, by: 8) { length |= UInt32(try byte()) << shift }
        guard length == UInt32(truncatingIfNeeded: output.count - start) else { throw .invalid }
        guard checksum == Self.crc32(output[start...]) else { throw .invalid }
    }

    private mutating func byte() throws(Failure) -> UInt8 {
        guard position < input.count else { throw .truncated }
        defer { position += 1 }
        return input[position]
    }

    private mutating func skip(_ count: Int) throws(Failure) {
        guard input.count - position >= count else { throw .truncated }
        position += count
    }

    // MARK: The deflate stream

    private mutating func deflated() throws(Failure) {
        bitBuffer = 0
        bitCount = 0
        var isFinal = false
        while !isFinal {
            isFinal = try bits(1) == 1
            switch try bits(2) {
            case 0: try stored()
            case 1: try compressed(literals: Self.fixedLiterals, distances: Self.fixedDistances)
            case 2:
                let (literals, distances) = try dynamicTables()
                try compressed(literals: literals, distances: distances)
            default: throw .invalid
            }
        }
        // Whole bytes that were read ahead belong to what follows.
        position -= bitCount / 8
        bitCount = 0
    }

    private mutating func bits(_ count: Int) throws(Failure) -> Int {
        while bitCount < count {
            bitBuffer |= UInt64(try byte()) << UInt64(bitCount)
            bitCount += 8
        }
        defer {
            bitBuffer >>= UInt64(count)
            bitCount -= count
        }
        return Int(bitBuffer & (1 << UInt64(count) - 1))
    }

    private mutating func stored() throws(Failure) {
        position -= bitCount / 8
        bitBuffer = 0
        bitCount = 0
        let low = Int(try byte())
        let high = Int(try byte())
        let length = low | high << 8
        try skip(2)
        guard input.count - position >= length else { throw .truncated }
        guard output.count + length <= Self.limit else { throw .tooLong }
        output.append(contentsOf: input[position..<position + length])
        position += length
    }

    private mutating func compressed(literals: Huffman, distances: Huffman) throws(Failure) {
        while true {
            let symbol = try decode(literals)
            if symbol < 256 {
                output.append(UInt8(symbol))
                guard output.count <= Self.limit else { throw .tooLong }
                continue
            }
            if symbol == 256 { return }
            guard symbol < 286 else { throw .invalid }
            let length = Self.lengthBases[symbol - 257] + (try bits(Self.lengthBits[symbol - 257]))
            let code = try decode(distances)
            guard code < 30 else { throw .invalid }
            let distance = Self.distanceBases[code] + (try bits(Self.distanceBits[code]))
            guard distance <= output.count else { throw .invalid }
            guard output.count + length <= Self.limit else { throw .tooLong }
            for _ in 0..<length { output.append(output[output.count - distance]) }
        }
    }

    private mutating func dynamicTables() throws(Failure) -> (literals: Huffman, distances: Huffman) {
        let literalCount = try bits(5) + 257
        let distanceCount = try bits(5) + 1
        let codeCount = try bits(4) + 4
        guard literalCount <= 286, distanceCount <= 30 else { throw .invalid }
        var lengths = [UInt8](repeating: 0, count: 19)
        for index in 0..<codeCount { lengths[Self.codeOrder[index]] = UInt8(try bits(3)) }
        let codes = try Huffman(lengths: lengths[...])
        lengths = []
        while lengths.count < literalCount + distanceCount {
            let symbol = try decode(codes)
            switch symbol {
            case 0..<16: lengths.append(UInt8(symbol))
            case 16:
                guard let last = lengths.last else { throw .invalid }
                lengths.append(contentsOf: repeatElement(last, count: 3 + (try bits(2))))
            case 17: lengths.append(contentsOf: repeatElement(0, count: 3 + (try bits(3))))
            default: lengths.append(contentsOf: repeatElement(0, count: 11 + (try bits(7))))
            }
        }
        guard lengths.count == literalCount + distanceCount else { throw .invalid }
        return (try Huffman(lengths: lengths[..<literalCount]), try Huffman(lengths: lengths[literalCount...]))
    }

    /// Canonical decoding, one bit at a time: the number of codes of each length says where a code's symbol is.
    private mutating func decode(_ table: Huffman) throws(Failure) -> Int {
        var code = 0
        var first = 0
        var index = 0
        for length in 1...15 {
            code |= try bits(1)
            let count = table.counts[length]
            if code - count < first { return table.symbols[index + code - first] }
            index += count
            first = (first + count) << 1
            code <<= 1
        }
        throw .invalid
    }

    private struct Huffman {
        /// The number of codes of each length, 0 to 15.
        var counts = [Int](repeating: 0, count: 16)
        /// Symbols ordered by code.
        var symbols: [Int]

        init(lengths: ArraySlice<UInt8>) throws(Failure) {
            for length in lengths { counts[Int(length)] += 1 }
            var room = 1
            for length in 1...15 {
                room = room << 1 - counts[length]
                guard room >= 0 else { throw .invalid }
            }
            var offsets = [Int](repeating: 0, count: 16)
            for length in 1..<15 { offsets[length + 1] = offsets[length] + counts[length] }
            symbols = [Int](repeating: 0, count: lengths.count)
            for (symbol, length) in lengths.enumerated() where length != 0 {
                symbols[offsets[Int(length)]] = symbol
                offsets[Int(length)] += 1
            }
            counts[0] = 0
        }
    }

    // MARK: Tables of RFC 1951, 3.2.5 to 3.2.7

    private static let lengthBases = [
        3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227,
        258,
    ]
    private static let lengthBits = [
        0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0,
    ]
    private static let distanceBases = [
        1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097,
        6145,
        8193, 12289, 16385, 24577,
    ]
    private static let distanceBits = [
        0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13,
    ]
    private static let codeOrder = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15]

    private static let fixedLiterals: Huffman = {
        let lengths =
            [UInt8](repeating: 8, count: 144) + [UInt8](repeating: 9, count: 112) + [UInt8](repeating: 7, count: 24)
            + [UInt8](repeating: 8, count: 8)
        return unwrap(lengths)
    }()
    private static let fixedDistances = unwrap([UInt8](repeating: 5, count: 30))

    private static func unwrap(_ lengths: [UInt8]) -> Huffman {
        guard let table = try? Huffman(lengths: lengths[...]) else { preconditionFailure("the fixed tables are valid") }
        return table
    }

    /// CRC-32 as gzip defines it (reflected 0xEDB88320), a table of 256 entries.
    private static let crcTable: [UInt32] = (0..<256).map { index in
        (0..<8).reduce(UInt32(index)) { value, _ in value & 1 == 1 ? value >> 1 ^ 0xEDB8_8320 : value >> 1 }
    }

    private static func crc32(_ bytes: ArraySlice<UInt8>) -> UInt32 {
        let table = crcTable
        return ~bytes.reduce(~UInt32(0)) { crc, byte in crc >> 8 ^ table[Int((crc ^ UInt32(byte)) & 0xFF)] }
    }
}
