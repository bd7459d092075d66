import Cryptography
import FoundationEssentials
package import HTTPStores
package import HTTPTransport
package import ObjectStores
import ReplicationModel
import Synchronization
import XMLStreaming

/// A queue of Azure Storage into which Event Grid writes what happens to blobs.
///
/// The service answers at once, also when there is nothing: `wait` is not honoured, and the caller sets the pace.
/// Source: Azure Storage REST reference, Queue service.
package final class AzureEventQueue: EventQueue {
    package let name: String

    private let origin: String
    /// Encoded, with the account where the host cannot carry it.
    private let path: String
    private let credentials: SharedCredentials<AzureCredentials>?
    private let transport: any HTTPTransport
    private let now: @Sendable () -> Int64
    /// The newest receipts of messages whose time was extended: each extension replaces the receipt.
    private let receipts = Mutex(Receipts())

    /// Most messages of one call.
    private static let batch = 32
    /// Of 32 messages with 64 KiB in base64 each, and their properties.
    private static let replyLimit = 8 << 20
    /// How many messages are acknowledged or extended at the same time: each is one request.
    private static let concurrency = 8
    /// Seven days, in seconds.
    private static let longestVisibility: Int64 = 604_800
    private static let serviceVersion = "2023-11-03"

    private struct Receipts {
        var newest: [String: Secret] = [:]
        private var order: [String] = []
        /// Beyond it the oldest are forgotten; their messages are delivered again.
        private static let limit = 10_000

        mutating func replace(_ id: String, _ receipt: Secret) {
            if newest.updateValue(receipt, forKey: id) == nil { order.append(id) }
            if order.count > Self.limit { newest[order.removeFirst()] = nil }
        }

        mutating func forget(_ id: String) {
            guard newest.removeValue(forKey: id) != nil else { return }
            order.removeAll { $0 == id }
        }
    }

    /// - Parameters:
    ///   - queue: `https://ACCOUNT.queue.core.windows.net/QUEUE`, of an emulator `http://127.0.0.1:10001/ACCOUNT/QUEUE`.
    ///   - credentials: nil sends anonymous requests.
    ///   - now: seconds since 1970.
    package init(
        queue: String, credentials: SharedCredentials<AzureCredentials>?, transport: any HTTPTransport,
        now: @escaping @Sendable () -> Int64
    ) throws(SettingError) {
        let address = try AzureQueueAddress(queue)
        name = "\(address.endpoint)/\(address.queue)"
        origin = address.endpoint.origin
        path = "\(address.endpoint.path)/\(PercentEncoding.encode(address.queue))"
        self.credentials = credentials
        self.transport = transport
        self.now = now
    }

    // MARK: calls

    package func receive(
        limit: Int, wait: Duration, visibility: Duration
    ) async throws(StoreError) -> [EventMessage] {
        let count = min(max(limit, 1), Self.batch)
        let response = try await send(
            .get, "/messages",
            ["numofmessages": String(count), "visibilitytimeout": Self.seconds(visibility, atLeast: 1)])
        guard response.status == 200 else { throw failure(response) }
        let limits = XMLLimits(bytes: Self.replyLimit, depth: 8, elements: 1000)
        guard let root = try? XMLElement.parse(response.body, limits: limits), root.name == "QueueMessagesList"
        else { throw unreadable("its answer is no list of messages") }
        var messages: [EventMessage] = []
        for element in root.children("QueueMessage").prefix(count) {
            guard let message = Self.message(element) else { throw unreadable("a message has no id or no receipt") }
            // Delivered anew, it has a receipt that counts more than one of an earlier extension.
            receipts.withLock { $0.forget(message.id) }
            messages.append(message)
        }
        return messages
    }

    /// A message that is gone has been acknowledged, or is somebody else's now.
    package func acknowledge(_ messages: [EventMessage]) async throws(StoreError) {
        try await each(messages) { (message) throws(StoreError) in
            let response = try await self.send(
                .delete, self.path(of: message), ["popreceipt": self.receipt(of: message).revealed()])
            guard response.status == 204 || Self.isGone(response) else { throw self.failure(response) }
            self.receipts.withLock { $0.forget(message.id) }
        }
    }

    package func extend(_ messages: [EventMessage], by visibility: Duration) async throws(StoreError) {
        try await each(messages) { (message) throws(StoreError) in
            let response = try await self.send(
                .put, self.path(of: message),
                [
                    "popreceipt": self.receipt(of: message).revealed(),
                    "visibilitytimeout": Self.seconds(visibility, atLeast: 0),
                ])
            guard response.status == 204 else {
                if Self.isGone(response) { return }
                throw self.failure(response)
            }
            if let receipt = response.headers["x-ms-popreceipt"] {
                self.receipts.withLock { $0.replace(message.id, Secret(receipt)) }
            }
        }
    }

    private func unreadable(_ problem: String) -> StoreError {
        StoreError(.invalidResponse, .list, message: "\(name) cannot be read: \(problem)", retry: .transient)
    }

    private static func message(_ element: XMLElement) -> EventMessage? {
        guard let id = element.child("MessageId")?.text, let receipt = element.child("PopReceipt")?.text,
            !id.isEmpty, !receipt.isEmpty
        else { return nil }
        return EventMessage(
            id: id, receipt: Secret(receipt),
            deliveries: element.child("DequeueCount").flatMap { Int($0.text) } ?? 1,
            content: AzureEvent.content(element.child("MessageText")?.text ?? ""))
    }

    private func path(of message: EventMessage) -> String { "/messages/\(PercentEncoding.encode(message.id))" }

    private func receipt(of message: EventMessage) -> Secret {
        receipts.withLock { $0.newest[message.id] } ?? message.receipt
    }

    private static func seconds(_ duration: Duration, atLeast: Int64) -> String {
        let (whole, rest) = duration.components
        return String(min(max(whole + (rest > 0 ? 1 : 0), atLeast), longestVisibility))
    }

    private static func isGone(_ response: HTTPResponse) -> Bool {
        response.status == 404 && response.headers["x-ms-error-code"] != "QueueNotFound"
            || response.status == 400 && response.headers["x-ms-error-code"] == "PopReceiptMismatch"
    }

    /// Runs some calls at a time; the first error is thrown once all that are under way have ended.
    private func each(
        _ messages: [EventMessage], _ call: @escaping @Sendable (EventMessage) async throws(StoreError) -> Void
    ) async throws(StoreError) {
        let failure = await withTaskGroup(of: StoreError?.self) { group in
            var rest = messages[...]
            var failure: StoreError?
            func startNext() {
                guard failure == nil, let message = rest.popFirst() else { return }
                group.addTask {
                    do throws(StoreError) {
                        try await call(message)
                        return nil
                    } catch {
                        return error
                    }
                }
            }
            for _ in 0..<Self.concurrency { startNext() }
            while let result = await group.next() {
                failure = failure ?? result
                startNext()
            }
            return failure
        }
        if let failure { throw failure }
    }

    // MARK: sending

    private func send(
        _ method: HTTPMethod, _ path: String, _ query: AzureQuery
    ) async throws(StoreError) -> HTTPResponse {
        let used = try await credentials?.current() ?? .anonymous
        let headers: HTTPHeaders = [
            "x-ms-date": CivilTime(secondsSince1970: now()).httpDate, "x-ms-version": Self.serviceVersion,
        ]
        let request = used.authorized(method, origin: origin, path: self.path + path, query: query, headers: headers)
        let response: HTTPResponse
        do throws(HTTPFailure) {
            response = try await transport.send(request, into: .collect(limit: Self.replyLimit))
        } catch {
            // Every call can be sent again: a message is given twice, or is gone already.
            throw StoreError(error, .list, key: nil)
        }
        if response.status == 401, credentials?.refuse(used) == true {
            var error = failure(response)
            error.retry = .transient
            throw error
        }
        if (200..<300).contains(response.status) { credentials?.accept() }
        return response
    }

    private func failure(_ response: HTTPResponse) -> StoreError {
        let serviceCode = ServerText.readable(response.headers["x-ms-error-code"] ?? "")
        var (code, message, retry): (StoreError.Code, String, StoreError.Retry) =
            switch response.status {
            case 401: (.unauthenticated, "\(name) does not take the credentials: expired, or of another tenant", .never)
            case 403 where serviceCode == "AuthenticationFailed":
                (
                    .unauthenticated,
                    "\(name) does not take the account key or signature, or this machine's clock is wrong", .never
                )
            case 403:
                (
                    .forbidden,
                    "\(name) denies access: it needs to process messages (role Storage Queue Data Contributor, or a signature "
                        + "with read, update and process)", .never
                )
            case 404: (.missingContainer, "there is no queue \(name); check its name", .never)
            case 429: (.throttled, "\(name) asks to slow down", .transient)
            case 503 where serviceCode == "ServerBusy": (.throttled, "\(name) asks to slow down", .transient)
            case 408, 500...599: (.unavailable, "\(name) cannot answer now", .transient)
            default: (.invalidRequest, "\(name) answered HTTP \(response.status)", .never)
            }
        if code == .unauthenticated, let challenge = AzureChallenge(response.headers) {
            message += "; \(challenge.advice)"
        }
        if retry == .transient, let delay = StoreError.retryAfter(response.headers, now: now()) {
            retry = .after(delay)
        }
        return StoreError(
            code, .list, message: message, retry: retry, status: response.status, serviceCode: serviceCode,
            requestID: response.headers["x-ms-request-id"].map(ServerText.readable))
    }
}

/// Where a queue is: `https://ACCOUNT.queue.core.windows.net/QUEUE`.
package struct AzureQueueAddress: Sendable, Hashable {
    /// The account's root.
    package let endpoint: Endpoint
    package let account: String
    package let queue: String

    package init(_ text: String) throws(SettingError) {
        guard var endpoint = Endpoint(text) else { throw Self.unreadable }
        var segments = endpoint.path.split(separator: "/", omittingEmptySubsequences: false).dropFirst().map(
            String.init)
        guard let queue = segments.popLast(), Self.isName(queue) else { throw Self.unreadable }
        if AzureHost.isPathStyle(endpoint) {
            guard segments.count == 1, !segments[0].isEmpty else { throw Self.unreadable }
            account = segments[0]
        } else {
            guard segments.isEmpty else { throw Self.unreadable }
            account = String(endpoint.host.prefix { $0 != "." })
        }
        guard endpoint.scheme == "https" || endpoint.isLoopback else {
            throw SettingError(
                message: "what authorises requests must not travel unencrypted: use https for \(endpoint)")
        }
        endpoint.path = segments.isEmpty ? "" : "/\(segments[0])"
        self.endpoint = endpoint
        self.queue = queue
    }

    /// The text is not quoted: it may have a signature behind it.
    private static var unreadable: SettingError {
        SettingError(message: "it names no queue: write https://ACCOUNT.queue.core.windows.net/QUEUE")
    }

    private static func isName(_ text: String) -> Bool {
        (3...63).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"):
                    true
                default: false
                }
            }
    }
}
