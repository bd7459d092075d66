import Cryptography
import Digests
import FoundationEssentials
package import HTTPStores
package import HTTPTransport
package import ObjectStores
import ReplicationModel

/// A Pub/Sub subscription to the notifications of buckets.
package struct GoogleEventQueue: EventQueue {
    private let subscription: String
    private let service: GoogleService

    private static let collections = ["projects", "subscriptions"]
    private static let pullLimit = 1000
    /// Receipts have some hundred bytes, and a request 512 KiB at most.
    private static let receiptsPerRequest = 500
    /// Seconds.
    private static let longestVisibility: Int64 = 600
    /// The service decides how long a pull waits; it is ended here when it takes so much longer than asked.
    private static let patience = Duration.seconds(5)

    private struct PullRequest: Encodable {
        var maxMessages: Int
        /// Out of favour since it misses messages that are on their way, and the only way not to wait.
        var returnImmediately: Bool?
    }

    private struct PullReply: Decodable {
        struct Received: Decodable {
            var ackId: String
            var deliveryAttempt: Int?
            var message: GoogleNotification.Message
        }

        var receivedMessages: [Received]?
    }

    private struct AcknowledgeRequest: Encodable {
        var ackIds: [String]
    }

    private struct ExtendRequest: Encodable {
        var ackIds: [String]
        var ackDeadlineSeconds: Int64
    }

    private struct Nothing: Decodable {}

    /// - Parameters:
    ///   - subscription: `projects/P/subscriptions/S`.
    ///   - environment: `PUBSUB_EMULATOR_HOST` names an emulator, which gets no credentials;
    ///     `CLOUDSDK_API_ENDPOINT_OVERRIDES_PUBSUB` stands in for Google's endpoint.
    ///   - credentials: with the scope `.platform`.
    ///   - now: seconds since 1970.
    package init(
        subscription: String, environment: [String: String], credentials: SharedCredentials<GoogleToken>?,
        transport: any HTTPTransport, now: @escaping @Sendable () -> Int64
    ) throws(StoreError) {
        guard GoogleResourceName.isValid(subscription, Self.collections) else {
            throw StoreError(
                .invalidRequest, .head,
                message: "it names no subscription of Pub/Sub; write "
                    + "projects/P/subscriptions/S")
        }
        self.subscription = subscription
        if let emulator = environment["PUBSUB_EMULATOR_HOST"], !emulator.isEmpty {
            guard let endpoint = Endpoint(emulator.contains("://") ? emulator : "http://\(emulator)") else {
                throw StoreError(
                    .invalidRequest, .head, message: "PUBSUB_EMULATOR_HOST is not host:port or a URL of that kind")
            }
            service = try GoogleService(endpoint: endpoint, credentials: nil, transport: transport, now: now)
        } else {
            service = try GoogleService(
                endpoint: try GoogleHosts.endpoint(of: "pubsub", environment: environment), credentials: credentials,
                transport: transport, now: now)
        }
    }

    package var name: String { subscription }

    package func receive(limit: Int, wait: Duration, visibility: Duration) async throws(StoreError) -> [EventMessage] {
        let isPatient = wait > .zero
        let call = self.call(
            "pull", .read,
            timeouts: isPatient ? HTTPTimeouts(stall: wait + Self.patience) : HTTPTimeouts())
        let reply: PullReply
        do throws(StoreError) {
            reply = try await service.send(
                PullRequest(
                    maxMessages: min(max(limit, 1), Self.pullLimit), returnImmediately: isPatient ? nil : true), call,
                PullReply.self, silence: isPatient ? PullReply() : nil)
        } catch {
            // The service's own time limit.
            if isPatient, error.status == 504 { return [] }
            throw error
        }
        let messages = (reply.receivedMessages ?? []).map { received in
            EventMessage(
                id: received.message.messageId, receipt: Secret(received.ackId),
                deliveries: max(received.deliveryAttempt ?? 1, 1), content: GoogleNotification.content(received.message)
            )
        }
        // The service hides messages for as long as the subscription says, which it does not tell. Failing changes only for how long:
        // what was delivered is delivered.
        if !messages.isEmpty { try? await extend(messages, by: visibility) }
        return messages
    }

    package func acknowledge(_ messages: [EventMessage]) async throws(StoreError) {
        for receipts in batches(messages) {
            _ = try await service.send(
                AcknowledgeRequest(ackIds: receipts), call("acknowledge", .delete), Nothing.self)
        }
    }

    package func extend(_ messages: [EventMessage], by visibility: Duration) async throws(StoreError) {
        let seconds = min(max(visibility.components.seconds, 0), Self.longestVisibility)
        for receipts in batches(messages) {
            _ = try await service.send(
                ExtendRequest(ackIds: receipts, ackDeadlineSeconds: seconds), call("modifyAckDeadline", .put),
                Nothing.self)
        }
    }

    private func batches(_ messages: [EventMessage]) -> [[String]] {
        stride(from: 0, to: messages.count, by: Self.receiptsPerRequest).map { start in
            messages[start..<min(start + Self.receiptsPerRequest, messages.count)].map { $0.receipt.revealed() }
        }
    }

    private func call(_ verb: String, _ operation: StoreOperation, timeouts: HTTPTimeouts = HTTPTimeouts())
        -> GoogleService.Call
    {
        GoogleService.Call(
            path: "\(subscription):\(verb)", operation: operation, timeouts: timeouts,
            subject: "subscription \(subscription)", permission: "pubsub.subscriptions.consume")
    }
}

/// What a message of Cloud Storage's notifications says.
enum GoogleNotification {
    struct Message: Decodable {
        var messageId: String
        var data: String?
        var attributes: [String: String]?
    }

    /// Of the object's resource, which messages of the format `JSON_API_V1` carry.
    private struct Resource: Decodable {
        var metageneration: String?
    }

    static func content(_ message: Message) -> EventContent {
        let attributes = message.attributes ?? [:]
        guard let event = attributes["eventType"], let bucket = attributes["bucketId"], !bucket.isEmpty,
            let name = attributes["objectId"]
        else { return .unreadable("it is no notification of Cloud Storage: it lacks eventType, bucketId or objectId") }
        guard (1...1024).contains(name.utf8.count) else { return .unreadable("its objectId is no name of an object") }
        let kind: ObjectChange.Kind
        switch event {
        case "OBJECT_FINALIZE": kind = .written
        case "OBJECT_METADATA_UPDATE": kind = .attributes
        case "OBJECT_DELETE", "OBJECT_ARCHIVE":
            // The other half of a write, which has a message of its own.
            guard (attributes["overwrittenByGeneration"] ?? "").isEmpty else { return .changes([]) }
            kind = .removed
        default: return .unreadable("it tells of an event that is not known: \(ServerText.readable(event))")
        }
        return .changes([
            ObjectChange(
                kind: kind, container: bucket, key: ObjectKey(name),
                order: attributes["objectGeneration"].flatMap { order($0, kind, message.data) },
                time: attributes["eventTime"].flatMap { CivilTime(rfc3339: $0)?.secondsSince1970 })
        ])
    }

    /// Generation, then metageneration, as digits of one length. A removal comes after all else of its generation.
    private static func order(_ generation: String, _ kind: ObjectChange.Kind, _ data: String?) -> String? {
        guard let generation = UInt64(generation) else { return nil }
        var minor: UInt64 = 0
        if kind == .removed {
            minor = .max
        } else if let document = data.flatMap({ Base64.decode($0) }),
            let resource = try? JSONDecoder().decode(Resource.self, from: Data(document))
        {
            minor = resource.metageneration.flatMap { UInt64($0) } ?? 0
        }
        return "\(padded(generation)).\(padded(minor))"
    }

    private static func padded(_ number: UInt64) -> String {
        let digits = String(number)
        return String(repeating: "0", count: 20 - digits.utf8.count) + digits
    }
}
