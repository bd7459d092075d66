import AWS
import Cryptography
import FoundationEssentials
import HTTPStores
import HTTPTransport
import ObjectStores
import ReplicationModel
import TestFixtures
import Testing

@Suite struct AWSEventQueueTests {
    static let url = "https://sqs.eu-west-1.amazonaws.com/123456789012/models"

    func queue(
        _ transport: ScriptedTransport, url: String = url, region: String? = nil, endpoint: String? = nil
    ) throws -> AWSEventQueue {
        try AWSEventQueue(
            url: url, region: region, endpoint: endpoint.map { Endpoint($0)! },
            credentials: SharedCredentials(
                StaticAWSCredentials(AWSCredentials(accessKeyID: "K", secretAccessKey: Secret("k"))), now: { 0 }),
            transport: transport, now: { 0 })
    }

    func message(_ id: String) -> EventMessage {
        EventMessage(id: id, receipt: Secret("canary-\(id)"), deliveries: 1, content: .test)
    }

    @Test func messagesAreReceivedWithPatience() async throws {
        let body = #"{\"Event\": \"s3:TestEvent\"}"#
        let transport = ScriptedTransport(
            Reply(
                200,
                body:
                    #"{"Messages": [{"MessageId": "m", "ReceiptHandle": "r", "Body": "\#(body)", "Attributes": {"ApproximateReceiveCount": "3"}}]}"#
            ))
        let queue = try queue(transport)
        let messages = try await queue.receive(limit: 100, wait: .seconds(60), visibility: .seconds(300))
        #expect(messages.count == 1)
        #expect(messages[0].id == "m" && messages[0].receipt == Secret("r") && messages[0].deliveries == 3)
        #expect(messages[0].content == .test)
        let request = transport.requests[0]
        #expect(request.url == "https://sqs.eu-west-1.amazonaws.com/")
        #expect(request.headers["content-type"] == "application/x-amz-json-1.0")
        #expect(request.headers["x-amz-target"] == "AmazonSQS.ReceiveMessage")
        #expect(request.headers["authorization"]?.contains("/eu-west-1/sqs/aws4_request") == true)
        #expect(request.timeouts.stall > .seconds(20))
        for part in [#""WaitTimeSeconds":20"#, #""MaxNumberOfMessages":10"#, #""VisibilityTimeout":300"#] {
            #expect(request.bodyText.contains(part))
        }
        let empty = try self.queue(ScriptedTransport(Reply(200, body: "{}")))
        #expect(try await empty.receive(limit: 1, wait: .zero, visibility: .seconds(30)).isEmpty)
    }

    @Test func batchesAreOfTenAndAllAreTried() async throws {
        let transport = ScriptedTransport { request, number in
            number == 0
                ? Reply(
                    200,
                    body: #"{"Successful": [], "Failed": [{"Id": "3", "Code": "InternalError", "SenderFault": false}]}"#
                )
                : Reply(200, body: #"{"Successful": []}"#)
        }
        let queue = try queue(transport)
        let messages = (0..<23).map { message("m\($0)") }
        do throws(StoreError) {
            try await queue.acknowledge(messages)
            Issue.record("not noticed")
        } catch {
            #expect(error.message.contains("1 of 23") && error.retry == .transient)
            #expect(!error.message.contains("canary"))
        }
        #expect(transport.requests.count == 3)
        #expect(transport.requests.allSatisfy { $0.headers["x-amz-target"] == "AmazonSQS.DeleteMessageBatch" })
        #expect(transport.requests[2].bodyText.contains(#""ReceiptHandle":"canary-m22""#))
        #expect(!transport.requests[0].bodyText.contains("VisibilityTimeout"))
        try await queue.acknowledge([])
        #expect(transport.requests.count == 3)
    }

    @Test func messagesAreKeptOrGivenBack() async throws {
        let transport = ScriptedTransport(Reply(200, body: "{}"))
        let queue = try queue(transport)
        try await queue.extend([message("a")], by: .seconds(90))
        try await queue.extend([message("a")], by: .zero)
        #expect(transport.requests[0].headers["x-amz-target"] == "AmazonSQS.ChangeMessageVisibilityBatch")
        #expect(transport.requests[0].bodyText.contains(#""VisibilityTimeout":90"#))
        #expect(transport.requests[1].bodyText.contains(#""VisibilityTimeout":0"#))
    }

    @Test(arguments: [
        (400, "com.amazonaws.sqs#QueueDoesNotExist", StoreError.Code.missingContainer),
        (403, "AccessDenied", .forbidden), (403, "InvalidClientTokenId", .unauthenticated),
        (400, "RequestThrottled", .throttled), (503, "ServiceUnavailable", .unavailable),
    ])
    func refusalsAreClassified(status: Int, code: String, expected: StoreError.Code) async throws {
        let queue = try queue(ScriptedTransport(Reply(status, body: #"{"__type": "\#(code)", "message": "m"}"#)))
        do throws(StoreError) {
            _ = try await queue.receive(limit: 1, wait: .zero, visibility: .zero)
            Issue.record("not refused")
        } catch {
            #expect(error.code == expected)
        }
    }

    @Test func queuesAreFoundByTheirURLs() throws {
        let transport = ScriptedTransport(Reply(200, body: "{}"))
        func host(_ url: String, _ region: String? = nil, _ endpoint: String? = nil) throws -> String {
            try queue(transport, url: url, region: region, endpoint: endpoint).name
        }
        #expect(try host(Self.url) == "queue models at sqs.eu-west-1.amazonaws.com")
        #expect(try host("http://127.0.0.1:9324/000000000000/q") == "queue q at 127.0.0.1")
        for url in [
            "models", "arn:aws:sqs:eu-west-1:1:models", "https://sqs.eu-west-1.amazonaws.com/", "https://u@h/1/q",
        ] {
            #expect(throws: StoreError.self) { try host(url) }
        }
        #expect(throws: StoreError.self) { try host(Self.url, "us-east-1") }
    }

    @Test func anotherEndpointGetsTheRequests() async throws {
        let transport = ScriptedTransport(Reply(200, body: "{}"))
        _ = try await queue(transport, endpoint: "http://127.0.0.1:5000").receive(
            limit: 1, wait: .zero, visibility: .zero)
        #expect(transport.requests[0].url == "http://127.0.0.1:5000/")
        // JSONEncoder escapes slashes.
        #expect(transport.requests[0].bodyText.contains("123456789012"))
    }
}

@Suite struct S3EventMessageTests {
    func record(_ name: String, key: String, version: String = "2.1", sequencer: String = "0055AED6DCD90281E5")
        -> String
    {
        """
        {"eventVersion": "\(version)", "eventSource": "aws:s3", "awsRegion": "eu-west-1", "eventTime": "2026-11-21T03:04:05.678Z",
         "eventName": "\(name)", "unknown": {"x": [1]},
         "s3": {"bucket": {"name": "b", "arn": "arn:aws:s3:::b"}, "object": {"key": "\(key)", "size": 1, "eTag": "e", "sequencer": "\(sequencer)"}}}
        """
    }

    func body(_ records: String...) -> String { #"{"Records": [\#(records.joined(separator: ","))]}"# }

    func changes(_ body: String) -> [ObjectChange]? {
        guard case .changes(let changes) = S3EventMessage.content(of: body) else { return nil }
        return changes
    }

    @Test func notificationsOfS3AreRead() throws {
        let found = try #require(
            changes(
                body(
                    record("ObjectCreated:CompleteMultipartUpload", key: "a+b%2Fc%C3%BC%2B%25"),
                    record("ObjectRemoved:DeleteMarkerCreated", key: "x"), record("ObjectTagging:Put", key: "t"),
                    record("ObjectRestore:Completed", key: "r"),
                    record("s3:ObjectCreated:Put", key: "m", version: "2.0"))))
        #expect(found.map(\.kind) == [.written, .removed, .attributes, .written])
        #expect(found[0].key == "a b/cü+%")
        #expect(found[0].container == "b" && found[0].account == nil)
        #expect(found[0].time == 1_795_230_245)
    }

    @Test func sequencersCompareAsBytes() throws {
        func order(_ sequencer: String) -> String {
            changes(body(record("ObjectCreated:Put", key: "k", sequencer: sequencer)))?.first?.order ?? ""
        }
        #expect(order("0055AED6DCD90281E5") < order("0055AED6DCD90281E6"))
        #expect(order("0055aed6dcd90281e5") == order("0055AED6DCD90281E500"))
        #expect(order("0056") > order("0055FFFFFFFF"))
        #expect(order("zz").isEmpty && order("").isEmpty)
    }

    @Test func theTestMessageIsKnown() {
        let text = #"{"Service":"Amazon S3","Event":"s3:TestEvent","Time":"2026-11-21T03:04:05.678Z","Bucket":"b"}"#
        #expect(S3EventMessage.content(of: text) == .test)
        #expect(S3EventMessage.content(of: wrapped(text)) == .test)
    }

    func wrapped(_ text: String) -> String {
        let quoted = text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
        return #"{"Type": "Notification", "MessageId": "1", "TopicArn": "arn:aws:sns:x", "Message": "\#(quoted)"}"#
    }

    @Test func notificationsInsideOfOthersAreRead() {
        #expect(changes(wrapped(body(record("ObjectCreated:Put", key: "a%2Fb"))))?.first?.key == "a/b")
        #expect(changes(wrapped(wrapped(body(record("ObjectCreated:Put", key: "a"))))) == nil)
    }

    @Test func eventsOfEventBridgeAreRead() throws {
        func event(_ type: String) -> String {
            #"""
            {"version": "0", "id": "i", "detail-type": "\#(type)", "source": "aws.s3", "account": "1", "time": "2026-11-21T03:04:05Z",
             "region": "eu-west-1", "resources": ["arn:aws:s3:::b"], "detail": {"version": "0", "bucket": {"name": "b"},
             "object": {"key": "a+b%20c", "size": 5, "etag": "e", "version-id": "v", "sequencer": "00617F08299329D189"}, "reason": "PutObject"}}
            """#
        }
        let written = try #require(changes(event("Object Created"))?.first)
        #expect(
            written.kind == .written && written.key == "a+b%20c"
                && written.order?.hasPrefix("00617F08299329D1890") == true)
        #expect(changes(event("Object Deleted"))?.first?.kind == .removed)
        #expect(changes(event("Object Tags Added"))?.first?.kind == .attributes)
        #expect(changes(event("Object Restore Completed")) == [])
    }

    @Test(arguments: [
        "", "canary", "[]", "{}", #"{"Records": [{}]}"#, #"{"Records": "canary"}"#, #"{"source": "aws.s3"}"#,
        #"{"source": "canary", "detail-type": "Object Created"}"#, #"{"Type": "Notification", "Message": "canary"}"#,
        #"{"Records": [{"eventSource": "aws:ec2", "eventVersion": "2.1"}]}"#,
        #"{"Records": [{"eventSource": "aws:s3", "eventVersion": "3.0", "eventName": "canary"}]}"#,
        #"{"Records": [{"eventSource": "aws:s3", "eventVersion": "2.1", "eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": "b"}, "object": {"key": ""}}}]}"#,
    ])
    func whatCannotBeReadIsNotQuoted(text: String) {
        guard case .unreadable(let reason) = S3EventMessage.content(of: text) else {
            Issue.record("taken for something")
            return
        }
        #expect(!reason.isEmpty && !reason.contains("canary"))
    }
}
