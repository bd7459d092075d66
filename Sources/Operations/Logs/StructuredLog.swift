import Foundation
import Logging
import ObjectStores
import ReplicationModel

/// Writes one line for each message: as text for people and journals, or as a JSON object.
struct StructuredLog: LogHandler {
    var metadata: Logger.Metadata = [:]

    private let dial: LogDial
    private let time: any Timekeeper
    private let write: @Sendable (String) -> Void

    /// - Parameter write: takes one line, without its end.
    init(_ dial: LogDial, time: any Timekeeper, write: @escaping @Sendable (String) -> Void) {
        self.dial = dial
        self.time = time
        self.write = write
    }

    /// Of the log as a whole: no part of it has a level of its own.
    var logLevel: Logger.Level {
        get { Logger.Level(rawValue: dial.setting.level.rawValue)! }
        set {}
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let fields = metadata.merging(event.metadata ?? [:]) { $1 }.mapValues { "\($0)" }
        let level = event.level.rawValue
        let text = "\(event.message)"
        switch dial.setting.format {
        case .text:
            let rest = fields.sorted { $0.key < $1.key }.map { " \($0.key)=\(Self.quoted($0.value))" }.joined()
            write("\(moment) \(level) \(Self.oneLine(text))\(rest)")
        case .json:
            // A field must not pass for one that every line has.
            var object = fields.filter { !["time", "level", "message"].contains($0.key) }
            object["time"] = moment
            object["level"] = level
            object["message"] = text
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            guard let line = try? encoder.encode(object) else { return }
            write(String(decoding: line, as: UTF8.self))
        }
    }

    /// To the millisecond.
    private var moment: String {
        String(CivilTime(nanosecondsSince1970: time.now()).rfc3339Nanoseconds.dropLast(7)) + "Z"
    }

    private static func oneLine(_ text: String) -> String {
        String(text.unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7F ? " " : Character($0) })
    }

    private static func quoted(_ value: String) -> String {
        let needsQuotes = value.isEmpty || value.unicodeScalars.contains { $0.value <= 0x20 || $0 == "\"" || $0 == "=" }
        return needsQuotes ? "\"\(oneLine(value).replacing("\"", with: "'"))\"" : value
    }
}
