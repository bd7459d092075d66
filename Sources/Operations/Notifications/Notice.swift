import Foundation
import ReplicationModel

/// What people are told of one pair.
package struct Notice: Sendable, Hashable, Encodable {
    /// One line for people, in the field that Slack and its like show.
    package var text: String
    package var pair: String
    package var event: PairEvent
    package var exitCode: Int32
    package var message: String?
    /// `2026-11-21T03:04:05Z`.
    package var time: String
    package var host: String
    package var traceId: String

    package init(_ event: PairEvent, _ outcome: PairOutcome, of work: PairWork, host: String) {
        self.event = event
        pair = work.pair
        exitCode = outcome.exitCode
        message = outcome.message
        time = CivilTime(secondsSince1970: outcome.end).rfc3339
        self.host = host
        traceId = work.trace.traceID
        let what = outcome.kind == .check ? "check of pair" : "pair"
        let sentence =
            switch event {
            case .failure: "\(what) \(pair) fails (\(outcome.result.rawValue), exit code \(exitCode))"
            case .drift: "\(what) \(pair) found differences between source and target"
            case .recovery: "\(what) \(pair) is well again"
            }
        text = "lockstep on \(host): \(sentence)" + (event == .recovery ? "" : outcome.message.map { ": \($0)" } ?? "")
    }

    package var json: [UInt8] {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        // Strings and numbers: nothing that JSON could not say.
        return (try? encoder.encode(self)).map(Array.init) ?? []
    }
}
