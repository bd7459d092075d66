import CKernels

/// A rolling hash over the last 64 bytes of a stream: what decides where content is cut.
///
/// Each byte shifts the register left by one bit and adds its word of a table of 256. The table is the first 256 outputs of SplitMix64
/// from the seed `0x4C6F_636B_7374_6570` ("Lockstep"). Another table is another cut of everything, and so another format.
package struct GearHash: Sendable {
    /// Bytes that the register depends on.
    package static let window = 64

    private var register: UInt64 = 0

    package init() {}

    /// Takes bytes without looking for anything.
    package mutating func roll(_ bytes: UnsafeRawBufferPointer) {
        register = lockstep_gear_roll(register, Self.table, bytes.baseAddress, bytes.count)
    }

    /// How many of the bytes it takes until the register's topmost `bits` bits are all zero; nil when it took all of them in vain.
    package mutating func find(_ bits: Int, in bytes: UnsafeRawBufferPointer) -> Int? {
        let mask = ~UInt64(0) << (UInt64.bitWidth - bits)
        let count = lockstep_gear_find(&register, Self.table, bytes.baseAddress, bytes.count, mask)
        return count == 0 ? nil : count
    }

    private static let table: [UInt64] = {
        var state: UInt64 = 0x4C6F_636B_7374_6570
        return (0..<256).map { _ in
            state &+= 0x9E37_79B9_7F4A_7C15
            var value = state
            value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
            value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
            return value ^ (value >> 31)
        }
    }()
}
