import Digests

/// Finds where a stream is cut by its content, so that equal stretches of two streams are cut alike wherever they lie.
///
/// A segment ends behind the first byte at which the top bits of a rolling hash of the last 64 bytes are zero: as many bits as the
/// average has, and beyond the average two less, so that few segments are cut by the maximum, which is no content's. A value: it does
/// no I/O and takes the stream in pieces of any size.
package struct SegmentCutter: Sendable {
    /// How long segments are, in bytes.
    package struct Limits: Sendable, Hashable {
        /// A power of two.
        package let average: Int
        /// The last segment of a stream may be shorter.
        package var minimum: Int { average / 2 }
        package var maximum: Int { average * 4 }

        package init(average: Int) {
            precondition(average >= 256 && average.nonzeroBitCount == 1, "an average is a power of two of at least 256")
            self.average = average
        }

        /// One row of the ledger for each mebibyte: fine enough that a change costs little more than the smallest part.
        package static let standard = Limits(average: 1 << 20)
        /// Segments of one object at most, about: what their list takes in memory is bounded by it.
        package static let segmentsPerObject: Int64 = 1 << 16

        /// Twice as long as often as an object of `size` bytes needs it.
        package func scaled(to size: Int64) -> Limits {
            var average = average
            while size / Int64(average) > Self.segmentsPerObject { average *= 2 }
            return Limits(average: average)
        }
    }

    private let limits: Limits
    private var hash = GearHash()
    /// Bytes of the segment so far.
    private var length = 0

    package init(_ limits: Limits) {
        self.limits = limits
    }

    /// How many of the next bytes end the current segment; nil when it goes on behind all of them. What follows the end is to be
    /// given again: it is the next segment's.
    package mutating func cut(_ bytes: UnsafeRawBufferPointer) -> Int? {
        var taken = 0
        while taken < bytes.count {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[taken...])
            let (step, isEnd) = advance(rest)
            taken += step
            guard isEnd else { continue }
            length = 0
            hash = GearHash()
            return taken
        }
        return nil
    }

    /// Takes bytes up to the next length at which another rule holds.
    private mutating func advance(_ bytes: UnsafeRawBufferPointer) -> (taken: Int, isEnd: Bool) {
        func next(until bound: Int) -> UnsafeRawBufferPointer {
            UnsafeRawBufferPointer(rebasing: bytes.prefix(bound - length))
        }
        let bits = limits.average.trailingZeroBitCount
        // The bytes before the window of the first possible end do not matter.
        if length < limits.minimum - GearHash.window {
            let skipped = next(until: limits.minimum - GearHash.window)
            length += skipped.count
            return (skipped.count, false)
        }
        if length < limits.minimum {
            let warming = next(until: limits.minimum)
            hash.roll(warming)
            length += warming.count
            return (warming.count, false)
        }
        let isShort = length < limits.average
        let searched = next(until: isShort ? limits.average : limits.maximum)
        let found = hash.find(isShort ? bits : bits - 2, in: searched)
        let taken = found ?? searched.count
        length += taken
        return (taken, found != nil || length == limits.maximum)
    }
}
