import Synchronization

/// A value that comes once, and the tasks that wait for it.
final class Promise<Value: Sendable>: Sendable {
    private struct Waiter {
        let id: UInt64
        let continuation: CheckedContinuation<Value?, Never>
    }

    private struct State {
        var value: Value?
        var waiters: [Waiter] = []
        var cancelled: Set<UInt64> = []
        var nextID: UInt64 = 0
    }

    private let state = Mutex(State())

    /// Wakes everybody. The first value counts.
    func fulfil(_ value: Value) {
        let waiters = state.withLock { state in
            if state.value == nil { state.value = value }
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.continuation.resume(returning: value) }
    }

    /// Waits for the value. Cancellation ends the wait.
    func value() async throws(CancellationError) -> Value {
        let (id, ready): (UInt64, Value?) = state.withLock { state in
            state.nextID += 1
            return (state.nextID, state.value)
        }
        if let ready { return ready }
        let value = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let outcome: Value?? = state.withLock { state in
                    if let value = state.value { return value }
                    if state.cancelled.remove(id) != nil { return .some(nil) }
                    state.waiters.append(Waiter(id: id, continuation: continuation))
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
            waiter?.continuation.resume(returning: nil)
        }
        state.withLock { _ = $0.cancelled.remove(id) }
        guard let value else { throw CancellationError() }
        return value
    }

    /// Waits for the value, cancelled or not: for what comes soon in any case.
    func valueInAnyCase() async -> Value {
        let value = await withCheckedContinuation { continuation in
            let ready: Value? = state.withLock { state in
                if let value = state.value { return value }
                state.nextID += 1
                state.waiters.append(Waiter(id: state.nextID, continuation: continuation))
                return nil
            }
            if let ready { continuation.resume(returning: ready) }
        }
        return value!
    }
}
