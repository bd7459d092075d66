import CProcesses
import Glibc

/// A program that runs, and this side's ends of its streams. Used on one thread; `reap` ends it.
struct SpawnedChild {
    private let pid: pid_t
    /// Readable once the program has ended.
    let handle: Int32
    /// -1 once it is closed.
    private(set) var input: Int32
    var stdout: OutputCollector
    var stderr: OutputCollector

    /// - Parameter arguments: the program itself first.
    init(program: String, _ arguments: [String], _ environment: [String: String]?) throws(ChildProcessError) {
        let entries = (environment ?? [:]).map { "\($0.key)=\($0.value)" }
        guard !(arguments + entries).contains(where: { $0.utf8.contains(0) }) else {
            throw ChildProcessError(
                .cannotStart, "\(program) cannot be started: an argument or a variable has a NUL in it")
        }
        func cannotStart(_ number: Int32) -> ChildProcessError {
            if number == ENOENT || number == ENOTDIR {
                return ChildProcessError(.notFound, "there is no program \(program)")
            }
            return ChildProcessError(.cannotStart, "\(program) cannot be started: \(ChildSupervisor.reason(number))")
        }
        var pipes: [(read: Int32, write: Int32)] = []
        for _ in 0..<3 {
            guard let pipe = ChildSupervisor.pipe() else {
                let number = errno
                for pipe in pipes { Self.close(pipe) }
                throw cannotStart(number)
            }
            pipes.append(pipe)
        }
        let (status, pid) = Self.spawn(
            arguments, environment == nil ? nil : entries, streams: [pipes[0].read, pipes[1].write, pipes[2].write])
        guard status == 0 else {
            for pipe in pipes { Self.close(pipe) }
            throw cannotStart(status)
        }
        Glibc.close(pipes[0].read)
        Glibc.close(pipes[1].write)
        Glibc.close(pipes[2].write)
        for descriptor in [pipes[0].write, pipes[1].read, pipes[2].read] {
            _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
        }
        self.pid = pid
        input = pipes[0].write
        stdout = OutputCollector(pipes[1].read)
        stderr = OutputCollector(pipes[2].read)
        handle = processes_open(pid)
        guard handle >= 0 else {
            let number = errno
            killGroup()
            _ = reap()
            throw cannotStart(number)
        }
    }

    mutating func closeInput() {
        if input >= 0 { Glibc.close(input) }
        input = -1
    }

    func killGroup() {
        kill(-pid, SIGKILL)
    }

    /// Waits for the program, which has ended or been killed, and closes everything.
    mutating func reap() -> ChildProcessOutput.Status {
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
        closeInput()
        stdout.close()
        stderr.close()
        if handle >= 0 { Glibc.close(handle) }
        // As WIFEXITED and its kin have it.
        return status & 0x7F == 0 ? .exited(status >> 8 & 0xFF) : .killed(signal: status & 0x7F)
    }

    /// Error number or 0, and the process.
    private static func spawn(_ arguments: [String], _ environment: [String]?, streams: [Int32]) -> (Int32, pid_t) {
        var actions = posix_spawn_file_actions_t()
        var attributes = posix_spawnattr_t()
        posix_spawn_file_actions_init(&actions)
        posix_spawnattr_init(&attributes)
        defer {
            posix_spawn_file_actions_destroy(&actions)
            posix_spawnattr_destroy(&attributes)
        }
        for (number, descriptor) in streams.enumerated() {
            posix_spawn_file_actions_adddup2(&actions, descriptor, Int32(number))
        }
        processes_close_from(&actions, 3)
        // No signal stays blocked or ignored that is so here.
        var none = sigset_t()
        var all = sigset_t()
        sigemptyset(&none)
        sigfillset(&all)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setpgroup(&attributes, 0)
        posix_spawnattr_setflags(
            &attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
        var pid: pid_t = 0
        let status = withCStrings(arguments) { arguments in
            guard let environment else {
                return posix_spawnp(&pid, arguments[0]!, &actions, &attributes, arguments, processes_environment())
            }
            return withCStrings(environment) { posix_spawnp(&pid, arguments[0]!, &actions, &attributes, arguments, $0) }
        }
        return (status, pid)
    }

    private static func withCStrings<Result>(
        _ texts: [String], _ body: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> Result
    ) -> Result {
        var pointers = texts.map { strdup($0) } + [nil]
        defer { for pointer in pointers { free(pointer) } }
        return pointers.withUnsafeMutableBufferPointer { body($0.baseAddress!) }
    }

    private static func close(_ pipe: (read: Int32, write: Int32)) {
        Glibc.close(pipe.read)
        Glibc.close(pipe.write)
    }
}

/// What arrives from one stream of a program.
struct OutputCollector {
    /// -1 once it is closed.
    private(set) var descriptor: Int32
    private(set) var bytes: [UInt8] = []

    init(_ descriptor: Int32) {
        self.descriptor = descriptor
    }

    /// Takes what is there without waiting. False when it is more than may be.
    mutating func collect(limit: Int) -> Bool {
        while descriptor >= 0 {
            let room = limit - bytes.count + 1
            var chunk = [UInt8](repeating: 0, count: min(room, 64 << 10))
            let count = read(descriptor, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            if count < 0, errno == EAGAIN { return true }
            guard count > 0 else {
                close()
                return true
            }
            bytes += chunk[..<count]
            if bytes.count > limit { return false }
        }
        return true
    }

    mutating func close() {
        if descriptor >= 0 { Glibc.close(descriptor) }
        descriptor = -1
    }
}
