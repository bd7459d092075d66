import Foundation
import Synchronization

/// SIGINT and SIGTERM: the first asks the run to end, the second ends the process at once.
final class Interruption: Sendable {
    private let received = Mutex<Int32?>(nil)
    private let action = Mutex<(@Sendable () -> Void)?>(nil)

    /// Blocks the signals in this thread and those made after it, and waits for them on a thread of its own.
    /// Called first of all, from the main thread.
    init() {
        signal(SIGPIPE, SIG_IGN)
        var set = sigset_t()
        sigemptyset(&set)
        sigaddset(&set, SIGINT)
        sigaddset(&set, SIGTERM)
        pthread_sigmask(SIG_BLOCK, &set, nil)
        Thread.detachNewThread { [self] in
            var set = sigset_t()
            sigemptyset(&set)
            sigaddset(&set, SIGINT)
            sigaddset(&set, SIGTERM)
            while true {
                var number: Int32 = 0
                guard sigwait(&set, &number) == 0 else { continue }
                handle(number)
            }
        }
    }

    /// The signal that came, if one did.
    var signalNumber: Int32? { received.withLock { $0 } }

    /// 130 for SIGINT, 143 for SIGTERM, nil without a signal.
    var exitCode: Int32? { signalNumber.map { 128 + $0 } }

    /// What the first signal does; at once if it has come already.
    func onSignal(_ body: @escaping @Sendable () -> Void) {
        action.withLock { $0 = body }
        if signalNumber != nil { body() }
    }

    private func handle(_ number: Int32) {
        let isFirst = received.withLock { received in
            defer { received = received ?? number }
            return received == nil
        }
        guard isFirst else { _exit(128 + number) }
        action.withLock { $0 }?()
    }
}
