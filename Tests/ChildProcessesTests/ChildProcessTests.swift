import ChildProcesses
import Glibc
import Testing

@Suite struct ChildProcessTests {
    /// Long enough for a machine that does much else.
    static let patience = Duration.seconds(120)

    func run(
        _ arguments: [String], environment: [String: String]? = nil, input: [UInt8] = [], limit: Int = 1 << 20,
        timeout: Duration = patience
    ) async throws(ChildProcessError) -> ChildProcessOutput {
        try await ChildProcess.run(
            arguments, environment: environment, input: input, outputLimit: limit, timeout: timeout)
    }

    func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

    @Test func argumentsPassUnchanged() async throws {
        let output = try await run(["printf", "%s|", "a b", "$HOME", "*", "", "`id`;'"])
        #expect(text(output.stdout) == "a b|$HOME|*||`id`;'|")
        #expect(output.isSuccess && output.stderr.isEmpty)
    }

    @Test func theEnvironmentIsWhatWasGivenOrInherited() async throws {
        #expect(text(try await run(["env"], environment: ["A": "x=y z"]).stdout) == "A=x=y z\n")
        let inherited = text(try await run(["env"]).stdout)
        #expect(inherited.contains("PATH=\(String(cString: getenv("PATH")))"))
    }

    @Test func streamsAreTakenApart() async throws {
        let output = try await run(["sh", "-c", "echo out; echo err >&2; exit 7"])
        #expect(text(output.stdout) == "out\n")
        #expect(text(output.stderr) == "err\n")
        #expect(output.status == .exited(7) && !output.isSuccess)
    }

    @Test func aSignalIsAStatusAndIgnoredOnesAreRestored() async throws {
        signal(SIGPIPE, SIG_IGN)
        #expect(try await run(["sh", "-c", "kill -PIPE $$"]).status == .killed(signal: SIGPIPE))
    }

    @Test func nothingElseIsInherited() async throws {
        // Not marked to be closed, as a library may leave it.
        let leaked = dup(0)
        defer { close(leaked) }
        let output = try await run(["sh", "-c", "ls /proc/self/fd | wc -l"])
        // Its three streams and the directory that `ls` reads.
        #expect(text(output.stdout).filter { !$0.isWhitespace } == "4")
    }

    @Test(arguments: ["/nonexistent/program", "no-such-program-anywhere", "/etc/passwd/x"])
    func aMissingProgramIsNamed(program: String) async {
        await #expect {
            try await run([program, "SECRET"])
        } throws: { error in
            let error = error as? ChildProcessError
            return error?.code == .notFound && error?.message == "there is no program \(program)"
        }
    }

    @Test func whatCannotBeStartedIsNamed() async {
        for arguments in [["/etc/passwd"], ["/"], ["printf", "a\0b"], [""], []] {
            await #expect {
                try await run(arguments)
            } throws: { error in
                (error as? ChildProcessError)?.code == .cannotStart
            }
        }
    }

    @Test func largeInputPassesThrough() async throws {
        let input = (0..<3 << 20).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }
        #expect(try await run(["cat"], input: input, limit: input.count).stdout == input)
    }

    @Test func inputThatNobodyReadsDoesNoHarm() async throws {
        #expect(try await run(["true"], input: [UInt8](repeating: 0, count: 3 << 20)).isSuccess)
        #expect(try await run(["sh", "-c", "exec <&-; echo done"], input: [1]).stdout.count == 5)
    }

    @Test func everythingThatWasWrittenArrives() async throws {
        for _ in 0..<50 {
            #expect(try await run(["head", "-c", "60000", "/dev/zero"]).stdout.count == 60_000)
        }
    }

    @Test(arguments: ["yes", "yes >&2"]) func tooMuchOutputEndsTheProgram(command: String) async {
        await #expect {
            try await run(["sh", "-c", command], limit: 1000)
        } throws: { error in
            (error as? ChildProcessError)?.code == .tooMuchOutput
        }
    }

    @Test func asMuchAsMayBeIsNotTooMuch() async throws {
        #expect(try await run(["printf", "12345"], limit: 5).stdout.count == 5)
        #expect(try await run(["true"], limit: 0).stdout.isEmpty)
    }

    /// What a program leaves running may hold its streams: that is not waited for.
    @Test func whatGoesOnInTheBackgroundIsLeftAlone() async throws {
        let output = try await run(["sh", "-c", "sleep 10000 & echo $!"])
        let pid = try #require(pid_t(text(output.stdout).filter(\.isNumber)))
        #expect(kill(pid, SIGKILL) == 0)
    }

    /// A named pipe that a program's own child holds open: its end is seen once they are all gone.
    struct Witness {
        let path: String
        private let descriptor: Int32

        init() throws {
            var name = Array("/tmp/lockstep-child-XXXXXX".utf8CString)
            let directory = try #require(mkdtemp(&name))
            path = String(cString: directory) + "/witness"
            try #require(mkfifo(path, 0o600) == 0)
            descriptor = open(path, O_RDONLY | O_NONBLOCK)
            try #require(descriptor >= 0)
            _ = fcntl(descriptor, F_SETFL, 0)
        }

        /// The program's child writes a byte and holds the pipe open for good.
        var command: [String] { ["sh", "-c", "(trap '' TERM; echo x; exec sleep 10000) >'\(path)' & wait"] }

        /// The next byte; nil when nobody can write any more.
        func next() -> UInt8? {
            var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            poll(&waiting, 1, -1)
            var byte: UInt8 = 0
            return read(descriptor, &byte, 1) == 1 ? byte : nil
        }

        func remove() {
            close(descriptor)
            unlink(path)
            rmdir(String(path.dropLast("/witness".count)))
        }
    }

    @Test func aTimeoutKillsTheWholeGroup() async throws {
        let witness = try Witness()
        defer { witness.remove() }
        await #expect {
            try await run(witness.command, timeout: .milliseconds(500))
        } throws: { error in
            (error as? ChildProcessError)?.code == .timedOut
        }
        while witness.next() != nil {}
    }

    @Test func cancellationKillsTheWholeGroup() async throws {
        let witness = try Witness()
        defer { witness.remove() }
        let task = Task { try await run(witness.command) }
        // It runs by now, and has a child.
        #expect(witness.next() != nil)
        task.cancel()
        await #expect {
            try await task.value
        } throws: { error in
            (error as? ChildProcessError)?.code == .cancelled
        }
        while witness.next() != nil {}
    }

    @Test func whatIsCancelledBeforeItsStartEndsToo() async {
        let task = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return try await run(["sleep", "10000"])
        }
        await #expect(throws: ChildProcessError.self) { try await task.value }
    }
}
