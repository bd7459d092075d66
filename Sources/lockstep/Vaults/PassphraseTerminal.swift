import Cryptography
import Foundation
import Synchronization

/// The terminal of this process, for questions whose answers are not shown.
struct PassphraseTerminal: Sendable {
    let interruption: Interruption

    /// How often a waiting question looks whether a signal came, milliseconds.
    private static let pollInterval: Int32 = 100
    private static let maxLength = 4096

    /// - Parameter wayOut: what helps where there is no terminal.
    /// - Throws: also when a signal ends the question.
    func ask(_ question: String, wayOut: String) async throws(CommandFailure) -> Secret {
        let result: Result<Secret, CommandFailure> = await withCheckedContinuation { continuation in
            // Nobody knows how long people think: not on a thread of the pool.
            Thread.detachNewThread {
                continuation.resume(
                    returning: Result { () throws(CommandFailure) in try answer(question, wayOut: wayOut) })
            }
        }
        return try result.get()
    }

    private func answer(_ question: String, wayOut: String) throws(CommandFailure) -> Secret {
        let terminal = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC)
        guard terminal >= 0 else {
            throw CommandFailure(
                .configuration, "the vault needs a passphrase and there is no terminal to ask on: \(wayOut)")
        }
        defer { close(terminal) }
        var shown = termios()
        guard tcgetattr(terminal, &shown) == 0 else {
            throw CommandFailure(.configuration, "the terminal cannot be asked for a passphrase: \(wayOut)")
        }
        var hidden = shown
        hidden.c_lflag &= ~tcflag_t(ECHO)
        hidden.c_lflag |= tcflag_t(ICANON | ISIG)
        let restored = shown
        let restore: @Sendable () -> Void = {
            var restored = restored
            tcsetattr(terminal, TCSAFLUSH, &restored)
        }
        // A second signal ends the process without coming back here.
        interruption.beforeExit(restore)
        defer {
            restore()
            interruption.beforeExit(nil)
        }
        tcsetattr(terminal, TCSAFLUSH, &hidden)
        Self.show(question, on: terminal)
        let line = try readLine(terminal)
        Self.show("\n", on: terminal)
        return line
    }

    private func readLine(_ terminal: Int32) throws(CommandFailure) -> Secret {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Self.maxLength + 1)
        defer { bytes.wipe() }
        while bytes.count <= Self.maxLength {
            var waiting = pollfd(fd: terminal, events: Int16(POLLIN), revents: 0)
            let ready = poll(&waiting, 1, Self.pollInterval)
            if interruption.signalNumber != nil {
                throw CommandFailure(.temporary, "interrupted while a passphrase was asked for")
            }
            guard ready != 0, ready > 0 || errno != EINTR else { continue }
            var byte: UInt8 = 0
            let count = read(terminal, &byte, 1)
            if count < 0, errno == EINTR { continue }
            guard count == 1 else { throw CommandFailure(.configuration, "no passphrase was given") }
            if byte == UInt8(ascii: "\n") {
                guard !bytes.isEmpty else { throw CommandFailure(.configuration, "an empty passphrase opens nothing") }
                return Secret(bytes)
            }
            bytes.append(byte)
        }
        throw CommandFailure(.configuration, "the passphrase is longer than \(Self.maxLength) bytes")
    }

    private static func show(_ text: String, on terminal: Int32) {
        var text = text
        text.withUTF8 { _ = write(terminal, $0.baseAddress, $0.count) }
    }
}
