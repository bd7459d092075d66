import ChildProcesses
import Cryptography
package import HTTPTransport
package import ObjectStores
import Synchronization

/// Tells people through their channels. Never fails a run: what cannot be delivered is counted and said.
package final class Notifier: Sendable {
    private static let attempts = 3
    /// Of one attempt; three of them and the pauses stay below a minute.
    private static let patience = Duration.seconds(15)
    private static let outputLimit = 64 << 10

    private let channels: Mutex<[NotificationChannel]>
    private let transport: any HTTPTransport
    private let environment: [String: String]
    private let time: any Timekeeper
    private let say: @Sendable (String) -> Void
    private let results = Mutex<[String: [String: Int]]>([:])

    /// - Parameter say: told of what could not be delivered; no secrets.
    package init(
        _ channels: [NotificationChannel], transport: any HTTPTransport, environment: [String: String],
        time: any Timekeeper, say: @escaping @Sendable (String) -> Void
    ) {
        self.channels = Mutex(channels)
        self.transport = transport
        self.environment = environment
        self.time = time
        self.say = say
    }

    package func change(to channels: [NotificationChannel]) {
        self.channels.withLock { $0 = channels }
    }

    /// `sent` and `failed` of each channel since the process began.
    package var deliveries: [String: [String: Int]] {
        let names = channels.withLock { $0.map(\.name) }
        return results.withLock { results in
            Dictionary(names.map { ($0, results[$0] ?? [:]) }, uniquingKeysWith: { first, _ in first })
        }
    }

    /// Returns when every channel that wants the notice has it, or has been tried three times; false when there are some and none has it.
    package func deliver(_ notice: Notice) async -> Bool {
        let wanting = channels.withLock { $0.filter { $0.wants(notice) } }
        let sent = await withTaskGroup(of: Bool.self) { group in
            for channel in wanting { group.addTask { await self.deliver(notice, through: channel) } }
            return await group.reduce(into: 0) { if $1 { $0 += 1 } }
        }
        return sent > 0 || wanting.isEmpty
    }

    private func deliver(_ notice: Notice, through channel: NotificationChannel) async -> Bool {
        var problem = Problem("", isFinal: false)
        for attempt in 1...Self.attempts {
            do throws(Problem) {
                try await attemptOnce(notice, channel)
                count("sent", channel)
                return true
            } catch {
                problem = error
            }
            guard !problem.isFinal, attempt < Self.attempts else { break }
            do { try await time.sleep(for: .seconds(attempt * attempt)) } catch { break }
        }
        count("failed", channel)
        say(
            "notification \(channel.name) was not delivered (\(notice.event.rawValue) of pair \(notice.pair)): \(problem.text)"
        )
        return false
    }

    private struct Problem: Error {
        var text: String
        /// Whether another attempt would end the same way.
        var isFinal: Bool

        init(_ text: String, isFinal: Bool) {
            self.text = text
            self.isFinal = isFinal
        }
    }

    private func attemptOnce(_ notice: Notice, _ channel: NotificationChannel) async throws(Problem) {
        switch channel.destination {
        case .webhook(let url): try await post(notice, to: url.revealed())
        case .command(let arguments): try await run(arguments, notice)
        }
    }

    private func post(_ notice: Notice, to url: String) async throws(Problem) {
        let request = HTTPRequest(
            .post, url, headers: ["content-type": "application/json"], body: .bytes(notice.json),
            timeouts: HTTPTimeouts(connect: .seconds(5), stall: .seconds(10)))
        // A server that sends a byte now and then never stalls: the attempt as a whole has an end.
        let sending = Task { [transport] () -> Result<HTTPResponse, HTTPFailure> in
            do throws(HTTPFailure) {
                return .success(try await transport.send(request, into: .collect(limit: Self.outputLimit)))
            } catch {
                return .failure(error)
            }
        }
        let deadline = Task { [time] in
            try await time.sleep(for: Self.patience)
            sending.cancel()
        }
        let result = await withTaskCancellationHandler {
            await sending.value
        } onCancel: {
            sending.cancel()
        }
        deadline.cancel()
        switch result {
        case .success(let response) where (200..<300).contains(response.status): return
        case .success(let response):
            let isFinal = response.status < 500 && response.status != 429 && response.status != 408
            throw Problem("the server answered \(response.status)", isFinal: isFinal)
        case .failure(let failure) where failure.code == .bodyTooLong: return
        case .failure(let failure): throw Problem(failure.message, isFinal: failure.code == .badURL)
        }
    }

    private func run(_ arguments: [String], _ notice: Notice) async throws(Problem) {
        var environment = environment
        environment["LOCKSTEP_EVENT"] = notice.event.rawValue
        environment["LOCKSTEP_PAIR"] = notice.pair
        let output: ChildProcessOutput
        do throws(ChildProcessError) {
            output = try await ChildProcess.run(
                arguments, environment: environment, input: notice.json, outputLimit: Self.outputLimit,
                timeout: Self.patience)
        } catch {
            throw Problem(error.message, isFinal: error.code == .notFound || error.code == .cannotStart)
        }
        guard output.isSuccess else { throw Problem("the command ended with \(output.status)", isFinal: false) }
    }

    private func count(_ result: String, _ channel: NotificationChannel) {
        results.withLock { $0[channel.name, default: [:]][result, default: 0] += 1 }
    }
}
