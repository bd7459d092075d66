import Dispatch

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// SIGTERM and SIGINT as something to wait for.
enum TerminationSignals {
    /// Returns at the first SIGTERM or SIGINT; a second one ends the process at once.
    static func wait() async {
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            let pending = PendingContinuation(continuation)
            for number in [SIGTERM, SIGINT] {
                signal(number, SIG_IGN)
                let source = DispatchSource.makeSignalSource(signal: number, queue: pending.queue)
                source.setEventHandler { pending.resume() }
                pending.sources.append(source)
                source.activate()
            }
        }
    }
}

/// The waiting task and the signal sources that end its wait.
///
/// `@unchecked Sendable`: set up before the first source is active, afterwards used on `queue` only.
private final class PendingContinuation: @unchecked Sendable {
    let queue = DispatchQueue(label: "cloudsim.signals")
    var sources: [any DispatchSourceSignal] = []
    private var continuation: CheckedContinuation<Void, Never>?

    init(_ continuation: CheckedContinuation<Void, Never>) {
        self.continuation = continuation
    }

    func resume() {
        guard let waiting = continuation else { exit(130) }
        continuation = nil
        waiting.resume()
    }
}
