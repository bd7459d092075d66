/// Reads the bytes of a page or index segment in order. Every step is checked against the end: what does not fit is `.damaged`.
///
/// Unsigned integers of varying length are LEB128: seven bits a byte, the lowest first, the eighth bit set on all but the last byte,
/// and no byte more than needed.
struct PageScanner {
    /// The object that the bytes are of, for errors.
    let name: String
    private let bytes: UnsafeRawBufferPointer
    private(set) var position = 0

    init(_ bytes: UnsafeRawBufferPointer, name: String) {
        self.bytes = bytes
        self.name = name
    }

    var remaining: Int { bytes.count - position }

    func damaged(_ what: String) -> VaultError {
        VaultError(.damaged, object: name, "\(what), at byte \(position) of its content")
    }

    mutating func take(_ count: Int) throws(VaultError) -> UnsafeRawBufferPointer {
        guard count >= 0, count <= remaining else { throw damaged("the content ends too early") }
        defer { position += count }
        return UnsafeRawBufferPointer(rebasing: bytes[position..<position + count])
    }

    mutating func integer<T: FixedWidthInteger>(_: T.Type) throws(VaultError) -> T {
        T(littleEndian: try take(MemoryLayout<T>.size).loadUnaligned(as: T.self))
    }

    /// A LEB128 integer of at most `limit`.
    mutating func variable(upTo limit: Int) throws(VaultError) -> Int {
        var value = 0
        var shift = 0
        while true {
            guard position < bytes.count else { throw damaged("the content ends too early") }
            let byte = bytes[position]
            let bits = Int(byte & 0x7F)
            guard shift < 63, shift == 0 || byte != 0 else {
                throw damaged("an integer is not written as it should be")
            }
            position += 1
            value |= bits << shift
            if byte < 0x80 { break }
            shift += 7
        }
        guard value <= limit else { throw damaged("a number is out of its range") }
        return value
    }

    mutating func zeros(_ count: Int) throws(VaultError) {
        guard try take(count).allSatisfy({ $0 == 0 }) else { throw damaged("reserved bytes are set") }
    }
}

extension [UInt8] {
    mutating func append(integer value: some FixedWidthInteger) {
        Swift.withUnsafeBytes(of: value.littleEndian) { append(contentsOf: $0) }
    }

    /// LEB128, see `PageScanner`.
    mutating func append(variable value: Int) {
        precondition(value >= 0, "only natural numbers are written so")
        var rest = UInt(value)
        while rest >= 0x80 {
            append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        append(UInt8(rest))
    }
}
