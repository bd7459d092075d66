import Digests

/// Cuts by content: FastCDC with normalised chunking (Xia et al., USENIX ATC 2016), level 2.
///
/// A chunk ends behind the first byte at which the register of `GearHash` has its topmost bits zero: two more bits than the average
/// asks for while the chunk is shorter than the average, two fewer behind it. The first `min` bytes are not looked at, but for the
/// last 64 of them, so that every decision depends on the 64 bytes before it and on nothing else. `max` bytes end a chunk always.
struct GearCutter: Sendable {
    private let sizes: GearSizes
    private let strict: Int
    private let loose: Int
    private var register = GearHash()
    /// Bytes of the open chunk.
    private(set) var length = 0

    init(_ sizes: GearSizes) {
        precondition(sizes.isValid, "no sizes to cut by: \(sizes)")
        self.sizes = sizes
        let bits = sizes.average.trailingZeroBitCount
        strict = bits + 2
        loose = bits - 2
    }

    /// How many of the bytes end the chunk; nil: all belong to it and it goes on.
    mutating func nextCut(in bytes: UnsafeRawBufferPointer) -> Int? {
        var taken = 0
        while taken < bytes.count {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[taken...])
            if length < sizes.min {
                let blind = sizes.min - GearHash.window
                if length < blind {
                    let count = Swift.min(blind - length, rest.count)
                    length += count
                    taken += count
                } else {
                    let count = Swift.min(sizes.min - length, rest.count)
                    register.roll(UnsafeRawBufferPointer(rebasing: rest[..<count]))
                    length += count
                    taken += count
                }
                continue
            }
            let isShort = length < sizes.average
            let count = Swift.min((isShort ? sizes.average : sizes.max) - length, rest.count)
            let found = register.find(isShort ? strict : loose, in: UnsafeRawBufferPointer(rebasing: rest[..<count]))
            length += found ?? count
            taken += found ?? count
            if found != nil || length == sizes.max {
                endChunk()
                return taken
            }
        }
        return nil
    }

    /// The next byte begins a chunk.
    mutating func endChunk() {
        register = GearHash()
        length = 0
    }
}
