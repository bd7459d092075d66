import Foundation
import Synchronization

/// Where the signal handler writes: the one thing that it may do is to write a byte.
private let signalPipe = Atomic<Int32>(-1)

/// SIGINT, SIGTERM and SIGHUP: the first asks the run to end, the second ends the process at once. What does not end within the grace
/// period (a disk that does not answer) is ended: the next run goes on from there as after any kill. For a daemon SIGHUP asks for the
/// configuration to be read again instead.
///
/// A handler for the whole process and not a mask with `sigwait`: the runtime has threads before any code here runs, and a signal
/// that one of them does not block ends the process.
final class Interruption: Sendable {
    /// Seconds; systemd and schedulers send SIGKILL later than that.
    private let gracePeriod: UInt32
    private let isDaemon: Bool
    private let received = Mutex<Int32?>(nil)
    private let action = Mutex<(@Sendable () -> Void)?>(nil)
    private let lastAction = Mutex<(@Sendable () -> Void)?>(nil)
    private let reload = Mutex<(@Sendable () -> Void)?>(nil)

    init(isDaemon: Bool = false) {
        self.isDaemon = isDaemon
        gracePeriod = isDaemon ? 25 : 9
        signal(SIGPIPE, SIG_IGN)
        // A file that grows past the limit of this process is an error of that file, not the end of the process.
        signal(SIGXFSZ, SIG_IGN)
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { return }
        let readEnd = ends[0]
        signalPipe.store(ends[1], ordering: .sequentiallyConsistent)
        Thread.detachNewThread { [self] in
            var number: UInt8 = 0
            while true {
                let count = read(readEnd, &number, 1)
                if count == 1 { handle(Int32(number)) } else if count == 0 || errno != EINTR { return }
            }
        }
        // What the caller ignores stays ignored: `nohup`, and jobs in the background of a script.
        // To a daemon the hang-up says nothing of a terminal: it asks for a reload, also under `nohup`.
        for number in [SIGINT, SIGTERM, SIGHUP] where !Self.isIgnored(number) || (isDaemon && number == SIGHUP) {
            signal(number) { number in
                let saved = errno
                var byte = UInt8(number)
                _ = write(signalPipe.load(ordering: .relaxed), &byte, 1)
                errno = saved
            }
        }
    }

    private static func isIgnored(_ number: Int32) -> Bool {
        var current = sigaction()
        guard sigaction(number, nil, &current) == 0 else { return false }
        return unsafeBitCast(current.__sigaction_handler.sa_handler, to: Int.self)
            == unsafeBitCast(SIG_IGN, to: Int.self)
    }

    /// The signal that came, if one did.
    var signalNumber: Int32? { received.withLock { $0 } }

    /// 130 for SIGINT, 143 for SIGTERM, 129 for SIGHUP, nil without a signal.
    var exitCode: Int32? { signalNumber.map { 128 + $0 } }

    /// What the first signal does; at once if it has come already.
    func onSignal(_ body: @escaping @Sendable () -> Void) {
        action.withLock { $0 = body }
        if signalNumber != nil { body() }
    }

    /// What SIGHUP does to a daemon.
    func onReload(_ body: @escaping @Sendable () -> Void) {
        reload.withLock { $0 = body }
    }

    /// What must happen even when a signal ends the process at once: a terminal gets its echo back.
    func beforeExit(_ body: (@Sendable () -> Void)?) {
        lastAction.withLock { $0 = body }
    }

    private func end(_ number: Int32) -> Never {
        lastAction.withLock { $0 }?()
        _exit(128 + number)
    }

    private func handle(_ number: Int32) {
        if isDaemon, number == SIGHUP {
            reload.withLock { $0 }?()
            return
        }
        let isFirst = received.withLock { received in
            defer { received = received ?? number }
            return received == nil
        }
        guard isFirst else { end(number) }
        Thread.detachNewThread { [self] in
            sleep(gracePeriod)
            end(number)
        }
        action.withLock { $0 }?()
    }
}
