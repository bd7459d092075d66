import Synchronization

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// A few threads of a store's own for calls that block, so that a slow disk never holds up the threads that run all tasks.
///
/// Threads start when there is work and end with the store. As many jobs wait as calls of the store are under way.
final class FileThreads: Sendable {
    /// Told to a job that its task is cancelled; long jobs ask between steps.
    final class Cancellation: Sendable {
        private let flag = Atomic(false)

        var isCancelled: Bool { flag.load(ordering: .relaxed) }

        func cancel() { flag.store(true, ordering: .relaxed) }

        func check() throws(FileFailure) {
            if isCancelled { throw FileFailure(.cancelled, "interrupted") }
        }
    }

    private let queue: JobQueue

    init(count: Int) {
        queue = JobQueue(maxThreads: count)
    }

    deinit {
        queue.close()
    }

    /// Runs the job on one of the threads. Returns after the job has ended, also when the task is cancelled: then it ends soon.
    func run<R: Sendable>(
        _ job: @escaping @Sendable (Cancellation) throws(FileFailure) -> R
    ) async throws(FileFailure) -> R {
        let cancellation = Cancellation()
        let result: Result<R, FileFailure> = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                queue.add {
                    let result: Result<R, FileFailure>
                    do throws(FileFailure) {
                        try cancellation.check()
                        result = .success(try job(cancellation))
                    } catch {
                        result = .failure(error)
                    }
                    continuation.resume(returning: result)
                }
            }
        } onCancel: {
            cancellation.cancel()
        }
        return try result.get()
    }
}

/// Jobs and the threads that take them. A thread holds the queue, so the queue outlives the store while a job runs.
private final class JobQueue: @unchecked Sendable {
    /// Everything below is guarded by `monitor`.
    private let monitor = Monitor()
    private let maxThreads: Int
    private var jobs: [@Sendable () -> Void] = []
    private var next = 0
    private var threads = 0
    private var idle = 0
    private var isClosed = false

    init(maxThreads: Int) {
        self.maxThreads = maxThreads
    }

    func add(_ job: @escaping @Sendable () -> Void) {
        let starts: Bool = monitor.locked {
            jobs.append(job)
            // A thread that was signalled counts as idle until it runs, so waiting jobs are compared with all of them.
            if jobs.count - next <= idle || threads == maxThreads {
                monitor.signal()
                return false
            }
            threads += 1
            return true
        }
        if starts, !startThread() {
            // The system gives no more threads: those that run do the work, and the caller itself when there is none.
            let isAlone = monitor.locked {
                threads -= 1
                return threads == 0
            }
            if isAlone, let job = monitor.locked({ takeJob() }) { job() }
        }
    }

    func close() {
        monitor.locked {
            isClosed = true
            monitor.signalAll()
        }
    }

    private func startThread() -> Bool {
        var thread = pthread_t.init(bitPattern: 0)
        let context = Unmanaged.passRetained(self)
        let status = pthread_create(&thread, nil, runJobs, context.toOpaque())
        guard status == 0 else {
            context.release()
            return false
        }
        #if canImport(Glibc)
            pthread_detach(thread)
        #else
            if let thread { pthread_detach(thread) }
        #endif
        return true
    }

    func work() {
        while let job = waitForJob() { job() }
    }

    private func waitForJob() -> (@Sendable () -> Void)? {
        monitor.locked {
            while true {
                if let job = takeJob() { return job }
                if isClosed {
                    threads -= 1
                    return nil
                }
                idle += 1
                monitor.wait()
                idle -= 1
            }
        }
    }

    private func takeJob() -> (@Sendable () -> Void)? {
        guard next < jobs.count else { return nil }
        let job = jobs[next]
        next += 1
        if next == jobs.count || next > 1024 {
            jobs.removeFirst(next)
            next = 0
        }
        return job
    }
}

/// What each thread runs; takes over the reference to the queue that `startThread` made.
#if canImport(Glibc)
    private func runJobs(_ context: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
        Unmanaged<JobQueue>.fromOpaque(context!).takeRetainedValue().work()
        return nil
    }
#else
    private func runJobs(_ context: UnsafeMutableRawPointer) -> UnsafeMutableRawPointer? {
        Unmanaged<JobQueue>.fromOpaque(context).takeRetainedValue().work()
        return nil
    }
#endif
