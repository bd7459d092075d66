import CProcesses
import Glibc
import Synchronization

/// Starts one program and stays with it on a thread of its own until it has ended and everything is closed.
///
/// The program is reaped last, so that neither its id nor its group's can belong to somebody else while they are in use here.
final class ChildSupervisor: Sendable {
    private let program: String
    private let input: [UInt8]
    private let outputLimit: Int
    private let deadline: ContinuousClock.Instant
    /// Written to once by whoever cancels.
    private let alarm: (read: Int32, write: Int32)

    typealias Outcome = Result<ChildProcessOutput, ChildProcessError>

    init(program: String, input: [UInt8], outputLimit: Int, deadline: ContinuousClock.Instant) throws(ChildProcessError)
    {
        self.program = program
        self.input = input
        self.outputLimit = outputLimit
        self.deadline = deadline
        guard let alarm = Self.pipe() else {
            throw ChildProcessError(.cannotStart, "\(program) cannot be started: \(Self.reason(errno))")
        }
        self.alarm = alarm
    }

    deinit {
        close(alarm.read)
        close(alarm.write)
    }

    /// Stops the program, also one that is still to be started. From any thread.
    func cancel() {
        var signal: UInt8 = 1
        write(alarm.write, &signal, 1)
    }

    /// - Parameter finish: called exactly once, on the supervisor's thread.
    func start(
        _ arguments: [String], environment: [String: String]?, finish: @escaping @Sendable (Outcome) -> Void
    ) {
        let job = Job {
            // A program that ends without reading its input is no reason to end this one.
            var signals = sigset_t()
            sigemptyset(&signals)
            sigaddset(&signals, SIGPIPE)
            pthread_sigmask(SIG_BLOCK, &signals, nil)
            finish(self.supervise(arguments, environment))
        }
        var thread = pthread_t()
        let context = Unmanaged.passRetained(job)
        let status = pthread_create(&thread, nil, runJob, context.toOpaque())
        guard status == 0 else {
            context.release()
            return finish(.failure(cannotStart(status)))
        }
        pthread_detach(thread)
    }

    private func supervise(_ arguments: [String], _ environment: [String: String]?) -> Outcome {
        var child: SpawnedChild
        do throws(ChildProcessError) {
            child = try SpawnedChild(program: program, arguments, environment)
        } catch {
            return .failure(error)
        }
        let failure = attend(&child)
        if failure != nil { child.killGroup() }
        let status = child.reap()
        if let failure { return .failure(failure) }
        return .success(ChildProcessOutput(status: status, stdout: child.stdout.bytes, stderr: child.stderr.bytes))
    }

    /// Passes bytes on until the program has ended by itself; else says why it has to be stopped.
    private func attend(_ child: inout SpawnedChild) -> ChildProcessError? {
        var written = 0
        if input.isEmpty { child.closeInput() }
        while true {
            let left = ContinuousClock.now.duration(to: deadline)
            guard left > .zero else {
                return ChildProcessError(.timedOut, "\(program) did not end in time and was stopped")
            }
            // -1 is a descriptor that poll leaves alone.
            var waits = [
                pollfd(fd: alarm.read, events: Int16(POLLIN), revents: 0),
                pollfd(fd: child.handle, events: Int16(POLLIN), revents: 0),
                pollfd(fd: child.input, events: Int16(POLLOUT), revents: 0),
                pollfd(fd: child.stdout.descriptor, events: Int16(POLLIN), revents: 0),
                pollfd(fd: child.stderr.descriptor, events: Int16(POLLIN), revents: 0),
            ]
            poll(&waits, nfds_t(waits.count), Self.milliseconds(left))
            if waits[0].revents != 0 {
                return ChildProcessError(.cancelled, "\(program) was stopped")
            }
            let hasEnded = waits[1].revents != 0
            if waits[2].revents != 0, !passInput(to: &child, &written) { child.closeInput() }
            // What an ended program has written is in the pipes already.
            guard child.stdout.collect(limit: outputLimit), child.stderr.collect(limit: outputLimit) else {
                return ChildProcessError(.tooMuchOutput, "\(program) writes more than \(outputLimit) bytes")
            }
            if hasEnded { return nil }
        }
    }

    /// False when everything is passed or nobody reads.
    private func passInput(to child: inout SpawnedChild, _ written: inout Int) -> Bool {
        let count = input[written...].withUnsafeBytes { write(child.input, $0.baseAddress, $0.count) }
        if count < 0 { return errno == EAGAIN || errno == EINTR }
        written += count
        return written < input.count
    }

    /// Rounded up, as `poll` takes it.
    private static func milliseconds(_ duration: Duration) -> Int32 {
        let (seconds, attoseconds) = duration.components
        return Int32(clamping: min(seconds, 1 << 20) * 1000 + attoseconds / 1_000_000_000_000_000 + 1)
    }

    private func cannotStart(_ number: Int32) -> ChildProcessError {
        ChildProcessError(.cannotStart, "\(program) cannot be started: \(Self.reason(number))")
    }

    static func reason(_ number: Int32) -> String { String(cString: strerror(number)) }

    static func pipe() -> (read: Int32, write: Int32)? {
        var ends: [Int32] = [-1, -1]
        return processes_pipe(&ends) == 0 ? (ends[0], ends[1]) : nil
    }

    fileprivate final class Job: Sendable {
        let body: @Sendable () -> Void

        init(_ body: @escaping @Sendable () -> Void) {
            self.body = body
        }
    }
}

private func runJob(_ context: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    Unmanaged<ChildSupervisor.Job>.fromOpaque(context!).takeRetainedValue().body()
    return nil
}
