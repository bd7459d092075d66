import Azure
import Cryptography
import Digests
import HTTPStores
import HTTPTransport
import ObjectStores
import ReplicationModel
import TestFixtures
import Testing

@Suite struct AzureEventQueueTests {
    typealias Reply = ScriptedTransport.Reply

    static func queue(
        _ transport: ScriptedTransport, _ url: String = "https://acct.queue.core.windows.net/events",
        _ credentials: AzureCredentials = .token(Secret("canary-token"))
    ) throws -> AzureEventQueue {
        try AzureEventQueue(
            queue: url, credentials: SharedCredentials(credentials), transport: transport, now: { 1_800_000_000 })
    }

    static func list(_ messages: (id: String, text: String)...) -> Reply {
        let elements = messages.map { id, text in
            "<QueueMessage><MessageId>\(id)</MessageId><InsertionTime>Fri, 15 Jan 2027 08:00:00 GMT</InsertionTime>"
                + "<PopReceipt>receipt+\(id)=</PopReceipt><DequeueCount>3</DequeueCount><MessageText>\(text)</MessageText></QueueMessage>"
        }
        return Reply(
            200,
            body:
                "<?xml version=\"1.0\" encoding=\"utf-8\"?><QueueMessagesList>\(elements.joined())</QueueMessagesList>")
    }

    static let event = #"""
        {"topic":"/subscriptions/s/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/acct",
        "subject":"/blobServices/default/containers/cont/blobs/dir/blobs/ä b","eventType":"Microsoft.Storage.BlobCreated",
        "eventTime":"2027-01-15T08:00:00.5Z","id":"i","data":{"api":"PutBlockList","sequencer":"00000000000004420000000000028963"},
        "dataVersion":"","metadataVersion":"1"}
        """#

    static func failure<T>(_ body: () async throws(StoreError) -> T) async -> StoreError? {
        do throws(StoreError) {
            _ = try await body()
            return nil
        } catch {
            return error
        }
    }

    @Test func messagesAreTakenKeptAndGone() async throws {
        let transport = ScriptedTransport { request, _ in
            switch request.method {
            case .get: Self.list(("m/1", Base64.encode(Array(Self.event.utf8))))
            case .put: Reply(204, ["x-ms-popreceipt": "newer"])
            default: Reply(204)
            }
        }
        let queue = try Self.queue(transport)
        #expect(queue.name == "https://acct.queue.core.windows.net/events")
        let messages = try await queue.receive(limit: 100, wait: .seconds(20), visibility: .seconds(90))
        #expect(messages.count == 1 && messages[0].id == "m/1" && messages[0].deliveries == 3)
        #expect(messages[0].receipt == Secret("receipt+m/1="))
        try await queue.extend(messages, by: .milliseconds(1500))
        try await queue.acknowledge(messages)
        let base = "https://acct.queue.core.windows.net/events/messages"
        #expect(
            transport.requests.map { "\($0.method.rawValue) \($0.url)" } == [
                "GET \(base)?numofmessages=32&visibilitytimeout=90",
                "PUT \(base)/m%2F1?popreceipt=receipt%2Bm%2F1%3D&visibilitytimeout=2",
                // Extending has replaced the receipt.
                "DELETE \(base)/m%2F1?popreceipt=newer",
            ])
        #expect(transport.requests.allSatisfy { $0.headers["authorization"] == "Bearer canary-token" })
    }

    @Test func keysAndSignatures() async throws {
        let emulator = "http://127.0.0.1:10001/acct/events"
        let keyed = ScriptedTransport(Self.list())
        let key = AzureCredentials.sharedKey(account: "acct", key: AzureSignerTests.key)
        #expect(try await Self.queue(keyed, emulator, key).receive(limit: 1, wait: .zero, visibility: .zero).isEmpty)
        #expect(keyed.requests[0].url == "\(emulator)/messages?numofmessages=1&visibilitytimeout=1")
        let input = AzureSigner.Input(
            method: .get, account: "acct", path: "/acct/events/messages",
            query: ["numofmessages": "1", "visibilitytimeout": "1"],
            headers: ["x-ms-date": "Fri, 15 Jan 2027 08:00:00 GMT", "x-ms-version": "2023-11-03"])
        #expect(
            keyed.requests[0].headers["authorization"]
                == AzureSigner.authorization(input, key: AzureSignerTests.key))
        let signed = ScriptedTransport(Self.list())
        _ = try await Self.queue(signed, emulator, .sas(Secret("sig=1"))).receive(
            limit: 1, wait: .zero, visibility: .seconds(5))
        #expect(signed.requests[0].url.hasSuffix("&visibilitytimeout=5&sig=1"))
        #expect(signed.requests[0].headers["authorization"] == nil)
    }

    @Test func addresses() {
        for url in [
            "https://acct.queue.core.windows.net", "https://acct.queue.core.windows.net/a/b", "events",
            "https://acct.queue.core.windows.net/Not_A_Queue", "http://acct.queue.core.windows.net/events",
            "http://127.0.0.1:10001/events", "https://acct.queue.core.windows.net/events?sig=canary",
        ] {
            #expect(throws: SettingError.self, "\(url)") {
                try Self.queue(ScriptedTransport(Reply(200)), url)
            }
        }
        #expect((try? AzureQueueAddress("https://acct.queue.core.windows.net/events"))?.account == "acct")
        #expect(
            (try? AzureQueueAddress("http://127.0.0.1:10001/devstoreaccount1/events"))?.account == "devstoreaccount1")
    }

    /// Acknowledging what is gone is no error; everything else is, and says what to do.
    @Test func refusals() async throws {
        let message = EventMessage(id: "m", receipt: Secret("canary-receipt"), deliveries: 1, content: .test)
        func failure(_ reply: Reply) async throws -> StoreError? {
            let queue = try Self.queue(ScriptedTransport(reply))
            return await Self.failure { () throws(StoreError) in try await queue.acknowledge([message]) }
        }
        #expect(try await failure(Reply(404, ["x-ms-error-code": "MessageNotFound"])) == nil)
        #expect(try await failure(Reply(400, ["x-ms-error-code": "PopReceiptMismatch"])) == nil)
        #expect(try await failure(Reply(404, ["x-ms-error-code": "QueueNotFound"]))?.code == .missingContainer)
        #expect(
            try await failure(Reply(403, ["x-ms-error-code": "AuthorizationPermissionMismatch"]))?.code == .forbidden)
        #expect(try await failure(Reply(503, ["x-ms-error-code": "ServerBusy"]))?.code == .throttled)
        #expect(try await failure(Reply(500))?.retry == .transient)
        let expired = try #require(try await failure(Reply(401, ["x-ms-error-code": "InvalidAuthenticationInfo"])))
        #expect(expired.code == .unauthenticated && expired.retry == .transient)
        #expect(!"\(expired)".contains("canary"))
        let queue = try Self.queue(
            ScriptedTransport(Reply(200, body: "<QueueMessagesList><QueueMessage/></QueueMessagesList>")))
        let error = await Self.failure { () throws(StoreError) in
            try await queue.receive(limit: 1, wait: .zero, visibility: .seconds(5))
        }
        #expect(error?.code == .invalidResponse)
    }

    // MARK: events

    static let change = ObjectChange(
        kind: .written, account: "acct", container: "cont", key: "dir/blobs/ä b",
        order: "00000000000004420000000000028963", time: 1_800_000_000)

    @Test func bothSchemasPlainAndEncoded() {
        let cloudEvent = Self.event.replacing("\"topic\"", with: "\"source\"")
            .replacing("\"eventType\"", with: "\"type\"").replacing("\"eventTime\"", with: "\"time\"")
            .replacing("\"metadataVersion\":\"1\"", with: "\"specversion\":\"1.0\"")
        for text in [Self.event, cloudEvent, "[\(Self.event)]", "\n \(Self.event)"] {
            #expect(AzureEvent.content(text) == .changes([Self.change]))
            #expect(AzureEvent.content(Base64.encode(Array(text.utf8))) == .changes([Self.change]))
        }
    }

    @Test func kindsOfEvents() {
        func content(_ type: String, api: String = "PutBlob") -> EventContent {
            AzureEvent.content(
                Self.event.replacing("Microsoft.Storage.BlobCreated", with: type).replacing("PutBlockList", with: api))
        }
        var removed = Self.change
        removed.kind = .removed
        #expect(content("Microsoft.Storage.BlobDeleted") == .changes([removed]))
        var attributes = Self.change
        attributes.kind = .attributes
        #expect(content("Microsoft.Storage.BlobTierChanged") == .changes([attributes]))
        // A file of a hierarchical namespace is whole when it is closed.
        #expect(content("Microsoft.Storage.BlobCreated", api: "CreateFile") == .changes([]))
        #expect(content("Microsoft.Storage.BlobCreated", api: "FlushWithClose") == .changes([Self.change]))
        #expect(content("Microsoft.Storage.DirectoryCreated") == .changes([]))
        #expect(content("Microsoft.Storage.AsyncOperationInitiated") == .changes([]))
        for type in ["Microsoft.Storage.DirectoryRenamed", "Microsoft.Other.Thing"] {
            guard case .unreadable = content(type) else {
                Issue.record("\(type) says which blobs have changed")
                continue
            }
        }
    }

    @Test func namesAreTakenByteForByte() {
        for name in ["\u{301}x", "a%20b", "/", "//x", "blobs/", "e\u{301}", "\u{e9}"] {
            let message = Self.event.replacing("dir/blobs/ä b", with: name)
            guard case .changes(let changes) = AzureEvent.content(message) else {
                Issue.record("\(name) was not read")
                continue
            }
            #expect(changes.map(\.key.bytes) == [Array(name.utf8)])
        }
    }

    @Test func aRenamedBlobIsGoneAtItsOldName() {
        let text = Self.event.replacing("Microsoft.Storage.BlobCreated", with: "Microsoft.Storage.BlobRenamed")
            .replacing(
                #""api":"PutBlockList""#,
                with: #""sourceUrl":"https://acct.dfs.core.windows.net/cont/old%20name","destinationUrl":"https://x""#)
        let old = ObjectChange(
            kind: .removed, account: "acct", container: "cont", key: "old name", time: 1_800_000_000)
        #expect(AzureEvent.content(text) == .changes([old, Self.change]))
    }

    @Test func whatIsNoEvent() {
        for text in [
            "", "{", "not base64!", Base64.encode(Array("canary".utf8)), "{}", "[1]",
            Self.event.replacing("/blobs/dir/blobs/ä b", with: ""), Self.event.replacing("containers", with: "shares"),
        ] {
            guard case .unreadable(let reason) = AzureEvent.content(text) else {
                Issue.record("\(text) was read")
                continue
            }
            #expect(!reason.isEmpty && !reason.contains("canary"))
        }
    }
}
