import Synchronization

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// The memory ceiling: every byte in flight lives in a buffer of this pool.
///
/// `acquire` waits, first come first served, until the bytes fit under the limit. Freed regions are kept for reuse by
/// size class and given back to the system when another class needs the room, so resident memory stays under `limit`.
package final class BufferPool: Sendable {
    /// Sum of the bytes of all live and idle buffers, at most. A whole region: a buffer of any size up to it can be had.
    package let limit: Int

    /// Smallest region; smaller requests are rounded up to it.
    static let smallestRegion = 16 << 10

    private struct Waiter {
        let id: UInt64
        let size: Int
        let continuation: CheckedContinuation<PooledBuffer?, Never>
    }

    private struct State {
        var live = 0
        var idle = 0
        var idleRegions: [Int: [UnsafeMutableRawPointer]] = [:]
        var waiters: [Waiter] = []
        var cancelled: Set<UInt64> = []
        var nextID: UInt64 = 0
        var peak = 0
    }

    private let state: Mutex<SendableState>

    /// Raw pointers are not `Sendable`; the mutex guards every one of them.
    private struct SendableState: @unchecked Sendable {
        var value = State()
    }

    package init(limit: Int) {
        precondition(limit >= Self.smallestRegion, "a buffer pool needs room for one region")
        self.limit = Self.wholeRegion(within: limit)
        self.state = Mutex(SendableState())
    }

    deinit {
        state.withLock { box in
            for (_, regions) in box.value.idleRegions { regions.forEach { free($0) } }
        }
    }

    /// The bytes that a request of `size` occupies: the size class, not what was asked for.
    package static func footprint(_ size: Int) -> Int {
        var region = smallestRegion
        while region < size && region < (1 << 20) { region <<= 1 }
        if region >= size { return region }
        let mebibyte = 1 << 20
        return (size + mebibyte - 1) / mebibyte * mebibyte
    }

    private static func wholeRegion(within bytes: Int) -> Int {
        let mebibyte = 1 << 20
        if bytes >= mebibyte { return bytes / mebibyte * mebibyte }
        var region = smallestRegion
        while region << 1 <= bytes { region <<= 1 }
        return region
    }

    /// Waits until `size` bytes fit under the limit. Throws `CancellationError` when the task is cancelled while it waits.
    /// - Precondition: `size <= limit`, else it would wait for ever.
    package func acquire(_ size: Int) async throws -> PooledBuffer {
        let region = Self.footprint(size)
        precondition(region <= limit, "a buffer of \(region) bytes does not fit a pool of \(limit)")
        let (id, ready): (UInt64, PooledBuffer?) = state.withLock { box in
            box.value.nextID += 1
            guard box.value.waiters.isEmpty else { return (box.value.nextID, nil) }
            return (box.value.nextID, take(region, &box.value))
        }
        if let ready { return ready }
        let buffer = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let outcome: PooledBuffer?? = state.withLock { box in
                    if box.value.cancelled.remove(id) != nil { return .some(nil) }
                    if box.value.waiters.isEmpty, let buffer = take(region, &box.value) { return .some(buffer) }
                    box.value.waiters.append(Waiter(id: id, size: region, continuation: continuation))
                    return nil
                }
                if let outcome { continuation.resume(returning: outcome) }
            }
        } onCancel: {
            cancel(id)
        }
        state.withLock { _ = $0.value.cancelled.remove(id) }
        guard let buffer else { throw CancellationError() }
        return buffer
    }

    /// A buffer that can be had without waiting and without passing anybody who waits; nil when there is none.
    package func tryAcquire(_ size: Int) -> PooledBuffer? {
        let region = Self.footprint(size)
        return state.withLock { box in box.value.waiters.isEmpty ? take(region, &box.value) : nil }
    }

    /// Largest sum of live buffers so far, in bytes.
    package var peak: Int { state.withLock { $0.value.peak } }

    /// Bytes in live buffers now.
    package var inUse: Int { state.withLock { $0.value.live } }

    /// Callers that wait for room now.
    package var waiting: Int { state.withLock { $0.value.waiters.count } }

    private func cancel(_ id: UInt64) {
        let waiter: Waiter? = state.withLock { box in
            guard let index = box.value.waiters.firstIndex(where: { $0.id == id }) else {
                box.value.cancelled.insert(id)
                return nil
            }
            return box.value.waiters.remove(at: index)
        }
        waiter?.continuation.resume(returning: nil)
        if waiter != nil { admitWaiters() }
    }

    private func take(_ region: Int, _ state: inout State) -> PooledBuffer? {
        guard state.live + region <= limit else { return nil }
        state.live += region
        state.peak = max(state.peak, state.live)
        let base: UnsafeMutableRawPointer
        if let reused = state.idleRegions[region]?.popLast() {
            state.idle -= region
            base = reused
        } else {
            evict(state: &state, room: limit - state.live)
            var fresh: UnsafeMutableRawPointer?
            let status = posix_memalign(&fresh, 4096, region)
            precondition(status == 0 && fresh != nil, "out of memory: \(region) bytes")
            base = fresh!
        }
        return PooledBuffer(base: base, capacity: region) { [weak self] base, capacity in
            guard let self else { return free(base) }
            self.giveBack(base, capacity)
        }
    }

    /// Frees idle regions until at most `room` idle bytes remain, largest regions first.
    private func evict(state: inout State, room: Int) {
        guard state.idle > room else { return }
        for region in state.idleRegions.keys.sorted(by: >) {
            while state.idle > room, let base = state.idleRegions[region]?.popLast() {
                free(base)
                state.idle -= region
            }
        }
    }

    private func giveBack(_ base: UnsafeMutableRawPointer, _ region: Int) {
        state.withLock { box in
            box.value.live -= region
            box.value.idle += region
            box.value.idleRegions[region, default: []].append(base)
        }
        admitWaiters()
    }

    private func admitWaiters() {
        while true {
            let admitted: (Waiter, PooledBuffer)? = state.withLock { box in
                guard let first = box.value.waiters.first, let buffer = take(first.size, &box.value) else { return nil }
                box.value.waiters.removeFirst()
                return (first, buffer)
            }
            guard let (waiter, buffer) = admitted else { return }
            waiter.continuation.resume(returning: buffer)
        }
    }
}
