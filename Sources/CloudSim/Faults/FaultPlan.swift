import Synchronization

/// The rules that are active and how often each fired. Safe from any thread.
package final class FaultPlan: Sendable {
    /// A rule with its history.
    package struct Entry: Codable, Sendable {
        package var id: Int
        package var rule: FaultRule
        /// Requests that the rule's pattern matched.
        package var matched: Int
        /// Requests in which the fault happened.
        package var fired: Int
    }

    private struct State {
        var entries: [Entry] = []
        var generators: [Int: SeededGenerator] = [:]
        var nextID = 1
    }

    /// Rules at one time; a plan is written by hand or by a test.
    private static let maximumRules = 1_000

    private let state = Mutex(State())
    private let active = Atomic(false)

    package init(_ rules: [FaultRule] = []) {
        for rule in rules { add(rule) }
    }

    /// Activates a rule; the id names it in `fired` and in the control endpoint.
    @discardableResult
    package func add(_ rule: FaultRule) -> Int {
        state.withLock { state in
            precondition(state.entries.count < Self.maximumRules, "at most \(Self.maximumRules) fault rules")
            let id = state.nextID
            state.nextID += 1
            state.entries.append(Entry(id: id, rule: rule, matched: 0, fired: 0))
            state.generators[id] = SeededGenerator(seed: rule.seed ?? UInt64(id))
            active.store(true, ordering: .releasing)
            return id
        }
    }

    package func clear() {
        state.withLock { state in
            state.entries.removeAll()
            state.generators.removeAll()
            active.store(false, ordering: .releasing)
        }
    }

    package func remove(_ id: Int) {
        state.withLock { state in
            state.entries.removeAll { $0.id == id }
            state.generators[id] = nil
            active.store(!state.entries.isEmpty, ordering: .releasing)
        }
    }

    package var entries: [Entry] { state.withLock { $0.entries } }

    /// How often the rule fired; 0 for an unknown id.
    package func fired(_ id: Int) -> Int {
        state.withLock { $0.entries.first { $0.id == id }?.fired ?? 0 }
    }

    /// Rules that never fired: in a test, each of them is a failure.
    package var unfired: [FaultRule] { entries.filter { $0.fired == 0 }.map(\.rule) }

    /// The faults of this request. Called once per request; costs one atomic load while there are no rules.
    package func match(_ cloud: Cloud, _ target: RequestTarget, method: String) -> [ActiveFault] {
        guard active.load(ordering: .acquiring) else { return [] }
        return state.withLock { state in
            var result: [ActiveFault] = []
            for index in state.entries.indices {
                let rule = state.entries[index].rule
                guard rule.matches(cloud, target, method: method) else { continue }
                state.entries[index].matched += 1
                let first = rule.nth ?? 1
                let count = rule.count ?? (rule.nth == nil ? Int.max : 1)
                let ordinal = state.entries[index].matched
                guard ordinal >= first, ordinal - first < count else { continue }
                if let probability = rule.probability {
                    guard state.generators[state.entries[index].id]!.unit() < probability else { continue }
                }
                if !rule.action.firesWhenApplied { state.entries[index].fired += 1 }
                result.append(
                    ActiveFault(
                        id: state.entries[index].id, rule: rule,
                        random: state.generators[state.entries[index].id]!.next()))
            }
            return result
        }
    }

    /// Counts a fault whose effect depends on more than the request, such as one that hides a listed key.
    func didFire(_ fault: ActiveFault) {
        state.withLock { state in
            guard let index = state.entries.firstIndex(where: { $0.id == fault.id }) else { return }
            state.entries[index].fired += 1
        }
    }
}

/// A fault that concerns the request at hand.
package struct ActiveFault: Sendable {
    let id: Int
    package let rule: FaultRule
    /// A number from the rule's seeded generator, for faults that need one.
    let random: UInt64
}

/// SplitMix64: small, seedable, the same on every machine.
package struct SeededGenerator: RandomNumberGenerator, Sendable {
    private var state: UInt64

    package init(seed: UInt64) {
        state = seed
    }

    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// Uniform in 0..<1.
    package mutating func unit() -> Double {
        Double(next() >> 11) * 0x1p-53
    }
}

extension ActiveFault {
    /// How long the request waits before it is handled.
    var delayMilliseconds: Int {
        guard rule.action == .latency else { return 0 }
        let shortest = rule.milliseconds ?? 0
        let longest = max(shortest, rule.maximumMilliseconds ?? shortest)
        return shortest + Int(random % UInt64(longest - shortest + 1))
    }
}
