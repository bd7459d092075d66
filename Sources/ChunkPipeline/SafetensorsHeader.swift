/// Reads the header of a safetensors file: its length (u64, little-endian) and JSON that names each tensor's type, shape and place.
struct SafetensorsHeader: Sendable {
    private let fileEnd: Int64
    private let length: Int
    private var text: [UInt8]

    /// - Parameter first: the file's first nine bytes.
    /// - Returns: nil when they do not begin such a file.
    init?(_ first: [UInt8], fileEnd: Int64) {
        let length = first[..<8].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        guard first[8] == UInt8(ascii: "{"), length >= 2, length <= UInt64(TensorHeader.longest),
            Int64(length) + 8 <= fileEnd
        else { return nil }
        self.fileEnd = fileEnd
        self.length = Int(length)
        text = [first[8]]
    }

    var wanted: Int { length - text.count }

    /// - Precondition: at most `wanted` bytes.
    mutating func take(_ bytes: UnsafeRawBufferPointer) -> TensorHeader.Outcome {
        text.append(contentsOf: bytes)
        guard text.count == length else { return .more }
        defer { text = [] }
        return text.withUnsafeBytes { text in
            var scanner = JSONScanner(text)
            guard let tensors = Self.tensors(&scanner, dataStart: Int64(length) + 8, fileEnd: fileEnd) else {
                return .unusable
            }
            return .tensors(tensors)
        }
    }

    private static func tensors(_ scanner: inout JSONScanner, dataStart: Int64, fileEnd: Int64) -> [Tensor]? {
        var tensors: [Tensor] = []
        let isObject = scanner.object { scanner, name in
            if name.elementsEqual("__metadata__".utf8) { return scanner.skipValue() }
            guard var tensor = tensor(&scanner), let end = tensor.end, end <= fileEnd - dataStart else { return false }
            tensor.start += dataStart
            tensor.end = end + dataStart
            tensors.append(tensor)
            return true
        }
        return isObject && scanner.isAtEnd ? tensors : nil
    }

    /// One tensor, its place counted from the data.
    private static func tensor(_ scanner: inout JSONScanner) -> Tensor? {
        var width: Int?
        var shape: [Int64]?
        var offsets: [Int64]?
        let isObject = scanner.object { scanner, member in
            if member.elementsEqual("dtype".utf8) {
                guard let type = scanner.string() else { return false }
                width = floatWidth(of: type)
                return true
            }
            if member.elementsEqual("shape".utf8) {
                shape = scanner.integers(atMost: 64)
                return shape != nil
            }
            if member.elementsEqual("data_offsets".utf8) {
                offsets = scanner.integers(atMost: 2)
                return offsets != nil
            }
            return scanner.skipValue()
        }
        guard isObject, let width, let shape, let offsets, offsets.count == 2, offsets[0] <= offsets[1] else {
            return nil
        }
        if width > 1 {
            var size = Int64(width)
            for length in shape {
                let (product, overflow) = size.multipliedReportingOverflow(by: length)
                guard !overflow else { return nil }
                size = product
            }
            guard size == offsets[1] - offsets[0] else { return nil }
        }
        return Tensor(start: offsets[0], end: offsets[1], width: width)
    }

    private static func floatWidth(of type: UnsafeRawBufferPointer) -> Int {
        if type.elementsEqual("BF16".utf8) || type.elementsEqual("F16".utf8) { return 2 }
        if type.elementsEqual("F32".utf8) { return 4 }
        return type.elementsEqual("F64".utf8) ? 8 : 1
    }
}
