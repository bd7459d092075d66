import CCurl
import Glibc
import Synchronization

/// A thread that owns one multi handle, its connections and its running requests.
///
/// Other threads only post to the mailbox. `@unchecked Sendable`: everything but the mailbox, the load and the poller's alarm belongs to the
/// thread, which holds a reference to this object until it ends.
final class CurlLoop: @unchecked Sendable {
    /// Requests that are posted or running.
    let load = Atomic(0)

    private let mailbox = Mutex(Mailbox())
    private let poller = SocketPoller()
    private let configuration: CurlConfiguration
    private let counters: TransportCounters
    private let multi: UnsafeMutableRawPointer
    private var thread = pthread_t()

    private var running: [CurlHandle] = []
    private var idle: [CurlHandle] = []
    /// When the library wants to be called without an event, in nanoseconds of the monotonic clock.
    fileprivate var libraryDeadline: UInt64?
    /// When to look for requests that make no progress.
    private var checkDeadline: UInt64 = .max
    /// Jobs that were enqueued on this thread itself: no lock and no wake-up needed.
    private var ownJobs: [UnownedJob] = []
    private var isShutDown = false
    /// Set by the thread as the last thing it does: the system gives its name to a thread that starts later.
    private let hasEnded = Atomic(false)
    /// When the thread last came round.
    private var lastTurn = MonotonicClock.now()

    private static let idleHandleLimit = 64
    private static let longestCheckInterval: UInt64 = 1_000_000_000
    /// A job that held the thread for longer is not counted as the servers' silence.
    private static let longestTurn: UInt64 = 2_000_000_000
    /// Rounds of jobs that make each other ready before sockets are looked at again: a task that only yields must not starve them.
    private static let longestChain = 32

    private enum Letter {
        case start(CurlTransfer)
        case cancel(CurlTransfer)
        case run(UnownedJob)
    }

    private struct Mailbox {
        var letters: [Letter] = []
        var isClosed = false
        /// The thread waits, or is about to, having seen an empty mailbox.
        var needsWake = false
    }

    init(_ configuration: CurlConfiguration, counters: TransportCounters) {
        guard let multi = curl_multi_init() else { preconditionFailure("out of memory for the transport") }
        self.multi = multi
        self.configuration = configuration
        self.counters = counters
        let context = Unmanaged.passUnretained(self).toOpaque()
        lockstep_multi_set_long(multi, CURLMOPT_MAXCONNECTS, configuration.idleConnections)
        lockstep_multi_set_socket(multi, watchSocket, Unmanaged.passUnretained(poller).toOpaque())
        lockstep_multi_set_timer(multi, setTimer, context)
        startThread()
    }

    // MARK: From any thread

    /// Whether the caller is on this loop's thread, and therefore outside the library: jobs run between its calls.
    var isCurrent: Bool { pthread_equal(pthread_self(), thread) != 0 && !hasEnded.load(ordering: .relaxed) }

    func start(_ transfer: CurlTransfer) {
        if isCurrent { return begin(transfer) }
        if post(.start(transfer)) { return }
        transfer.abort(.cancelled)
        end(transfer, transfer.outcome(.notStarted))
    }

    func cancel(_ transfer: CurlTransfer) {
        // A closed loop has ended the request already or is about to.
        _ = post(.cancel(transfer))
    }

    /// Ends all requests with `.cancelled` and waits for the thread. The second call returns at once.
    func close() {
        let wasClosed = mailbox.withLock { mailbox in
            defer { mailbox.isClosed = true }
            return mailbox.isClosed
        }
        guard !wasClosed else { return }
        poller.wake()
        // A job that lets go of the last reference to the transport is on the thread that it would wait for.
        if isCurrent { pthread_detach(thread) } else { pthread_join(thread, nil) }
    }

    /// False when the loop is closed.
    private func post(_ letter: Letter) -> Bool {
        let (isPosted, needsWake) = mailbox.withLock { mailbox in
            if mailbox.isClosed { return (false, false) }
            mailbox.letters.append(letter)
            defer { mailbox.needsWake = false }
            return (true, mailbox.needsWake)
        }
        if needsWake { poller.wake() }
        return isPosted
    }

    // MARK: The thread

    private func startThread() {
        let context = Unmanaged.passRetained(self).toOpaque()
        let status = pthread_create(&thread, nil, runLoop, context)
        precondition(status == 0, "the transport's thread could not be started: \(String(cString: strerror(status)))")
    }

    fileprivate func run() {
        while true {
            let (letters, isClosed) = collectLetters()
            for letter in letters { open(letter) }
            runOwnJobs()
            if isClosed { break }
            let now = MonotonicClock.now()
            if now - lastTurn > Self.longestTurn { forgiveStalls(now) }
            lastTurn = now
            // Starting a request sets the library's timer to now: one call starts them all.
            if let deadline = libraryDeadline, deadline <= now { act(CURL_SOCKET_TIMEOUT, 0) }
            if checkDeadline <= now { endStalled(now) }
            endFinished()
            runOwnJobs()
            poller.wait(nanoseconds: ownJobs.isEmpty && mayWait() ? timeout() : 0) { socket, conditions in
                act(socket, conditions)
            }
            lastTurn = MonotonicClock.now()
            endFinished()
        }
        shutDown()
        while !ownJobs.isEmpty { runOwnJobs() }
        hasEnded.store(true, ordering: .relaxed)
    }

    private func collectLetters() -> ([Letter], Bool) {
        mailbox.withLock { mailbox in
            let letters = mailbox.letters
            mailbox.letters = []
            mailbox.needsWake = false
            return (letters, mailbox.isClosed)
        }
    }

    /// False when there is mail already. After true, the next letter wakes the thread.
    private func mayWait() -> Bool {
        mailbox.withLock { mailbox in
            mailbox.needsWake = mailbox.letters.isEmpty && !mailbox.isClosed
            return mailbox.needsWake
        }
    }

    private func open(_ letter: Letter) {
        switch letter {
        case .run(let job): job.runSynchronously(on: asUnownedTaskExecutor())
        case .start(let transfer): begin(transfer)
        case .cancel(let transfer):
            transfer.isCancelled = true
            guard let handle = transfer.handle else { return }
            transfer.abort(.cancelled)
            end(handle, CURLE_ABORTED_BY_CALLBACK)
        }
    }

    private func begin(_ transfer: CurlTransfer) {
        if isShutDown || transfer.isCancelled {
            transfer.abort(.cancelled)
            return end(transfer, transfer.outcome(.notStarted))
        }
        let now = MonotonicClock.now()
        let handle = idle.popLast() ?? CurlHandle(configuration, poller: poller)
        if let problem = handle.prepare(transfer, now: now) {
            idle.append(handle)
            return end(transfer, transfer.outcome(.badRequest(problem)))
        }
        handle.index = running.count
        running.append(handle)
        checkDeadline = min(checkDeadline, now + Self.checkInterval(transfer))
        let code = curl_multi_add_handle(multi, handle.easy)
        if code != CURLM_OK { end(handle, CURLE_OUT_OF_MEMORY) }
    }

    private func act(_ socket: Int32, _ conditions: Int32) {
        if socket == CURL_SOCKET_TIMEOUT { libraryDeadline = nil }
        var count: Int32 = 0
        curl_multi_socket_action(multi, socket, conditions, &count)
    }

    private func endFinished() {
        var remaining: Int32 = 0
        while let message = curl_multi_info_read(multi, &remaining) {
            guard message.pointee.msg == CURLMSG_DONE, let easy = message.pointee.easy_handle,
                let context = lockstep_easy_get_private(easy)
            else { continue }
            let code = message.pointee.data.result
            end(Unmanaged<CurlHandle>.fromOpaque(context).takeUnretainedValue(), code)
        }
    }

    /// Takes the request off the library, and only then tells its caller.
    private func end(_ handle: CurlHandle, _ code: CURLcode) {
        guard let transfer = handle.transfer else { return }
        let end = handle.end(code)
        let newConnections = handle.newConnections
        curl_multi_remove_handle(multi, handle.easy)
        handle.release()
        running[handle.index] = running[running.count - 1]
        running[handle.index].index = handle.index
        running.removeLast()
        if idle.count < Self.idleHandleLimit { idle.append(handle) }
        counters.requestEnded(newConnections: newConnections)
        self.end(transfer, transfer.outcome(end))
    }

    private func end(_ transfer: CurlTransfer, _ outcome: CurlTransfer.Outcome) {
        load.wrappingSubtract(1, ordering: .relaxed)
        transfer.resume(outcome)
    }

    /// The caller of a request that has just ended, and everything that it starts: in the order in which it became ready.
    private func runOwnJobs() {
        var rounds = 0
        while !ownJobs.isEmpty, rounds < Self.longestChain {
            rounds += 1
            let jobs = ownJobs
            ownJobs = []
            for job in jobs { job.runSynchronously(on: asUnownedTaskExecutor()) }
        }
    }

    private func shutDown() {
        isShutDown = true
        for handle in running {
            handle.transfer?.abort(.cancelled)
            end(handle, CURLE_ABORTED_BY_CALLBACK)
        }
        // Easy handles first: the multi handle still closes connections through the poller.
        idle = []
        curl_multi_cleanup(multi)
    }

    // MARK: Time

    private func timeout() -> UInt64? {
        let next = min(libraryDeadline ?? .max, running.isEmpty ? .max : checkDeadline)
        if next == .max { return nil }
        let now = MonotonicClock.now()
        return next > now ? next - now : 0
    }

    /// The thread was held up by a job, so that nobody could make progress.
    private func forgiveStalls(_ now: UInt64) {
        for handle in running { handle.progress.since = now }
    }

    /// A clock of our own: the library's low-speed check does not cover every way to stand still.
    private func endStalled(_ now: UInt64) {
        checkDeadline = .max
        for handle in running {
            guard let transfer = handle.transfer else { continue }
            let moved = handle.moved
            // Until there is a connection, the connect timeout counts.
            if moved != handle.progress.moved || transfer.attempts == 0 {
                handle.progress = CurlProgress(moved: moved, since: now)
            } else if now - handle.progress.since >= transfer.request.timeouts.stall.nanoseconds {
                transfer.abort(.stalled(transfer.request.timeouts.stall))
                end(handle, CURLE_OPERATION_TIMEDOUT)
                continue
            }
            checkDeadline = min(checkDeadline, now + Self.checkInterval(transfer))
        }
    }

    private static func checkInterval(_ transfer: CurlTransfer) -> UInt64 {
        min(max(transfer.request.timeouts.stall.nanoseconds / 4, 1_000_000), longestCheckInterval)
    }
}

/// A task that prefers this executor is resumed on the thread that received its reply: no other thread is woken per request.
extension CurlLoop: TaskExecutor {
    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        if isCurrent { return ownJobs.append(job) }
        // A closed loop has no thread any more; the job ends its task on the caller's.
        if !post(.run(job)) { job.runSynchronously(on: asUnownedTaskExecutor()) }
    }
}

private let runLoop: @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? = { context in
    let loop = Unmanaged<CurlLoop>.fromOpaque(context!).takeRetainedValue()
    // The process's signals are for other threads, and a broken pipe is an error code here.
    var signals = sigset_t()
    sigfillset(&signals)
    pthread_sigmask(SIG_BLOCK, &signals, nil)
    loop.run()
    return nil
}

private let watchSocket: curl_socket_callback = { _, socket, what, context, _ in
    let poller = Unmanaged<SocketPoller>.fromOpaque(context!).takeUnretainedValue()
    // REMOVE is a value of its own, without the bits of the others.
    poller.want(socket, reading: what & CURL_POLL_IN != 0, writing: what & CURL_POLL_OUT != 0)
    return 0
}

private let setTimer: curl_multi_timer_callback = { _, milliseconds, context in
    let loop = Unmanaged<CurlLoop>.fromOpaque(context!).takeUnretainedValue()
    loop.libraryDeadline = milliseconds < 0 ? nil : MonotonicClock.now() + UInt64(milliseconds) * 1_000_000
    return 0
}
