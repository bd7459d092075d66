/// Which bytes of a stream are in a ring of memory: from the first that somebody still needs to the last that was asked for.
///
/// Parts are handed out in the order of the stream and released in any order. A value that does no I/O.
package struct RingWindow: Sendable {
    private let capacity: Int64
    /// First byte that must not be overwritten.
    package private(set) var start: Int64 = 0
    /// End of what is there or about to be.
    package private(set) var end: Int64 = 0
    /// Parts that were handed out and cannot be forgotten yet, in order.
    private var parts: [(number: Int, end: Int64, isReleased: Bool)] = []

    package init(capacity: Int64) {
        self.capacity = capacity
    }

    /// Makes room for the next bytes; false when there is none before more parts are released.
    package mutating func reserve(_ count: Int64) -> Bool {
        guard end + count - start <= capacity else { return false }
        end += count
        return true
    }

    /// The next part ends there.
    package mutating func handOut(_ number: Int, end: Int64) {
        parts.append((number, end, false))
    }

    /// Nobody needs the bytes of the part any more.
    package mutating func release(_ number: Int) {
        guard let index = parts.firstIndex(where: { $0.number == number }) else { return }
        parts[index].isReleased = true
        let forgotten = parts.prefix { $0.isReleased }
        start = forgotten.last?.end ?? start
        parts.removeFirst(forgotten.count)
    }
}
