import Cryptography
package import HTTPStores
package import HTTPTransport
package import ObjectStores

/// A queue of Amazon SQS into which S3 writes its events, directly, through SNS or through EventBridge.
///
/// Source: Amazon SQS API reference, 2012-11-05, JSON protocol.
package struct AWSEventQueue: EventQueue {
    package let name: String

    private let url: String
    private let client: AWSJSONClient

    /// What a batch of the service holds.
    private static let batchLimit = 10
    private static let longestWait: Int64 = 20
    private static let longestVisibility: Int64 = 43_200
    /// Seconds that an answer may take beyond the wait.
    private static let grace: Int64 = 20

    private struct ReceiveInput: Encodable {
        var queueURL: String
        var limit: Int
        var wait: Int64
        var visibility: Int64
        var attributes = ["ApproximateReceiveCount"]

        private enum CodingKeys: String, CodingKey {
            case queueURL = "QueueUrl"
            case limit = "MaxNumberOfMessages"
            case wait = "WaitTimeSeconds"
            case visibility = "VisibilityTimeout"
            case attributes = "MessageSystemAttributeNames"
        }
    }

    private struct ReceiveOutput: Decodable {
        struct Message: Decodable {
            var id: String
            var receipt: String
            var body: String?
            var attributes: [String: String]?

            private enum CodingKeys: String, CodingKey {
                case id = "MessageId"
                case receipt = "ReceiptHandle"
                case body = "Body"
                case attributes = "Attributes"
            }
        }

        var messages: [Message]?

        private enum CodingKeys: String, CodingKey {
            case messages = "Messages"
        }
    }

    private struct BatchInput: Encodable {
        struct Entry: Encodable {
            var id: String
            var receipt: String
            var visibility: Int64?

            private enum CodingKeys: String, CodingKey {
                case id = "Id"
                case receipt = "ReceiptHandle"
                case visibility = "VisibilityTimeout"
            }
        }

        var queueURL: String
        var entries: [Entry]

        private enum CodingKeys: String, CodingKey {
            case queueURL = "QueueUrl"
            case entries = "Entries"
        }
    }

    private struct BatchOutput: Decodable {
        struct Failed: Decodable {
            var id: String
            var code: String?
            var isOurs: Bool?

            private enum CodingKeys: String, CodingKey {
                case id = "Id"
                case code = "Code"
                case isOurs = "SenderFault"
            }
        }

        var failed: [Failed]?

        private enum CodingKeys: String, CodingKey {
            case failed = "Failed"
        }
    }

    /// - Parameters:
    ///   - url: of the queue, as Amazon shows it: `https://sqs.REGION.amazonaws.com/ACCOUNT/NAME`.
    ///   - region: nil takes it from the URL; another server than Amazon's is asked as `us-east-1` then.
    ///   - endpoint: where requests go instead of the URL's host. See `AWSServiceAddress.configured`.
    ///   - now: seconds since 1970.
    package init(
        url: String, region: String?, endpoint: Endpoint?, credentials: SharedCredentials<AWSCredentials>,
        transport: any HTTPTransport, now: @escaping @Sendable () -> Int64
    ) throws(StoreError) {
        guard let parsed = Endpoint(url), let queue = parsed.path.split(separator: "/").last,
            parsed.path.split(separator: "/").count >= 2
        else {
            throw .credentials(
                "the URL of a queue looks like https://sqs.eu-west-1.amazonaws.com/123456789012/NAME; "
                    + "`aws sqs get-queue-url --queue-name NAME` shows it")
        }
        let named = AWSHost(parsed.host)?.region
        if let named, let region, named != region {
            throw .credentials(
                "the queue \(queue) is in region \(named), and region \(region) is asked for; leave it out")
        }
        let origin = Endpoint(scheme: parsed.scheme, host: parsed.host, port: parsed.port)
        let address = try AWSServiceAddress(
            .sqs, region: named ?? region ?? "us-east-1",
            endpoint: ((endpoint ?? origin).description, "the endpoint of the queue"))
        guard address.endpoint.scheme == "https" || address.endpoint.isLoopback else {
            throw .credentials(
                "messages and tokens must not travel unencrypted: use https for \(address.endpoint.origin)")
        }
        client = AWSJSONClient(
            .sqs, at: address, version: "1.0", target: "AmazonSQS", credentials: credentials, transport: transport,
            now: now)
        self.url = url
        name = "queue \(queue) at \(parsed.host)"
    }

    package func receive(
        limit: Int, wait: Duration, visibility: Duration
    ) async throws(StoreError) -> [EventMessage] {
        let seconds = Self.seconds(wait, Self.longestWait)
        let input = ReceiveInput(
            queueURL: url, limit: min(max(limit, 1), Self.batchLimit), wait: seconds,
            visibility: Self.seconds(visibility, Self.longestVisibility))
        let output = try await client.call(
            "ReceiveMessage", input, as: ReceiveOutput.self,
            timeouts: HTTPTimeouts(stall: .seconds(seconds + Self.grace)), explain: explain)
        return (output.messages ?? []).map { message in
            EventMessage(
                id: message.id, receipt: Secret(message.receipt),
                deliveries: message.attributes?["ApproximateReceiveCount"].flatMap { Int($0) } ?? 1,
                content: S3EventMessage.content(of: message.body ?? ""))
        }
    }

    /// What could not be acknowledged is delivered again; the error says how many.
    package func acknowledge(_ messages: [EventMessage]) async throws(StoreError) {
        try await batches("DeleteMessageBatch", messages, visibility: nil)
    }

    package func extend(_ messages: [EventMessage], by visibility: Duration) async throws(StoreError) {
        try await batches(
            "ChangeMessageVisibilityBatch", messages, visibility: Self.seconds(visibility, Self.longestVisibility))
    }

    /// A message that is refused does not keep the others; a request that fails ends it, as the next would fail too.
    private func batches(
        _ operation: String, _ messages: [EventMessage], visibility: Int64?
    ) async throws(StoreError) {
        var failed: [BatchOutput.Failed] = []
        for start in stride(from: 0, to: messages.count, by: Self.batchLimit) {
            let batch = messages[start..<min(start + Self.batchLimit, messages.count)]
            let entries = batch.enumerated().map { index, message in
                BatchInput.Entry(id: String(index), receipt: message.receipt.revealed(), visibility: visibility)
            }
            let output = try await client.call(
                operation, BatchInput(queueURL: url, entries: entries), as: BatchOutput.self, explain: explain)
            failed += output.failed ?? []
        }
        guard let first = failed.first else { return }
        let isFinal = failed.allSatisfy { $0.isOurs == true }
        throw StoreError(
            isFinal ? .invalidRequest : .unavailable, .head,
            message:
                "\(name) refuses \(operation) of \(failed.count) of \(messages.count) messages; they are delivered again",
            retry: isFinal ? .never : .transient, serviceCode: ServerText.readable(first.code ?? ""))
    }

    private func explain(_ failure: AWSFailure) -> StoreError? {
        func error(_ code: StoreError.Code, _ advice: String) -> StoreError {
            var error = failure.error(.head, of: name, "\(name): \(advice)", now: 0)
            error.code = code
            error.retry = .never
            return error
        }
        switch failure.code {
        case "QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue":
            return error(.missingContainer, "there is no such queue; check its URL, account and region")
        case let code where code.hasPrefix("AccessDenied"):
            return error(
                .forbidden,
                "these credentials lack sqs:ReceiveMessage, sqs:DeleteMessage or sqs:ChangeMessageVisibility on it")
        default: return nil
        }
    }

    private static func seconds(_ duration: Duration, _ most: Int64) -> Int64 {
        min(max(duration.components.seconds, 0), most)
    }
}
