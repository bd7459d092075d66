package import NIOCore
import Synchronization

/// Who is connected, and who has to go when there are too many, so that a new connection is served however many only hold on.
package final class PageConnections: Sendable {
    package static let limit = 128

    /// In the order in which connections go.
    package enum Phase: Int, Sendable {
        /// It has never sent a complete request.
        case new
        /// It has its answer.
        case idle
        /// It has not taken all of its answer.
        case answering
    }

    private struct Entry: Sendable {
        var channel: any Channel
        var phase: Phase
        /// Rises with every change: the lowest has not moved for longest.
        var turn: Int
    }

    private struct State: Sendable {
        var entries: [ObjectIdentifier: Entry] = [:]
        var turn = 0

        mutating func set(_ channel: any Channel, _ phase: Phase) {
            turn += 1
            entries[ObjectIdentifier(channel)] = Entry(channel: channel, phase: phase, turn: turn)
        }
    }

    private let state = Mutex(State())

    package init() {}

    /// Takes a new connection in. When there are too many, the one closes that has not moved for longest in the first phase that has any.
    package func enter(_ channel: any Channel) {
        let excess = state.withLock { state in
            var excess: Entry?
            if state.entries.count >= Self.limit {
                excess = state.entries.values.min { ($0.phase.rawValue, $0.turn) < ($1.phase.rawValue, $1.turn) }
                if let excess { state.entries[ObjectIdentifier(excess.channel)] = nil }
            }
            state.set(channel, .new)
            return excess
        }
        excess?.channel.close(promise: nil)
    }

    func change(_ channel: any Channel, to phase: Phase) {
        state.withLock { state in
            // One that has to go stays gone.
            if state.entries[ObjectIdentifier(channel)] != nil { state.set(channel, phase) }
        }
    }

    func leave(_ channel: any Channel) {
        state.withLock { $0.entries[ObjectIdentifier(channel)] = nil }
    }
}
