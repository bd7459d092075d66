import AWS
import Buffers
import Cryptography
import Digests
import HTTPStores
import HTTPTransport
import ObjectStores
import ReplicationModel
import S3
import Synchronization
import TestFixtures
import Testing

/// What a request is sent again for inside one call: another region, host, time or key.
extension S3StoreTests {
    @Test func aWrongRegionIsLearnedAndTheRequestSentAgain() async throws {
        let transport = ScriptedTransport { request, _ in
            request.url.contains("eu-west-1")
                ? Reply(200, ["ETag": "\"e\"", "Content-Length": "1"])
                : Reply(301, ["x-amz-bucket-region": "eu-west-1"])
        }
        let store = store(transport, endpoint: nil)
        _ = try await store.head("k")
        _ = try await store.head("k")
        #expect(
            transport.requests.map(\.url) == [
                "https://bucket.s3.us-east-1.amazonaws.com/k", "https://bucket.s3.eu-west-1.amazonaws.com/k",
                "https://bucket.s3.eu-west-1.amazonaws.com/k",
            ])
        #expect(transport.requests[1].headers["authorization"]?.contains("/eu-west-1/s3/") == true)
        #expect(store.learned == ["bucket bucket is in region eu-west-1, not us-east-1"])
    }

    @Test func aCloneThatNamesItsRegionGetsItAtTheSameHost() async throws {
        let transport = ScriptedTransport { request, _ in
            request.headers["authorization"]!.contains("/garage/s3/")
                ? Reply(200, ["ETag": "\"e\"", "Content-Length": "1"])
                : Reply(400, body: "<Error><Code>AuthorizationHeaderMalformed</Code><Region>garage</Region></Error>")
        }
        let page = await failure { () throws(StoreError) in
            try await store(transport).delete([DeleteRequest(key: "k", version: nil)])[0].get()
        }
        #expect(page == nil)
        #expect(transport.requests.map(\.url) == ["http://127.0.0.1:9000/bucket/k", "http://127.0.0.1:9000/bucket/k"])
    }

    @Test(arguments: [
        ("https://bucket.s3-eu-west-1.amazonaws.com/k?x", true), ("https://evil.example/k", false),
        ("https://bucket.s3.amazonaws.com.evil.example/k", false),
        ("http://bucket.s3.eu-west-1.amazonaws.com/k", false),
    ])
    func temporaryRedirectsAreFollowedWithinAmazonOnly(location: String, isFollowed: Bool) async {
        let transport = ScriptedTransport { request, number in
            number == 0 ? Reply(307, ["Location": location]) : Reply(200, ["ETag": "\"e\"", "Content-Length": "1"])
        }
        let error = await failure { () throws(StoreError) in try await store(transport, endpoint: nil).head("k") }
        #expect((error == nil) == isFollowed)
        #expect(transport.requests.count == (isFollowed ? 2 : 1))
    }

    /// The bucket's name stands in the host or in the path, or the first segment of the key would be taken for a bucket.
    @Test(arguments: [
        ("https://bucket.s3.eu-west-1.amazonaws.com/k", "https://bucket.s3.eu-west-1.amazonaws.com/a/k"),
        ("https://s3.eu-west-1.amazonaws.com/bucket/k", "https://s3.eu-west-1.amazonaws.com/bucket/a/k"),
    ])
    func aRedirectLeadsToTheSameBucket(location: String, url: String) async throws {
        let transport = ScriptedTransport { _, number in
            number == 0 ? Reply(307, ["Location": location]) : Reply(200, ["ETag": "\"e\"", "Content-Length": "1"])
        }
        _ = try await store(transport, endpoint: nil).head("a/k")
        #expect(transport.requests[1].url == url)
    }

    @Test func redirectsAreBounded() async {
        let transport = ScriptedTransport { _, number in Reply(301, ["x-amz-bucket-region": "eu-west-\(number)"]) }
        let error = await failure { () throws(StoreError) in try await store(transport, endpoint: nil).head("k") }
        #expect(error?.message.contains("eu-west-2") == true)
        #expect(transport.requests.count == 3)
    }

    /// Answers requests that are dated by its own clock only.
    private static func serverAnHourAhead(
        before: @escaping @Sendable (HTTPRequest) async -> Void = { _ in }
    ) -> ScriptedTransport {
        ScriptedTransport(
            { request, _ in
                request.headers["x-amz-date"] == "20261121T040405Z"
                    ? Reply(200, ["ETag": "\"e\"", "Content-Length": "1"])
                    : Reply(
                        403, ["Date": "Sat, 21 Nov 2026 04:04:05 GMT"],
                        body: "<Error><Code>RequestTimeTooSkewed</Code></Error>")
            }, before: before)
    }

    @Test func aSkewedClockIsCorrectedOnce() async throws {
        let transport = Self.serverAnHourAhead()
        let store = store(transport)
        let buffer = try await Self.pool.acquire(1)
        _ = await failure { () throws(StoreError) in
            try await store.read(
                ReadRequest(key: "k", range: ByteRange(offset: 0, length: 1), version: nil), into: buffer)
        }
        _ = try await store.head("k")
        #expect(transport.requests.count == 3)
        #expect(store.learned.first?.contains("by 1 h;") == true)
    }

    /// All are signed before the first refusal arrives, so only one of them finds an offset that is news.
    @Test func requestsThatWereUnderWayTogetherAreAllCorrected() async throws {
        let late = Barrier(8)
        let transport = Self.serverAnHourAhead { request in
            if request.headers["x-amz-date"] != "20261121T040405Z" { await late.pass() }
        }
        let store = store(transport)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<8 { group.addTask { _ = try await store.head(ObjectKey("\(number)")) } }
            try await group.waitForAll()
        }
        #expect(transport.requests.count == 16)
    }

    @Test func expiredCredentialsAreForgottenSoThatARetryGetsFreshOnes() async throws {
        let transport = ScriptedTransport { request, _ in
            request.headers["authorization"]!.contains("Credential=A0/")
                ? Reply(400, body: "<Error><Code>ExpiredToken</Code></Error>") : Reply(200, body: "<ListBucketResult/>")
        }
        let store = S3Store(
            configuration: S3Configuration(endpoint: Endpoint("http://h")), bucket: "b", transport: transport,
            credentials: SharedCredentials(RotatingCredentials(), now: { 0 }), now: { 0 })
        let error = await failure { () throws(StoreError) in try await store.list(ListRequest()) }
        #expect(error?.code == .unauthenticated)
        #expect(error?.retry == .transient)
        #expect(try await store.list(ListRequest()).objects.isEmpty)
    }

    @Test func expiredCredentialsThatDoNotChangeAreTriedOnceMore() async throws {
        let transport = ScriptedTransport(Reply(400, body: "<Error><Code>ExpiredToken</Code></Error>"))
        let store = RetryingStore(store(transport, token: "t"), time: InstantTime())
        let error = await failure { () throws(StoreError) in try await store.list(ListRequest()) }
        #expect(error?.code == .unauthenticated && error?.retry == .never)
        #expect(transport.requests.count == 2)
    }

    @Test func credentialsThatExpireAreRefreshedOnceForAllWorkers() async throws {
        let provider = RotatingCredentials()
        let transport = ScriptedTransport { request, _ in
            request.headers["authorization"]!.contains("Credential=A0/")
                ? Reply(400, body: "<Error><Code>ExpiredToken</Code></Error>") : Reply(200, body: "<ListBucketResult/>")
        }
        let base = S3Store(
            configuration: S3Configuration(endpoint: Endpoint("http://h")), bucket: "b", transport: transport,
            credentials: SharedCredentials(provider, now: { 0 }), now: { 0 })
        let store = RetryingStore(base, time: InstantTime())
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<16 { group.addTask { _ = try await store.list(ListRequest()) } }
            try await group.waitForAll()
        }
        #expect(provider.loads.next() == 2)
    }

    @Test func aHeadThatIsRefusedIsExplainedByAGet() async throws {
        let provider = RotatingCredentials()
        let transport = ScriptedTransport { request, _ in
            guard request.headers["authorization"]!.contains("Credential=A0/") else {
                return Reply(200, ["ETag": "\"e\"", "Content-Length": "1"])
            }
            return request.method == .head
                ? Reply(400) : Reply(400, body: "<Error><Code>ExpiredToken</Code><Message>gone</Message></Error>")
        }
        let base = S3Store(
            configuration: S3Configuration(endpoint: Endpoint("http://h")), bucket: "b", transport: transport,
            credentials: SharedCredentials(provider, now: { 0 }), now: { 0 })
        #expect(try await RetryingStore(base, time: InstantTime()).head("k").object.size == 1)
        #expect(transport.requests.map(\.method) == [.head, .get, .head])
        #expect(transport.requests[1].headers["range"] == "bytes=0-0")
        #expect(transport.requests[2].headers["x-amz-checksum-mode"] == "ENABLED")
    }

    @Test func aHeadThatIsRefusedWithoutAReasonSaysWhatToCheck() async throws {
        let transport = ScriptedTransport { request, _ in Reply(request.method == .head ? 400 : 200) }
        let error = await failure { () throws(StoreError) in try await store(transport, endpoint: nil).head("k") }
        #expect(error?.code == .invalidRequest)
        #expect(error?.message.contains("check the credentials") == true)
    }

    @Test func credentialsThatCannotBeFoundAreTheErrorOfTheCall() async {
        let store = S3Store(
            configuration: S3Configuration(), bucket: "b", transport: ScriptedTransport(Reply(200)),
            credentials: SharedCredentials(EnvironmentAWSCredentials([:]), now: { 0 }))
        let error = await failure { () throws(StoreError) in try await store.head("k") }
        #expect(error?.code == .unauthenticated)
        #expect(error?.operation == .head)
        #expect(error?.key == "k")
    }
}

/// Other credentials at every load: `A0`, `A1`, …
private struct RotatingCredentials: CredentialProvider {
    let loads = Counter()

    func load() async throws(StoreError) -> ExpiringCredentials<AWSCredentials> {
        ExpiringCredentials(AWSCredentials(accessKeyID: "A\(loads.next())", secretAccessKey: Secret("s")))
    }
}

/// Lets so many through together, and then everybody.
private actor Barrier {
    private var missing: Int
    private var waiting: [CheckedContinuation<Void, Never>] = []

    init(_ count: Int) { missing = count }

    func pass() async {
        missing -= 1
        if missing > 0 { return await withCheckedContinuation { waiting.append($0) } }
        for continuation in waiting { continuation.resume() }
        waiting = []
    }
}
