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

/// The store against scripted replies: what it sends, and what it makes of what comes back.
@Suite struct S3StoreTests {
    typealias Reply = ScriptedTransport.Reply

    static let moment = CivilTime(year: 2026, month: 11, day: 21, hour: 3, minute: 4, second: 5)
    static let pool = BufferPool(limit: 8 << 20)

    func store(
        _ transport: ScriptedTransport, endpoint: String? = "http://127.0.0.1:9000", region: String = "us-east-1",
        signed: Bool = true,
        token: String? = nil
    ) -> S3Store {
        let credentials = AWSCredentials(
            accessKeyID: "AKID", secretAccessKey: Secret("secret"), sessionToken: token.map { Secret($0) })
        let now = Self.moment.secondsSince1970
        return S3Store(
            configuration: S3Configuration(endpoint: endpoint.map { Endpoint($0)! }, region: region), bucket: "bucket",
            transport: transport,
            credentials: signed ? SharedCredentials(StaticAWSCredentials(credentials), now: { now }) : nil, now: { now }
        )
    }

    func slice(_ text: String) async throws -> (BufferSlice, ContentDigest) {
        let buffer = try await Self.pool.acquire(max(text.utf8.count, 1))
        buffer.base.copyMemory(from: Array(text.utf8), byteCount: text.utf8.count)
        let slice = buffer.slice(text.utf8.count)
        return (slice, slice.withUnsafeBytes { ContentDigest(of: $0) })
    }

    func failure<T>(_ body: () async throws(StoreError) -> T) async -> StoreError? {
        do throws(StoreError) {
            _ = try await body()
            return nil
        } catch {
            return error
        }
    }

    static let checked: HTTPHeaders = [
        "ETag": "\"e1\"", "x-amz-checksum-crc64nvme": "rosUhgp5mIg=", "x-amz-checksum-type": "FULL_OBJECT",
    ]

    // MARK: writing

    @Test func putCarriesChecksumConditionAttributesAndSignature() async throws {
        let transport = ScriptedTransport(Reply(200, Self.checked))
        let (body, digest) = try await slice("123456789")
        let receipt = try await store(transport, token: "tok").put(
            PutRequest(
                key: "a b", body: body, digest: digest,
                attributes: ObjectAttributes(contentType: "text/plain", userMetadata: ["k": "ü"]),
                condition: .absent))
        #expect(receipt.version == VersionToken("e1"))
        #expect(receipt.checksums.crc64nvme == 0xAE8B_1486_0A79_9888)
        #expect(receipt.bytesVerified)
        let request = transport.requests[0]
        #expect(request.url == "http://127.0.0.1:9000/bucket/a%20b")
        #expect(request.method == .put)
        #expect(request.bodyText == "123456789")
        #expect(request.headers["x-amz-checksum-crc64nvme"] == "rosUhgp5mIg=")
        #expect(request.headers["x-amz-content-sha256"] == "UNSIGNED-PAYLOAD")
        #expect(request.headers["if-none-match"] == "*")
        #expect(request.headers["content-type"] == "text/plain")
        #expect(request.headers["x-amz-meta-k"] == "=?UTF-8?B?w7w=?=")
        #expect(request.headers["x-amz-date"] == "20261121T030405Z")
        #expect(request.headers["x-amz-security-token"] == "tok")
        #expect(
            request.headers["authorization"]?.hasPrefix(
                "AWS4-HMAC-SHA256 Credential=AKID/20261121/us-east-1/s3/aws4_request, SignedHeaders=content-type;host;if-none-match;"
                    + "x-amz-checksum-crc64nvme;x-amz-content-sha256;x-amz-date;x-amz-meta-k;x-amz-security-token, Signature="
            ) == true)
    }

    @Test func anonymousRequestsCarryNoSignature() async throws {
        let transport = ScriptedTransport(Reply(403))
        let error = await failure { () throws(StoreError) in try await store(transport, signed: false).head("k") }
        #expect(error?.code == .forbidden)
        #expect(error?.message.contains("anonymous") == true)
        #expect(transport.requests[0].headers.fields.allSatisfy { $0.name == "x-amz-checksum-mode" })
    }

    @Test func aReplacementNamesTheVersionAndAMissingOneIsAFailedCondition() async throws {
        let transport = ScriptedTransport(Reply(404, body: "<Error><Code>NoSuchKey</Code></Error>"))
        let error = await failure { () throws(StoreError) in
            try await store(transport).put(
                PutRequest(
                    key: "k", body: nil, digest: ContentDigest(), attributes: ObjectAttributes(),
                    condition: .matches(VersionToken("e0"))))
        }
        #expect(error?.code == .preconditionFailed)
        #expect(transport.requests[0].headers["if-match"] == "\"e0\"")
    }

    @Test func attributesThatDoNotFitAreNeverSent() async {
        let transport = ScriptedTransport(Reply(200, Self.checked))
        let error = await failure { () throws(StoreError) in
            try await store(transport).put(
                PutRequest(
                    key: "k", body: nil, digest: ContentDigest(),
                    attributes: ObjectAttributes(cacheControl: "x\r\ny: z"), condition: .absent))
        }
        #expect(error?.code == .unsupportedObject)
        #expect(error?.message.contains("Cache-Control") == true)
        #expect(transport.requests.isEmpty)
    }

    @Test func aWriteWithoutETagIsOfUnknownOutcome() async {
        let error = await failure { () throws(StoreError) in
            try await store(ScriptedTransport(Reply(200))).put(
                PutRequest(
                    key: "k", body: nil, digest: ContentDigest(), attributes: ObjectAttributes(), condition: .absent))
        }
        #expect(error?.code == .invalidResponse)
        #expect(error?.retry == .unknownOutcome)
    }

    // MARK: reading

    func read(_ reply: Reply, _ request: ReadRequest) async throws -> (Result<ReadReply, StoreError>, HTTPRequest) {
        let transport = ScriptedTransport(reply)
        let buffer = try await Self.pool.acquire(64)
        do throws(StoreError) {
            let result = try await store(transport).read(request, into: buffer)
            return (.success(result), transport.requests[0])
        } catch {
            return (.failure(error), transport.requests[0])
        }
    }

    let pinned = ReadRequest(
        key: "k", range: ByteRange(offset: 2, length: 4), version: VersionToken("e1"), objectSize: 9)
    let whole = ReadRequest(
        key: "k", range: ByteRange(offset: 0, length: 9), version: VersionToken("e1"), objectSize: 9)

    @Test func aRangeIsPinnedAndChecked() async throws {
        let (result, request) = try await read(
            Reply(
                206,
                [
                    "ETag": "\"e1\"", "Content-Range": "bytes 2-5/9", "Content-Length": "4",
                    "x-amz-checksum-crc64nvme": "rosUhgp5mIg=",
                ], body: "3456"), pinned)
        let reply = try result.get()
        #expect(reply.description.object.size == 9)
        #expect(reply.description.object.checksums.isEmpty)
        #expect(reply.digest.length == 4)
        #expect(request.headers["range"] == "bytes=2-5")
        #expect(request.headers["if-match"] == "\"e1\"")
        #expect(request.headers["x-amz-checksum-mode"] == nil)
    }

    @Test func aWholeObjectIsReadWithoutRangeAndComparedWithItsChecksum() async throws {
        var headers = Self.checked
        headers.append("Content-Length", "9")
        headers.append("Last-Modified", "Sat, 21 Nov 2026 03:04:05 GMT")
        headers.append("x-amz-meta-a", "=?UTF-8?B?w7w=?=")
        let (result, request) = try await read(Reply(200, headers, body: "123456789"), whole)
        let reply = try result.get()
        #expect(reply.description.object.checksums.crc64nvme == reply.digest.crc64nvme)
        #expect(reply.description.object.modified == Self.moment.nanosecondsSince1970)
        #expect(reply.description.attributes.userMetadata == ["a": "ü"])
        #expect(request.headers["range"] == nil)
        #expect(request.headers["x-amz-checksum-mode"] == "ENABLED")
        let (damaged, _) = try await read(Reply(200, headers, body: "123456780"), whole)
        guard case .failure(let error) = damaged else { return #expect(Bool(false)) }
        #expect(error.code == .checksumMismatch)
        #expect(error.retry == .transient)
    }

    @Test func anObjectThatHasNothingButACRC32IsComparedWithThat() async throws {
        let headers: HTTPHeaders = [
            "ETag": "\"e1\"", "Content-Length": "9", "x-amz-checksum-crc32": "y/Q5Jg==",
            "x-amz-checksum-type": "FULL_OBJECT",
        ]
        let (right, _) = try await read(Reply(200, headers, body: "123456789"), whole)
        _ = try right.get()
        let (damaged, _) = try await read(Reply(200, headers, body: "123456780"), whole)
        guard case .failure(let error) = damaged else { return #expect(Bool(false)) }
        #expect(error.code == .checksumMismatch)
    }

    @Test func aCompositeChecksumIsNoneOfTheBytes() async throws {
        let (result, _) = try await read(
            Reply(
                200, ["ETag": "\"e1\"", "x-amz-checksum-crc32c": "4waSgw==-2", "x-amz-checksum-type": "COMPOSITE"],
                body: "123456789"), whole)
        #expect(try result.get().description.object.checksums.isEmpty)
    }

    @Test(arguments: [
        (Reply(200, ["ETag": "\"e1\""], body: "3456"), StoreError.Code.invalidResponse),
        (Reply(206, ["ETag": "\"e1\"", "Content-Range": "bytes 0-3/9"], body: "3456"), .invalidResponse),
        (Reply(206, ["ETag": "\"e1\"", "Content-Range": "bytes 2-5/10"], body: "3456"), .invalidResponse),
        (Reply(206, ["ETag": "\"e1\""], body: "3456"), .invalidResponse),
        (Reply(206, ["ETag": "\"e1\"", "Content-Range": "bytes 2-5/9"], body: "345"), .invalidResponse),
        (Reply(206, ["ETag": "\"e1\"", "Content-Range": "bytes 2-5/9"], body: "34567"), .invalidResponse),
        (Reply(206, ["Content-Range": "bytes 2-5/9"], body: "3456"), .invalidResponse),
        (Reply(206, ["ETag": "W/\"e1\"", "Content-Range": "bytes 2-5/9"], body: "3456"), .invalidResponse),
        (Reply(206, ["ETag": "\"e2\"", "Content-Range": "bytes 2-5/9"], body: "3456"), .versionChanged),
        (Reply(412), .versionChanged),
        (Reply(404), .notFound),
        (Reply(403, body: "<Error><Code>InvalidObjectState</Code></Error>"), .archived),
    ])
    func repliesThatAreNotWhatWasAskedForAreRefused(reply: Reply, code: StoreError.Code) async throws {
        let (result, _) = try await read(reply, pinned)
        guard case .failure(let error) = result else { return #expect(Bool(false), "accepted") }
        #expect(error.code == code)
    }

    @Test func aCloneMaySendTheRangeWithTheStatusOfAWholeObject() async throws {
        let headers: HTTPHeaders = ["ETag": "\"e1\"", "Content-Range": "bytes 2-5/9"]
        #expect(try await read(Reply(200, headers, body: "3456"), pinned).0.get().digest.length == 4)
    }

    @Test func aRepeatedClaimIsNoChecksum() async throws {
        var headers = Self.checked
        headers.append("x-amz-content-sha256", "UNSIGNED-PAYLOAD")
        #expect(
            try await read(Reply(200, headers, body: "123456780"), whole).0.get().description.object.checksums.isEmpty)
    }

    @Test func anEmptyObjectIsReadWithoutRange() async throws {
        let (result, request) = try await read(
            Reply(200, ["ETag": "\"e1\"", "Content-Length": "0"]),
            ReadRequest(key: "k", range: ByteRange(offset: 0, length: 0), version: VersionToken("e1"), objectSize: 0))
        #expect(try result.get().description.object.size == 0)
        #expect(request.method == .get)
        #expect(request.headers["range"] == nil)
    }

    @Test func headTellsRestoredFromArchived() async throws {
        func tier(_ headers: HTTPHeaders) async throws -> String? {
            var all: HTTPHeaders = ["ETag": "\"e\"", "Content-Length": "1"]
            for field in headers.fields { all.append(field.name, field.value) }
            return try await store(ScriptedTransport(Reply(200, all))).head("k").object.archiveTier
        }
        #expect(try await tier(["x-amz-storage-class": "GLACIER"]) == "GLACIER")
        #expect(
            try await tier(["x-amz-storage-class": "GLACIER", "x-amz-restore": "ongoing-request=\"true\""]) == "GLACIER"
        )
        #expect(
            try await tier([
                "x-amz-storage-class": "GLACIER", "x-amz-restore": "ongoing-request=\"false\", expiry-date=\"x\"",
            ]) == nil)
        #expect(
            try await tier(["x-amz-storage-class": "INTELLIGENT_TIERING", "x-amz-archive-status": "ARCHIVE_ACCESS"])
                == "ARCHIVE_ACCESS")
        #expect(try await tier(["x-amz-storage-class": "STANDARD_IA"]) == nil)
    }

    // MARK: listing

    @Test func aListingAsksForEncodedKeysAndStopsAtItsEnd() async throws {
        let body =
            "<ListBucketResult><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated><NextContinuationToken>n</NextContinuationToken>"
            + ["a", "b", "c"].map { "<Contents><Key>\($0)</Key><ETag>e</ETag><Size>1</Size></Contents>" }.joined()
            + "</ListBucketResult>"
        let transport = ScriptedTransport(Reply(200, body: body))
        let store = store(transport)
        let page = try await store.list(ListRequest(prefix: "p/ü", startAfter: "p/ü1", limit: 5000))
        #expect(page.objects.count == 3)
        #expect(page.next == "n")
        #expect(
            transport.requests[0].target
                == "/bucket?encoding-type=url&list-type=2&max-keys=1000&prefix=p%2F%C3%BC&start-after=p%2F%C3%BC1")
        let bounded = try await store.list(ListRequest(startAfter: "x", endBefore: "c", cursor: "t+/"))
        #expect(bounded.objects.map(\.key) == ["a", "b"])
        #expect(bounded.next == nil)
        #expect(
            transport.requests[1].target
                == "/bucket?continuation-token=t%2B%2F&encoding-type=url&list-type=2&max-keys=1000")
    }

    @Test(arguments: [
        "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>", "<html/>", "", "<ListBucketResult>",
    ])
    func brokenListingsAreRefused(body: String) async {
        let error = await failure { () throws(StoreError) in
            try await store(ScriptedTransport(Reply(200, body: body))).list(ListRequest())
        }
        #expect(error?.code == .invalidResponse)
        #expect(error?.retry == .transient)
    }

    @Test func anErrorInsideASuccessfulListingIsThatError() async {
        let error = await failure { () throws(StoreError) in
            try await store(ScriptedTransport(Reply(200, body: "<Error><Code>SlowDown</Code></Error>"))).list(
                ListRequest())
        }
        #expect(error?.code == .throttled)
    }
}

/// A clock that does not wait.
struct InstantTime: Timekeeper {
    func now() -> Int64 { 0 }
    func monotonic() -> Int64 { 0 }
    func sleep(for duration: Duration) async throws { try Task.checkCancellation() }
}

/// Counts from 0.
final class Counter: Sendable {
    private let value = Mutex(0)

    func next() -> Int {
        value.withLock { value in
            defer { value += 1 }
            return value
        }
    }
}
