/// Padmé (Nikitin et al., "Reducing Metadata Leakage from Encrypted Files and Communication with PURBs", 2019): a length then tells
/// no more than O(log log) bits, at the price of at most 12 %, and at most 3 % from a mebibyte on.
package enum Padding {
    /// The length that something of so many bytes is padded to.
    package static func padded(_ length: Int) -> Int {
        precondition(length >= 0, "lengths are not negative")
        guard length > 1 else { return length }
        let exponent = Int.bitWidth - 1 - length.leadingZeroBitCount
        let kept = Int.bitWidth - exponent.leadingZeroBitCount
        let mask = (1 << max(0, exponent - kept)) - 1
        return (length + mask) & ~mask
    }
}
