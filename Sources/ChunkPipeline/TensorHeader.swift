/// What the first bytes of a file say of its tensors.
///
/// It is fed with exactly as many bytes as it wants, so that it knows where the header ends at the moment when it ends.
struct TensorHeader: Sendable {
    /// Longer headers are not read.
    static let longest = 16 << 20

    enum Outcome {
        case more
        /// The header ends here.
        case tensors([Tensor])
        /// No file of tensors, or a header that says what cannot be.
        case unusable
    }

    private enum Kind {
        /// The first bytes, until they tell.
        case unknown([UInt8])
        case safetensors(SafetensorsHeader)
        case gguf(GGUFHeader)
    }

    /// What tells: the length of a safetensors header and its brace; the magic of GGUF.
    private static let sniffed = 9

    private let fileEnd: Int64
    private var kind = Kind.unknown([])

    init(fileEnd: Int64) {
        self.fileEnd = fileEnd
    }

    /// How many bytes are to be given next: all of them, in one piece or in several.
    var wanted: Int {
        switch kind {
        case .unknown(let bytes): Self.sniffed - bytes.count
        case .safetensors(let header): header.wanted
        case .gguf(let header): header.wanted
        }
    }

    /// - Precondition: between 1 and `wanted` bytes.
    mutating func take(_ bytes: UnsafeRawBufferPointer) -> Outcome {
        precondition((1...wanted).contains(bytes.count), "a header takes what it wants")
        // Moved out and back, so that what was read is not copied.
        var current = Kind.unknown([])
        swap(&current, &kind)
        switch consume current {
        case .unknown(var first):
            first.append(contentsOf: bytes)
            kind = .unknown(first)
            return first.count < Self.sniffed ? .more : recognise(first)
        case .safetensors(var header):
            let outcome = header.take(bytes)
            kind = .safetensors(header)
            return outcome
        case .gguf(var header):
            let outcome = header.take(bytes)
            kind = .gguf(header)
            return outcome
        }
    }

    private mutating func recognise(_ first: [UInt8]) -> Outcome {
        if first.starts(with: GGUFHeader.magic) {
            var header = GGUFHeader(fileEnd: fileEnd)
            let outcome = first.withUnsafeBytes { header.take($0) }
            kind = .gguf(header)
            return outcome
        }
        guard let header = SafetensorsHeader(first, fileEnd: fileEnd) else { return .unusable }
        kind = .safetensors(header)
        return .more
    }
}
