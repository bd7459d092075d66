/// Memory that is kept from use to use and grows to the largest. Used by one thread at a time.
final class Scratch {
    private var memory = UnsafeMutableRawBufferPointer(start: nil, count: 0)

    deinit {
        memory.deallocate()
    }

    /// So many bytes of no particular content; valid until the next call.
    func take(_ count: Int) -> UnsafeMutableRawBufferPointer {
        if memory.count < count {
            memory.deallocate()
            memory = .allocate(byteCount: count, alignment: 64)
        }
        return UnsafeMutableRawBufferPointer(rebasing: memory[..<count])
    }
}
