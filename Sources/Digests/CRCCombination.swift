/// Carry-less arithmetic modulo the polynomial of one reflected CRC whose initial and final inversions are all ones.
///
/// With final values, crc(A‖B) = x^(8·|B|) ⊗ crc(A) ⊕ crc(B). In the reflected representation the top bit is x⁰.
struct CRCCombination<Word: FixedWidthInteger & UnsignedInteger & Sendable>: Sendable {
    private let reflectedPolynomial: Word
    /// `shifts[k]` is x^(8·2^k): what 2^k more bytes multiply a checksum by.
    private let shifts: [Word]

    init(reflectedPolynomial: Word) {
        self.reflectedPolynomial = reflectedPolynomial
        var shifts: [Word] = []
        // One more byte: x^8 is the bit eight below the top.
        var shift: Word = 1 << (Word.bitWidth - 9)
        for _ in 0..<(Int64.bitWidth - 1) {
            shifts.append(shift)
            shift = Self.multiply(shift, shift, reflectedPolynomial)
        }
        self.shifts = shifts
    }

    func combine(_ a: Word, _ b: Word, lengthOfB: Int64) -> Word {
        precondition(lengthOfB >= 0, "a length is not negative")
        // Nothing moved by any distance is nothing.
        guard a != 0 else { return b }
        var moved = a
        var remaining = lengthOfB
        while remaining != 0 {
            moved = Self.multiply(shifts[remaining.trailingZeroBitCount], moved, reflectedPolynomial)
            remaining &= remaining - 1
        }
        return moved ^ b
    }

    /// Stops as soon as the bits of `a` are used up: low powers, which have few, go first.
    private static func multiply(_ a: Word, _ b: Word, _ reflectedPolynomial: Word) -> Word {
        var a = a
        var multiple = b
        var product: Word = 0
        while a != 0 {
            if a.leadingZeroBitCount == 0 { product ^= multiple }
            a <<= 1
            multiple = (multiple >> 1) ^ (multiple & 1 == 0 ? 0 : reflectedPolynomial)
        }
        return product
    }
}
