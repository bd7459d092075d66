/// Reads the header of a GGUF file, version 2 or 3 (ggml, `docs/gguf.md`), without keeping more of it than the tensors' places.
///
/// Magic, version (u32), tensors (u64), pairs (u64); for each pair its key (string), type (u32) and value; for each tensor its name
/// (string), dimensions (u32), their lengths (u64 each), type (u32) and offset (u64); zeros up to the alignment; the data, which offsets
/// count from. All little-endian; a string is its length (u64) and bytes.
struct GGUFHeader: Sendable {
    static let magic: [UInt8] = Array("GGUF".utf8)

    /// What the bytes are that are being gathered.
    private enum Item {
        case head
        case keyLength
        case keyAndType
        case alignment
        case stringLength
        case arrayHead
        case arrayStringLength(left: UInt64)
        case nameLength
        case nameAndDimensions
        case place(dimensions: Int)
        case padding
    }

    private let limit: Int64
    private let fileEnd: Int64
    private var item = Item.head
    /// What was gathered of the item.
    private var gathered: [UInt8] = []
    /// Bytes to gather still.
    private var toGather = 24
    /// Bytes to pass over before.
    private var toSkip: Int64 = 0
    private var position: Int64 = 0
    private var pairs: UInt64 = 0
    private var tensorsLeft: UInt64 = 0
    private var alignment: Int64 = 32
    /// Their offsets count from the data.
    private var tensors: [Tensor] = []

    init(fileEnd: Int64) {
        self.fileEnd = fileEnd
        limit = min(fileEnd, Int64(TensorHeader.longest))
    }

    var wanted: Int { Int(toSkip) + toGather }

    /// - Precondition: at most `wanted` bytes.
    mutating func take(_ bytes: UnsafeRawBufferPointer) -> TensorHeader.Outcome {
        let skipped = min(Int64(bytes.count), toSkip)
        toSkip -= skipped
        gathered.append(contentsOf: bytes[Int(skipped)...])
        toGather -= bytes.count - Int(skipped)
        position += Int64(bytes.count)
        while toSkip == 0, toGather == 0 {
            if case .padding = item { return finish() }
            guard step() else { return .unusable }
            gathered.removeAll(keepingCapacity: true)
            guard position + toSkip + Int64(toGather) <= limit else { return .unusable }
        }
        return .more
    }

    /// Reads the item that is there and names the next one. False: it says what cannot be.
    private mutating func step() -> Bool {
        switch item {
        case .head:
            let version = number(4, at: 4)
            guard gathered.starts(with: Self.magic), version == 2 || version == 3 else { return false }
            tensorsLeft = number(8, at: 8)
            pairs = number(8, at: 16)
            return nextPair()
        case .keyLength:
            let length = number(8)
            guard length <= 65_535 else { return false }
            return gather(.keyAndType, Int(length) + 4)
        case .keyAndType:
            let key = gathered.dropLast(4)
            let type = number(4, at: key.count)
            if key.elementsEqual("general.alignment".utf8) { return type == 4 && gather(.alignment, 4) }
            switch type {
            case 8: return gather(.stringLength, 8)
            case 9: return gather(.arrayHead, 12)
            default:
                guard let size = Self.size(ofType: type) else { return false }
                return skip(UInt64(size)) && nextPair()
            }
        case .alignment:
            alignment = Int64(number(4))
            return (1...1 << 20).contains(alignment) && alignment & (alignment - 1) == 0 && nextPair()
        case .stringLength:
            return skip(number(8)) && nextPair()
        case .arrayHead:
            let type = number(4)
            let count = number(8, at: 4)
            if type == 8 { return nextString(of: count) }
            guard let size = Self.size(ofType: type) else { return false }
            let (bytes, overflow) = count.multipliedReportingOverflow(by: UInt64(size))
            return !overflow && skip(bytes) && nextPair()
        case .arrayStringLength(let left):
            return skip(number(8)) && nextString(of: left)
        case .nameLength:
            let length = number(8)
            guard length <= 65_535 else { return false }
            return gather(.nameAndDimensions, Int(length) + 4)
        case .nameAndDimensions:
            let dimensions = number(4, at: gathered.count - 4)
            guard dimensions <= 8 else { return false }
            return gather(.place(dimensions: Int(dimensions)), Int(dimensions) * 8 + 12)
        case .place(let dimensions):
            return addTensor(dimensions) && nextTensor()
        case .padding:
            return true
        }
    }

    private mutating func addTensor(_ dimensions: Int) -> Bool {
        let type = number(4, at: dimensions * 8)
        let offset = number(8, at: dimensions * 8 + 4)
        guard offset <= UInt64(fileEnd), offset % UInt64(alignment) == 0 else { return false }
        var tensor = Tensor(start: Int64(offset), end: nil, width: 1)
        // Those of quantised types end where the next one begins.
        if let width = Self.floatWidth(ofTensorType: type) {
            tensor.width = width
            var size = UInt64(width)
            for index in 0..<dimensions {
                let (product, overflow) = size.multipliedReportingOverflow(by: number(8, at: index * 8))
                guard !overflow, product <= UInt64(fileEnd) - offset else { return false }
                size = product
            }
            tensor.end = Int64(offset + size)
        }
        tensors.append(tensor)
        return true
    }

    private mutating func finish() -> TensorHeader.Outcome {
        for index in tensors.indices {
            guard (tensors[index].end ?? tensors[index].start) <= fileEnd - position else { return .unusable }
            tensors[index].start += position
            tensors[index].end? += position
        }
        return .tensors(tensors)
    }

    private mutating func nextPair() -> Bool {
        guard pairs > 0 else { return nextTensor() }
        pairs -= 1
        return gather(.keyLength, 8)
    }

    private mutating func nextString(of count: UInt64) -> Bool {
        count > 0 ? gather(.arrayStringLength(left: count - 1), 8) : nextPair()
    }

    private mutating func nextTensor() -> Bool {
        if tensorsLeft > 0 {
            tensorsLeft -= 1
            return gather(.nameLength, 8)
        }
        let end = position + toSkip
        item = .padding
        return skip(UInt64((alignment - end % alignment) % alignment))
    }

    private mutating func gather(_ next: Item, _ count: Int) -> Bool {
        item = next
        toGather = count
        return true
    }

    private mutating func skip(_ count: UInt64) -> Bool {
        guard count <= UInt64(limit) else { return false }
        toSkip += Int64(count)
        return true
    }

    private func number(_ count: Int, at offset: Int = 0) -> UInt64 {
        gathered[offset..<offset + count].reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// Of a value in a pair; nil for strings, arrays and what is not known.
    private static func size(ofType type: UInt64) -> Int? {
        switch type {
        case 0, 1, 7: 1
        case 2, 3: 2
        case 4, 5, 6: 4
        case 10, 11, 12: 8
        default: nil
        }
    }

    /// F32, F16, F64 and BF16 of `ggml_type`.
    private static func floatWidth(ofTensorType type: UInt64) -> Int? {
        switch type {
        case 0: 4
        case 1, 30: 2
        case 28: 8
        default: nil
        }
    }
}
