import Synchronization

/// The right to hold blocks: so many at a time, given all at once or not at all, first come first served.
///
/// Who has a permit never asks for a second one, so nobody waits for somebody who waits.
final class BlockPermits: Sendable {
    private struct Waiter {
        let id: UInt64
        let count: Int
        let continuation: CheckedContinuation<Bool, Never>
    }

    private struct State {
        var available: Int
        var waiters: [Waiter] = []
        var cancelled: Set<UInt64> = []
        var nextID: UInt64 = 0
    }

    let limit: Int
    private let state: Mutex<State>

    init(_ limit: Int) {
        self.limit = limit
        state = Mutex(State(available: limit))
    }

    /// Waits for the right to hold `count` blocks; `release` must follow.
    func acquire(_ count: Int) async throws(CancellationError) {
        precondition(count <= limit, "\(count) blocks are more than there can be")
        let id = state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        let granted = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let outcome: Bool? = state.withLock { state in
                    if state.cancelled.remove(id) != nil { return false }
                    if state.waiters.isEmpty, state.available >= count {
                        state.available -= count
                        return true
                    }
                    state.waiters.append(Waiter(id: id, count: count, continuation: continuation))
                    return nil
                }
                if let outcome { continuation.resume(returning: outcome) }
            }
        } onCancel: {
            let waiter: Waiter? = state.withLock { state in
                guard let index = state.waiters.firstIndex(where: { $0.id == id }) else {
                    state.cancelled.insert(id)
                    return nil
                }
                return state.waiters.remove(at: index)
            }
            waiter?.continuation.resume(returning: false)
            // Those behind may need less.
            if waiter != nil { release(0) }
        }
        state.withLock { _ = $0.cancelled.remove(id) }
        if !granted { throw CancellationError() }
    }

    func release(_ count: Int) {
        let admitted = state.withLock { state in
            state.available += count
            var admitted: [Waiter] = []
            while let first = state.waiters.first, first.count <= state.available {
                state.available -= first.count
                admitted.append(state.waiters.removeFirst())
            }
            return admitted
        }
        for waiter in admitted { waiter.continuation.resume(returning: true) }
    }
}
