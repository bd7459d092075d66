import Foundation
import Operations
import Synchronization

/// Standard output for data, standard error for talk. Lines of many tasks do not mix, and a progress bar at the bottom of a terminal
/// is taken away before a line and drawn again after it.
struct Console: Sendable {
    /// What all consoles of the process share.
    private final class Terminal: Sendable {
        struct State {
            var bar = ""
            var dataFailure: Int32 = 0
        }

        let state = Mutex(State())
    }

    private let terminal = Terminal()
    /// Whose lines these are, where several speak at once.
    private var label: String?
    /// Whether standard error is a terminal that a bar can be drawn on.
    let isTerminal: Bool
    /// Whether colours may be used: on a terminal, unless NO_COLOR is set (no-color.org).
    let hasColor: Bool
    /// Where talk goes instead of standard error.
    private var log: ServiceLog?

    /// Talk goes to a log, line by line.
    init(log: ServiceLog) {
        self.log = log
        isTerminal = false
        hasColor = false
    }

    init(environment: [String: String]) {
        log = nil
        isTerminal = isatty(STDERR_FILENO) == 1 && environment["TERM"] != "dumb"
        hasColor = isTerminal && (environment["NO_COLOR"] ?? "").isEmpty
    }

    /// The same console, saying whose lines these are: `models: …` to people, a first column in data.
    func labelled(as label: String) -> Console {
        var console = self
        console.label = label
        console.log = log?.about(pair: label)
        return console
    }

    /// Columns of the terminal, 80 when it does not say.
    var width: Int {
        var size = winsize()
        guard ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
        return Int(size.ws_col)
    }

    /// One line of data.
    func data(_ line: String) {
        let line = label.map { "\($0)\t\(line)" } ?? line
        terminal.state.withLock { state in
            let error = Self.write(line + "\n", to: STDOUT_FILENO)
            if state.dataFailure == 0 { state.dataFailure = error }
        }
    }

    /// `errno` of the first line of data that could not be written, 0 if all were. A reader that went away is not a failure.
    var dataFailure: Int32 { terminal.state.withLock { $0.dataFailure == EPIPE ? 0 : $0.dataFailure } }

    /// One line of talk.
    func say(_ line: String) {
        if let log { return log.info(line) }
        write(labelled(line))
    }

    private func labelled(_ line: String) -> String { label.map { "\($0): \(line)" } ?? line }

    private func write(_ line: String) {
        terminal.state.withLock { state in
            let text = state.bar.isEmpty ? line + "\n" : "\r\u{1B}[K" + line + "\n" + state.bar
            Self.write(text, to: STDERR_FILENO)
        }
    }

    func warn(_ line: String) {
        if let log { return log.warning(line) }
        let line = labelled(line)
        write(hasColor ? "\u{1B}[33mwarning:\u{1B}[0m \(line)" : "warning: \(line)")
    }

    func error(_ line: String) {
        if let log { return log.error(line) }
        let line = labelled(line)
        write(hasColor ? "\u{1B}[31merror:\u{1B}[0m \(line)" : "error: \(line)")
    }

    /// Draws the bar in place of the one before; an empty one takes it away.
    func drawBar(_ bar: String) {
        terminal.state.withLock { state in
            guard state.bar != bar else { return }
            state.bar = bar
            Self.write("\r\u{1B}[K" + bar, to: STDERR_FILENO)
        }
    }

    /// Writes everything, also to a pipe that takes it in pieces. Returns 0, or `errno` of what ended the writing.
    @discardableResult
    private static func write(_ text: String, to descriptor: Int32) -> Int32 {
        var text = text
        return text.withUTF8 { bytes in
            var rest = UnsafeRawBufferPointer(bytes)
            while !rest.isEmpty {
                let count = Foundation.write(descriptor, rest.baseAddress!, rest.count)
                if count > 0 {
                    rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(count))
                } else if count < 0, errno == EINTR {
                    continue
                } else {
                    return count < 0 ? errno : EIO
                }
            }
            return 0
        }
    }
}
