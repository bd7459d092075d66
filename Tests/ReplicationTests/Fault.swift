import ObjectStores
import ReplicationModel
import Synchronization

/// What goes wrong with one call of a store.
enum Fault: Sendable {
    /// Nothing happens, and the store says so.
    case error(StoreError.Code, StoreError.Retry = .never)
    /// The write happens, and nobody tells.
    case lostReply
    /// The write does not happen, and nobody tells that either.
    case lostRequest
    /// Half of the bytes arrive, then the connection breaks.
    case shortRead
    /// One bit of what arrives or is stored is wrong; the checksum of the wrong bytes goes with them.
    case flippedBit
    /// The page is another than the one the store made.
    case page(@Sendable (ListPage) -> ListPage)
    /// Something else happens first.
    case before(@Sendable () async -> Void)
    /// Something else happens afterwards, before the caller learns of the success.
    case after(@Sendable () async -> Void)

    static let transient = Fault.error(.unavailable, .transient)
}

/// Faults that are planned call by call, and must all be used up: a fault that did not fire tested nothing.
final class FaultPlan: Sendable {
    private struct Entry {
        let operation: StoreOperation
        let key: ObjectKey?
        let calls: Range<Int>
        let fault: Fault
        var seen = 0
        var fired = 0
    }

    private let entries = Mutex<[Entry]>([])

    /// - Parameters:
    ///   - key: nil stands for every key.
    ///   - call: the first matching call that fails, counted from 1.
    ///   - times: how many calls in a row.
    func add(_ operation: StoreOperation, _ key: ObjectKey?, call: Int = 1, times: Int = 1, _ fault: Fault) {
        entries.withLock {
            $0.append(Entry(operation: operation, key: key, calls: call..<(call + times), fault: fault))
        }
    }

    func add(_ operation: StoreOperation, call: Int = 1, times: Int = 1, _ fault: Fault) {
        add(operation, nil, call: call, times: times, fault)
    }

    /// The fault of the next call; every matching entry counts the call.
    func next(_ operation: StoreOperation, _ key: ObjectKey?) -> Fault? {
        entries.withLock { entries in
            var found: Fault?
            for index in entries.indices where entries[index].operation == operation {
                guard entries[index].key == nil || entries[index].key == key else { continue }
                entries[index].seen += 1
                guard found == nil, entries[index].calls.contains(entries[index].seen) else { continue }
                entries[index].fired += 1
                found = entries[index].fault
            }
            return found
        }
    }

    /// Planned and never fired, for people.
    var unused: [String] {
        entries.withLock { entries in
            entries.filter { $0.fired < $0.calls.count }.map {
                "\($0.operation.rawValue) \($0.key.map(\.text) ?? "*"): \($0.fault) fired \($0.fired) of \($0.calls.count) times"
            }
        }
    }
}
