/// Runs one program to its end: a helper that prints credentials, a command that is told of failures.
///
/// The program is started directly, never by a shell, in a process group of its own, with nothing of this process but its
/// standard streams. What it starts itself may live on after it has ended by itself; when it is stopped here, they are all
/// killed with it.
package enum ChildProcess {
    /// - Parameters:
    ///   - arguments: the program, as a path or as a name that is looked for in this process's `PATH`, then what it gets.
    ///   - environment: all of the program's environment; nil gives it this process's.
    ///   - input: what the program finds on its standard input. It need not read it.
    ///   - outputLimit: most bytes that it may write to standard output, and to standard error.
    ///   - timeout: how long it may run.
    /// - Throws: when it cannot be started or had to be stopped. A program that ends by itself is a result, whatever its status.
    ///
    /// When the task is cancelled, the program and its whole group are killed and gone before this returns.
    package static func run(
        _ arguments: [String], environment: [String: String]?, input: [UInt8] = [], outputLimit: Int, timeout: Duration
    ) async throws(ChildProcessError) -> ChildProcessOutput {
        guard let program = arguments.first, !program.isEmpty else {
            throw ChildProcessError(.cannotStart, "no program is named")
        }
        let supervisor = try ChildSupervisor(
            program: program, input: input, outputLimit: outputLimit, deadline: ContinuousClock.now + timeout)
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                supervisor.start(arguments, environment: environment) { continuation.resume(returning: $0) }
            }
        } onCancel: {
            supervisor.cancel()
        }
        return try result.get()
    }
}

/// How a program ended, and what it wrote.
package struct ChildProcessOutput: Sendable {
    package enum Status: Sendable, Hashable, CustomStringConvertible {
        case exited(Int32)
        case killed(signal: Int32)

        package var description: String {
            switch self {
            case .exited(let code): "exit status \(code)"
            case .killed(let signal): "signal \(signal)"
            }
        }
    }

    package var status: Status
    package var stdout: [UInt8]
    package var stderr: [UInt8]

    package var isSuccess: Bool { status == .exited(0) }
}

/// Why a program did not end by itself. Messages name the program, never its arguments or its output.
package struct ChildProcessError: Error, Sendable, CustomStringConvertible {
    package enum Code: Sendable {
        case notFound, cannotStart, timedOut, tooMuchOutput, cancelled
    }

    package var code: Code
    package var message: String

    init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { message }
}
