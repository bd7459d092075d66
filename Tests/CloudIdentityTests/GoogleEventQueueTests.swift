import Cryptography
import Digests
import Foundation
import Google
import HTTPStores
import HTTPTransport
import ObjectStores
import ReplicationModel
import TestFixtures
import Testing

/// Pub/Sub, scripted.
@Suite struct GoogleEventQueueTests {
    private static let subscription = "projects/p/subscriptions/lockstep"

    private func queue(
        _ transport: ScriptedTransport, _ environment: [String: String] = [:]
    ) throws -> GoogleEventQueue {
        try GoogleEventQueue(
            subscription: Self.subscription, environment: environment,
            credentials: SharedCredentials(StaticGoogleToken(GoogleToken(Secret("token"))), now: { 0 }),
            transport: transport, now: { 0 })
    }

    private static func message(
        _ attributes: [String: String], data: String? = nil, attempt: Int? = nil
    ) -> [String: Any] {
        var message: [String: Any] = ["messageId": "m", "attributes": attributes]
        message["data"] = data.map { Base64.encode(Array($0.utf8)) }
        var received: [String: Any] = ["ackId": "canary-ack", "message": message]
        received["deliveryAttempt"] = attempt
        return received
    }

    /// A subscription with these messages, whose other calls succeed.
    private static func holding(_ messages: [[String: Any]]) throws -> ScriptedTransport {
        let body = try JSONSerialization.data(withJSONObject: ["receivedMessages": messages])
        let text = String(decoding: body, as: UTF8.self)
        return ScriptedTransport { request, _ in .init(200, body: request.url.hasSuffix(":pull") ? text : "{}") }
    }

    private func content(_ attributes: [String: String], data: String? = nil) async throws -> EventContent {
        let transport = try Self.holding([Self.message(attributes, data: data)])
        let messages = try await queue(transport).receive(limit: 10, wait: .seconds(1), visibility: .seconds(60))
        return messages[0].content
    }

    private static let finalized = [
        "eventType": "OBJECT_FINALIZE", "bucketId": "b", "objectId": "a/ü +%2F", "objectGeneration": "1700000000000001",
        "eventTime": "2026-11-21T03:04:05.678901Z",
    ]

    private func body(_ request: HTTPRequest) throws -> [String: Any] {
        try #require(try JSONSerialization.jsonObject(with: Data(request.bodyText.utf8)) as? [String: Any])
    }

    @Test func messagesArePulledAndKeptFromOthers() async throws {
        let transport = try Self.holding([
            Self.message(Self.finalized, attempt: 3), Self.message(Self.finalized),
        ])
        let queue = try queue(transport)
        #expect(queue.name == Self.subscription)
        let messages = try await queue.receive(limit: 5000, wait: .seconds(20), visibility: .seconds(90))
        #expect(messages.map(\.deliveries) == [3, 1] && messages[0].id == "m")
        let (pull, extend) = (transport.requests[0], transport.requests[1])
        #expect(pull.url == "https://pubsub.googleapis.com/v1/\(Self.subscription):pull")
        #expect(pull.headers["authorization"] == "Bearer token")
        #expect(try body(pull)["maxMessages"] as? Int == 1000 && body(pull)["returnImmediately"] == nil)
        #expect(pull.timeouts.stall == .seconds(25))
        #expect(extend.url.hasSuffix(":modifyAckDeadline"))
        #expect(try body(extend)["ackDeadlineSeconds"] as? Int == 90)
        try await queue.acknowledge(messages)
        #expect(transport.requests[2].url.hasSuffix(":acknowledge"))
        #expect(try body(transport.requests[2])["ackIds"] as? [String] == ["canary-ack", "canary-ack"])
        try await queue.extend(messages, by: .zero)
        #expect(try body(transport.requests[3])["ackDeadlineSeconds"] as? Int == 0)
        try await queue.extend(messages, by: .seconds(9000))
        #expect(try body(transport.requests[4])["ackDeadlineSeconds"] as? Int == 600)
        #expect(!"\(messages)".contains("canary"))
    }

    @Test func anEmptyQueueIsNoFailure() async throws {
        let empty = ScriptedTransport(.init(200, body: "{}"))
        #expect(try await queue(empty).receive(limit: 1, wait: .zero, visibility: .seconds(60)).isEmpty)
        #expect(try body(empty.requests[0])["returnImmediately"] as? Bool == true && empty.requests.count == 1)
        for answer in [504, 0] {
            let silent = ScriptedTransport { (_: HTTPRequest, _: Int) throws(HTTPFailure) in
                if answer == 0 { throw HTTPFailure(code: .stalled, message: "", mayHaveBeenProcessed: true) }
                return .init(answer, body: #"{"error":{"status":"DEADLINE_EXCEEDED"}}"#)
            }
            #expect(try await queue(silent).receive(limit: 1, wait: .seconds(5), visibility: .seconds(60)).isEmpty)
        }
    }

    @Test func manyMessagesAreAcknowledgedInSteps() async throws {
        let transport = ScriptedTransport(.init(200, body: "{}"))
        let messages = (0..<1001).map {
            EventMessage(id: "\($0)", receipt: Secret("r\($0)"), deliveries: 1, content: .test)
        }
        try await queue(transport).acknowledge(messages)
        #expect(try transport.requests.map { try (body($0)["ackIds"] as? [String])?.count } == [500, 500, 1])
    }

    @Test func aWrittenObjectIsToldWithItsOrder() async throws {
        let change = ObjectChange(
            kind: .written, container: "b", key: "a/ü +%2F",
            order: "00001700000000000001.00000000000000000000", time: 1_795_230_245)
        #expect(try await content(Self.finalized) == .changes([change]))
        var attributes = change
        attributes.kind = .attributes
        attributes.order = "00001700000000000001.00000000000000000007"
        let update = Self.finalized.merging(["eventType": "OBJECT_METADATA_UPDATE"]) { $1 }
        #expect(try await content(update, data: #"{"name":"x","metageneration":"7"}"#) == .changes([attributes]))
    }

    @Test func aRemovalComesAfterWhatItRemoves() async throws {
        for event in ["OBJECT_DELETE", "OBJECT_ARCHIVE"] {
            let removed = Self.finalized.merging(["eventType": event]) { $1 }
            guard case .changes(let changes) = try await content(removed),
                case .changes(let written) = try await content(Self.finalized, data: #"{"metageneration":"999"}"#)
            else {
                Issue.record("no changes")
                continue
            }
            #expect(changes[0].kind == .removed)
            #expect(try #require(changes[0].order) > #require(written[0].order))
        }
    }

    @Test func theOtherHalfOfAWriteIsNoChange() async throws {
        for event in ["OBJECT_DELETE", "OBJECT_ARCHIVE"] {
            let overwritten = Self.finalized.merging(["eventType": event, "overwrittenByGeneration": "2"]) { $1 }
            #expect(try await content(overwritten) == .changes([]))
        }
    }

    @Test func whatCannotBeUnderstoodIsSaidAndNotQuoted() async throws {
        for attributes in [
            [:], ["eventType": "OBJECT_FINALIZE"], Self.finalized.merging(["eventType": "OBJECT_RESTORED"]) { $1 },
            Self.finalized.merging(["objectId": ""]) { $1 },
            Self.finalized.merging(["objectId": String(repeating: "canary", count: 200)]) { $1 },
        ] {
            guard case .unreadable(let why) = try await content(attributes, data: "canary") else {
                Issue.record("\(attributes) was understood")
                continue
            }
            #expect(!why.isEmpty && !why.contains("canary"))
        }
        let other = Self.finalized.merging(["objectGeneration": "x", "eventTime": "yesterday"]) { $1 }
        guard case .changes(let changes) = try await content(other) else {
            Issue.record("no change")
            return
        }
        #expect(changes[0].order == nil && changes[0].time == nil)
    }

    @Test func anEmulatorGetsNoToken() async throws {
        let transport = ScriptedTransport(.init(200, body: "{}"))
        let queue = try queue(transport, ["PUBSUB_EMULATOR_HOST": "pubsub:8085"])
        _ = try await queue.receive(limit: 1, wait: .zero, visibility: .seconds(60))
        #expect(transport.requests[0].url == "http://pubsub:8085/v1/\(Self.subscription):pull")
        #expect(transport.requests[0].headers["authorization"] == nil)
    }

    @Test(arguments: [
        "", "lockstep", "projects/p/topics/t", "projects/p/subscriptions/", "projects/p/subscriptions/a?b",
    ])
    func namesOfSubscriptionsAreChecked(_ name: String) {
        let error = #expect(throws: StoreError.self) {
            try GoogleEventQueue(
                subscription: name, environment: [:], credentials: nil, transport: ScriptedTransport(.init(500)),
                now: { 0 })
        }
        #expect(error?.message.contains("projects/P/subscriptions/S") == true)
    }

    @Test func aMissingRightIsNamed() async throws {
        let transport = ScriptedTransport(
            .init(403, body: #"{"error":{"code":403,"message":"no","status":"PERMISSION_DENIED"}}"#))
        let error = await #expect(throws: StoreError.self) {
            try await queue(transport).receive(limit: 1, wait: .zero, visibility: .seconds(60))
        }
        #expect(error?.code == .forbidden && error?.message.contains("pubsub.subscriptions.consume") == true)
    }
}
