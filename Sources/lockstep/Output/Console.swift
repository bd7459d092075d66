import Foundation
import Synchronization

/// Standard output for data, standard error for talk. Lines of many tasks do not mix, and a progress bar at the bottom of a terminal
/// is taken away before a line and drawn again after it.
final class Console: Sendable {
    private struct State {
        var bar = ""
        var dataFailure: Int32 = 0
    }

    private let state = Mutex(State())
    /// Whether standard error is a terminal that a bar can be drawn on.
    let isTerminal: Bool
    /// Whether colours may be used: on a terminal, unless NO_COLOR is set (no-color.org).
    let hasColor: Bool

    init(environment: [String: String]) {
        isTerminal = isatty(STDERR_FILENO) == 1 && environment["TERM"] != "dumb"
        hasColor = isTerminal && (environment["NO_COLOR"] ?? "").isEmpty
    }

    /// Columns of the terminal, 80 when it does not say.
    var width: Int {
        var size = winsize()
        guard ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
        return Int(size.ws_col)
    }

    /// One line of data.
    func data(_ line: String) {
        state.withLock { state in
            let error = Self.write(line + "\n", to: STDOUT_FILENO)
            if state.dataFailure == 0 { state.dataFailure = error }
        }
    }

    /// `errno` of the first line of data that could not be written, 0 if all were. A reader that went away is not a failure.
    var dataFailure: Int32 { state.withLock { $0.dataFailure == EPIPE ? 0 : $0.dataFailure } }

    /// One line of talk.
    func say(_ line: String) {
        state.withLock { state in
            if state.bar.isEmpty {
                Self.write(line + "\n", to: STDERR_FILENO)
            } else {
                Self.write("\r\u{1B}[K" + line + "\n" + state.bar, to: STDERR_FILENO)
            }
        }
    }

    func warn(_ line: String) {
        say(hasColor ? "\u{1B}[33mwarning:\u{1B}[0m \(line)" : "warning: \(line)")
    }

    func error(_ line: String) {
        say(hasColor ? "\u{1B}[31merror:\u{1B}[0m \(line)" : "error: \(line)")
    }

    /// Draws the bar in place of the one before; an empty one takes it away.
    func drawBar(_ bar: String) {
        state.withLock { state in
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
