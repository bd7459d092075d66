import Logging
package import ObjectStores

/// The log of runs and of the daemon: one line for each message, with what it is about.
package struct ServiceLog: Sendable {
    package enum Format: String, Sendable, Hashable, CaseIterable {
        case text, json
    }

    package enum Level: String, Sendable, Hashable, CaseIterable {
        case debug, info, warning, error
    }

    private var logger: Logger
    private let dial: LogDial

    /// - Parameters:
    ///   - level: what is less important is left out.
    ///   - write: takes one line, without its end.
    package init(
        format: Format, level: Level, time: any Timekeeper, write: @escaping @Sendable (String) -> Void
    ) {
        let dial = LogDial(format, level)
        self.dial = dial
        logger = Logger(label: "lockstep") { _ in StructuredLog(dial, time: time, write: write) }
    }

    /// Writes so from now on, whoever has the log.
    package func change(format: Format, level: Level) {
        dial.turn(format, level)
    }

    package func about(pair: String) -> ServiceLog {
        var log = self
        log.logger[metadataKey: "pair"] = "\(pair)"
        return log
    }

    /// For the lines about one run.
    package func about(_ work: PairWork) -> ServiceLog {
        var log = about(pair: work.pair)
        log.logger[metadataKey: "trace_id"] = "\(work.trace.traceID)"
        log.logger[metadataKey: "span_id"] = "\(work.trace.spanID)"
        return log
    }

    package func write(_ level: Level, _ message: @autoclosure () -> String) {
        logger.log(level: Logger.Level(rawValue: level.rawValue)!, "\(message())")
    }

    package func debug(_ message: @autoclosure () -> String) { write(.debug, message()) }
    package func info(_ message: @autoclosure () -> String) { write(.info, message()) }
    package func warning(_ message: @autoclosure () -> String) { write(.warning, message()) }
    package func error(_ message: @autoclosure () -> String) { write(.error, message()) }
}
