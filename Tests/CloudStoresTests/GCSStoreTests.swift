import Buffers
import Cryptography
import Digests
import GCS
import Google
import HTTPStores
import HTTPTransport
import ObjectStores
import ReplicationModel
import TestFixtures
import Testing

/// Requests and replies of the Cloud Storage store, one by one.
@Suite struct GCSStoreTests {
    typealias Reply = ScriptedTransport.Reply

    static let pool = BufferPool(limit: 8 << 20)

    static func store(_ transport: ScriptedTransport, token: String? = "t", endpoint: String? = nil) -> GCSStore {
        GCSStore(
            configuration: GCSConfiguration(
                endpoint: endpoint.map { Endpoint($0)! } ?? GCSConfiguration.standardEndpoint),
            bucket: "bucket", transport: transport,
            credentials: token.map { SharedCredentials(StaticGoogleToken(GoogleToken(Secret($0))), now: { 0 }) },
            now: { 0 })
    }

    static func slice(_ text: String) async throws -> (BufferSlice, ContentDigest) {
        let buffer = try await pool.acquire(max(text.utf8.count, 1))
        buffer.base.copyMemory(from: Array(text.utf8), byteCount: text.utf8.count)
        let slice = buffer.slice(text.utf8.count)
        return (slice, slice.withUnsafeBytes { ContentDigest(of: $0) })
    }

    static func failure<T>(_ body: () async throws(StoreError) -> T) async -> StoreError? {
        do throws(StoreError) {
            _ = try await body()
            return nil
        } catch {
            return error
        }
    }

    static let resource =
        #"{"size":"9","generation":"7","metageneration":"2","crc32c":"4waSgw==","md5Hash":"JfnnlDI7RTiF9RgfG2JNCw=="}"#

    // MARK: writing

    @Test func aPutCarriesResourceChecksumAndCondition() async throws {
        let transport = ScriptedTransport(Reply(200, body: Self.resource))
        let (body, digest) = try await Self.slice("123456789")
        let receipt = try await Self.store(transport).put(
            PutRequest(
                key: "a/ü b", body: body, digest: digest,
                attributes: ObjectAttributes(contentType: "text/plain", userMetadata: ["Größe": "1 \u{1}"]),
                condition: .matches(VersionToken("5/3"))))
        #expect(receipt.version.text == "7/2" && receipt.checksums.crc32c == 0xE306_9283 && receipt.bytesVerified)
        let request = transport.requests[0]
        #expect(
            request.target
                == "/upload/storage/v1/b/bucket/o?uploadType=multipart&name=a%2F%C3%BC%20b&ifGenerationMatch=5&ifMetagenerationMatch=3"
                + "&fields=size,generation,metageneration,crc32c,md5Hash")
        #expect(request.headers["authorization"] == "Bearer t")
        let boundary = try #require(request.headers["content-type"]).split(separator: "=")[1]
        let parts = request.bodyText.split(separator: "--\(boundary)")
        #expect(parts.count == 3 && parts[2] == "--\r\n")
        #expect(parts[0].contains(#""crc32c":"4waSgw==""#) && parts[0].contains("Größe"))
        #expect(parts[1] == "\r\nContent-Type: text/plain\r\n\r\n123456789\r\n")
    }

    @Test func anEmptyObjectIsPutToo() async throws {
        let transport = ScriptedTransport(
            Reply(200, body: #"{"size":"0","generation":"1","metageneration":"1","crc32c":"AAAAAA=="}"#))
        let receipt = try await Self.store(transport).put(
            PutRequest(key: "k", body: nil, digest: ContentDigest(), attributes: ObjectAttributes(), condition: .absent)
        )
        #expect(receipt.bytesVerified && receipt.checksums.crc32c == 0)
        #expect(transport.requests[0].target.contains("ifGenerationMatch=0&"))
    }

    @Test(arguments: [
        (412, "conditionNotMet", "", StoreError.Code.preconditionFailed, StoreError.Retry.never),
        (
            400, "invalid", "Provided CRC32C \\\"x\\\" doesn't match calculated CRC32C \\\"y\\\".", .checksumMismatch,
            .transient
        ),
        (403, "forbidden", "no", .forbidden, .never), (403, "rateLimitExceeded", "", .throttled, .transient),
        (404, "notFound", "The specified bucket does not exist.", .missingContainer, .never),
        (429, "rateLimitExceeded", "", .throttled, .transient),
        (500, "backendError", "", .unavailable, .unknownOutcome),
        (503, "backendError", "", .throttled, .transient), (503, "", "", .throttled, .unknownOutcome),
        (501, "notImplemented", "", .unsupportedOperation, .never),
    ])
    func refusalsOfAWriteAreTold(
        _ status: Int, _ reason: String, _ message: String, _ code: StoreError.Code, _ retry: StoreError.Retry
    ) async throws {
        let document =
            #"{"error":{"code":\#(status),"message":"\#(message)","errors":[{"domain":"global","reason":"\#(reason)"}]}}"#
        let transport = ScriptedTransport(Reply(status, ["x-guploader-uploadid": "id-1"], body: document))
        let error = await Self.failure { () throws(StoreError) in
            try await Self.store(transport).put(
                PutRequest(
                    key: "k", body: nil, digest: ContentDigest(), attributes: ObjectAttributes(),
                    condition: .unconditional))
        }
        #expect(
            error?.code == code && error?.retry == retry && error?.serviceCode == reason && error?.requestID == "id-1")
    }

    @Test func aLostReplyToAWriteIsOfUnknownOutcome() async throws {
        let transport = ScriptedTransport { _, _ throws(HTTPFailure) in
            throw HTTPFailure(code: .reset, message: "reset", mayHaveBeenProcessed: true)
        }
        let store = Self.store(transport)
        let write = await Self.failure { () throws(StoreError) in
            try await store.put(
                PutRequest(
                    key: "k", body: nil, digest: ContentDigest(), attributes: ObjectAttributes(), condition: .absent))
        }
        #expect(write?.retry == .unknownOutcome)
        let read = await Self.failure { () throws(StoreError) in try await store.head("k") }
        #expect(read?.retry == .transient)
    }

    @Test func anAttributeThatDoesNotFitIsRefused() async throws {
        let transport = ScriptedTransport(Reply(500))
        let error = await Self.failure { () throws(StoreError) in
            try await Self.store(transport).put(
                PutRequest(
                    key: "k", body: nil, digest: ContentDigest(), attributes: ObjectAttributes(cacheControl: "a\r\nb"),
                    condition: .unconditional))
        }
        #expect(error?.code == .unsupportedObject && transport.requests.isEmpty)
    }

    // MARK: credentials

    @Test func aRefusedTokenIsReplacedOnce() async throws {
        struct Counting: CredentialProvider {
            let transport: ScriptedTransport
            func load() async throws(StoreError) -> ExpiringCredentials<GoogleToken> {
                ExpiringCredentials(GoogleToken(Secret("token-\(transport.requests.count)")))
            }
        }
        let transport = ScriptedTransport(Reply(401))
        let store = GCSStore(
            configuration: GCSConfiguration(), bucket: "b", transport: transport,
            credentials: SharedCredentials(Counting(transport: transport), now: { 0 }), now: { 0 })
        let first = await Self.failure { () throws(StoreError) in try await store.head("k") }
        #expect(first?.code == .unauthenticated && first?.retry == .transient)
        let second = await Self.failure { () throws(StoreError) in try await store.head("k") }
        #expect(second?.code == .unauthenticated && second?.retry == .never)
        #expect(transport.requests.map { $0.headers["authorization"] } == ["Bearer token-0", "Bearer token-1"])
        let anonymous = await Self.failure { () throws(StoreError) in
            try await Self.store(transport, token: nil).head("k")
        }
        #expect(anonymous?.retry == .never && anonymous?.message.contains("anonymous") == true)
    }

    // MARK: reading

    private func read(
        _ transport: ScriptedTransport, _ range: ByteRange, version: String?, size: Int64?
    ) async throws(StoreError) -> ReadReply {
        let buffer: PooledBuffer
        do { buffer = try await Self.pool.acquire(100) } catch { preconditionFailure("\(error)") }
        return try await Self.store(transport).read(
            ReadRequest(key: "k", range: range, version: version.map { VersionToken($0) }, objectSize: size),
            into: buffer)
    }

    @Test func aWholeReadIsPinnedAndDescribed() async throws {
        let full =
            #"{"name":"k","size":"9","generation":"7","metageneration":"2","crc32c":"4waSgw==","cacheControl":"x","metadata":{"A":"b"}}"#
        let transport = ScriptedTransport { request, _ in
            request.target.contains("alt=media")
                ? Reply(
                    200,
                    [
                        "x-goog-generation": "7", "x-goog-metageneration": "2", "x-goog-hash": "crc32c=4waSgw==",
                        "x-goog-hash": "md5=JfnnlDI7RTiF9RgfG2JNCw==", "cache-control": "private, max-age=0",
                        "x-goog-stored-content-length": "9",
                    ], body: "123456789")
                : Reply(200, body: full)
        }
        let reply = try await read(transport, ByteRange(offset: 0, length: 9), version: "7/2", size: 9)
        #expect(
            reply.description.object.version.text == "7/2" && reply.description.object.checksums.crc32c == 0xE306_9283)
        #expect(reply.description.object.checksums.md5?.count == 16)
        #expect(
            reply.description.attributes.userMetadata == ["A": "b"] && reply.description.attributes.cacheControl == "x")
        let media = transport.requests[0]
        #expect(media.target == "/storage/v1/b/bucket/o/k?alt=media&generation=7")
        #expect(media.headers["accept-encoding"] == "gzip" && media.headers["range"] == nil)
    }

    @Test func attributesOfAListedVersionCostNoRequest() async throws {
        let transport = ScriptedTransport { request, _ in
            request.target.contains("alt=media")
                ? Reply(200, ["x-goog-generation": "7", "x-goog-metageneration": "2"], body: "123456789")
                : Reply(
                    200,
                    body:
                        #"{"items":[{"name":"k","size":"9","generation":"7","metageneration":"2","metadata":{"A":"b"}}]}"#
                )
        }
        let store = Self.store(transport)
        let listed = try await store.list(ListRequest()).objects[0]
        let buffer = try await Self.pool.acquire(100)
        let reply = try await store.read(
            ReadRequest(key: "k", range: ByteRange(offset: 0, length: 9), version: listed.version, objectSize: 9),
            into: buffer)
        #expect(reply.description.attributes.userMetadata == ["A": "b"] && transport.requests.count == 2)
    }

    @Test(arguments: [
        (
            Reply(200, ["x-goog-generation": "8", "x-goog-metageneration": "1"], body: "123456789"),
            StoreError.Code.versionChanged
        ),
        (Reply(200, ["x-goog-generation": "7", "x-goog-metageneration": "3"], body: "123456789"), .versionChanged),
        (Reply(404, body: #"{"error":{"message":"No such object: bucket/k"}}"#), .versionChanged),
        (Reply(404, body: #"{"error":{"message":"The specified bucket does not exist."}}"#), .missingContainer),
        (Reply(200, ["x-goog-generation": "7", "x-goog-metageneration": "2"], body: "1234"), .invalidResponse),
        (Reply(206, ["x-goog-generation": "7", "x-goog-metageneration": "2"], body: "123456789"), .invalidResponse),
        (
            Reply(
                200, ["x-goog-generation": "7", "x-goog-metageneration": "2", "x-goog-stored-content-length": "20"],
                body: "123456789"),
            .invalidResponse
        ),
    ])
    func aWholeReadOfSomethingElseFails(_ reply: Reply, _ code: StoreError.Code) async throws {
        let error = await Self.failure { () throws(StoreError) in
            try await read(ScriptedTransport(reply), ByteRange(offset: 0, length: 9), version: "7/2", size: 9)
        }
        #expect(error?.code == code)
    }

    @Test func damagedBytesAreNoticed() async throws {
        let headers: HTTPHeaders = [
            "x-goog-generation": "7", "x-goog-metageneration": "2", "x-goog-hash": "crc32c=4waSgw==",
        ]
        let transport = ScriptedTransport { request, _ in
            request.target.contains("alt=media")
                ? Reply(200, headers, body: "123456780") : Reply(200, body: Self.resource)
        }
        let error = await Self.failure { () throws(StoreError) in
            try await read(transport, ByteRange(offset: 0, length: 9), version: "7/2", size: 9)
        }
        #expect(error?.code == .checksumMismatch && error?.retry == .transient)
    }

    @Test func aRangeMustBeTheOneAskedFor() async throws {
        func reply(_ range: String) -> Reply {
            Reply(206, ["x-goog-generation": "7", "x-goog-metageneration": "2", "content-range": range], body: "234")
        }
        let range = ByteRange(offset: 1, length: 3)
        let good = ScriptedTransport(reply("bytes 1-3/9"))
        #expect(try await read(good, range, version: "7/2", size: 9).description.object.size == 9)
        #expect(good.requests[0].headers["range"] == "bytes=1-3" && good.requests.count == 1)
        for text in ["bytes 0-2/9", "bytes 1-3/10", "bytes 1-4/9", "nonsense"] {
            let error = await Self.failure { () throws(StoreError) in
                try await read(ScriptedTransport(reply(text)), range, version: "7/2", size: 9)
            }
            #expect(error?.code == .invalidResponse)
        }
    }

    @Test func aServerThatNamesNoVersionIsAskedForIt() async throws {
        let transport = ScriptedTransport { request, _ in
            request.target.contains("alt=media") ? Reply(200, body: "123456789") : Reply(200, body: Self.resource)
        }
        #expect(
            try await read(transport, ByteRange(offset: 0, length: 9), version: "7/2", size: 9).description.object
                .version.text == "7/2")
        let replaced = await Self.failure { () throws(StoreError) in
            try await read(transport, ByteRange(offset: 0, length: 9), version: "6/1", size: 9)
        }
        #expect(replaced?.code == .versionChanged)
        #expect(
            try await read(transport, ByteRange(offset: 0, length: 9), version: nil, size: 9).description.object.version
                .text == "7/2")
    }

    // MARK: listing

    @Test func aListingIsBoundedAndDecoded() async throws {
        let transport = ScriptedTransport(
            Reply(
                200,
                body: """
                    {"nextPageToken":"n+/=","items":[
                    {"name":"a/z","size":3,"generation":6,"metageneration":"9","metadata":null,"surprise":[{"x":1}]},
                    {"name":"a/\\u00fc\\ud83d\\ude00","size":"12","generation":"5","metageneration":"1"}]}
                    """))
        let page = try await Self.store(transport).list(
            ListRequest(prefix: "a/", startAfter: "a/b", endBefore: "b", limit: 5000))
        #expect(page.next == "n+/=")
        #expect(page.objects.map(\.key) == ["a/z", "a/ü😀"])
        let target = transport.requests[0].target
        #expect(
            target.hasPrefix(
                "/storage/v1/b/bucket/o?projection=noAcl&maxResults=1000&fields=nextPageToken%2Citems%28name"))
        #expect(target.hasSuffix("&prefix=a%2F&startOffset=a%2Fb%00&endOffset=b"))
    }

    @Test func factsOfAListedObject() async throws {
        let transport = ScriptedTransport(
            Reply(
                200,
                body: """
                    {"items":[{"name":"k","size":"12","generation":"5","metageneration":"1","crc32c":"4waSgw==",
                    "md5Hash":"JfnnlDI7RTiF9RgfG2JNCw==","updated":"1970-01-01T00:00:01.000000002Z"}]}
                    """))
        let object = try await Self.store(transport).list(ListRequest()).objects[0]
        #expect(object.size == 12 && object.version.text == "5/1" && object.modified == 1_000_000_002)
        #expect(
            object.checksums.crc32c == 0xE306_9283 && object.checksums.md5?.first == 0x25 && object.archiveTier == nil)
    }

    @Test func anEmptyPageMayHaveANextOne() async throws {
        let page = try await Self.store(ScriptedTransport(Reply(200, body: #"{"nextPageToken":"n"}"#))).list(
            ListRequest(cursor: "c/d"))
        #expect(page.objects.isEmpty && page.next == "n")
        let broken = await Self.failure { () throws(StoreError) in
            try await Self.store(ScriptedTransport(Reply(200, body: "<html>"))).list(ListRequest())
        }
        #expect(broken?.code == .invalidResponse)
        let absent = await Self.failure { () throws(StoreError) in
            try await Self.store(ScriptedTransport(Reply(404))).list(ListRequest())
        }
        #expect(absent?.code == .missingContainer)
    }

    /// Emulators list everything, whatever the bounds.
    @Test func whatLiesOutsideTheBoundsIsLeftOut() async throws {
        let items = ["a", "b", "c", "d", "e"].map {
            #"{"name":"\#($0)","size":"1","generation":"1","metageneration":"1"}"#
        }
        let transport = ScriptedTransport(
            Reply(200, body: #"{"nextPageToken":"more","items":[\#(items.joined(separator: ","))]}"#))
        let page = try await Self.store(transport).list(ListRequest(startAfter: "b", endBefore: "e"))
        #expect(page.objects.map(\.key) == ["c", "d"] && page.next == nil)
        let none = try await Self.store(transport).list(ListRequest(startAfter: "e", endBefore: "b"))
        #expect(none.objects.isEmpty && none.next == nil && transport.requests.count == 1)
    }

    /// Bounds that cut a character in two are widened in the request and exact here.
    @Test func boundsNeedNotBeText() async throws {
        let items = ["a", "é", "ê"].map { #"{"name":"\#($0)","size":"1","generation":"1","metageneration":"1"}"# }
        let transport = ScriptedTransport(Reply(200, body: #"{"items":[\#(items.joined(separator: ","))]}"#))
        let page = try await Self.store(transport).list(
            ListRequest(
                prefix: ObjectKey([0xC3]), startAfter: ObjectKey([0xC3, 0xA9]), endBefore: ObjectKey([0xC3, 0xFF])))
        #expect(page.objects.map(\.key) == ["ê"])
        #expect(
            !transport.requests[0].target.contains("prefix=") && !transport.requests[0].target.contains("endOffset"))
    }

    // MARK: deleting and copying

    @Test func deletesAreConditionalAndAnAbsentObjectIsDeleted() async throws {
        let transport = ScriptedTransport { request, _ in
            switch request.target {
            case "/storage/v1/b/bucket/o/gone":
                Reply(404, body: #"{"error":{"message":"No such object: bucket/gone"}}"#)
            case "/storage/v1/b/bucket/o/other?ifGenerationMatch=3&ifMetagenerationMatch=4": Reply(412)
            default: Reply(204)
            }
        }
        let requests =
            [DeleteRequest(key: "gone", version: nil), DeleteRequest(key: "other", version: VersionToken("3/4"))]
            + (0..<50).map { DeleteRequest(key: ObjectKey("k\($0)"), version: nil) } + [
                DeleteRequest(key: "bad", version: VersionToken("x"))
            ]
        let results = await Self.store(transport).delete(requests)
        let codes: [StoreError.Code?] = results.map { if case .failure(let error) = $0 { error.code } else { nil } }
        #expect(codes.count == 53 && codes[1] == .preconditionFailed && codes[52] == .invalidRequest)
        #expect(codes.count { $0 == nil } == 51)
    }

    @Test func oddNumbersAndTokensOfAListingAreHarmless() async throws {
        func list(_ document: String) async throws(StoreError) -> ListPage {
            try await Self.store(ScriptedTransport(Reply(200, body: document))).list(ListRequest())
        }
        #expect(try await list(#"{"nextPageToken":"","items":[]}"#).next == nil)
        let dated = #""name":"k","size":"1","generation":"1","metageneration":"1","updated":"9999-12-31T23:59:59.9Z""#
        #expect(try await list(#"{"items":[{\#(dated)}]}"#).objects[0].modified == .max)
        for size in ["-1", #""-1""#] {
            let error = await Self.failure { () throws(StoreError) in
                try await list(#"{"items":[{"name":"k","size":\#(size),"generation":"1","metageneration":"1"}]}"#)
            }
            #expect(error?.code == .invalidResponse)
        }
    }

    @Test func aCopyIsRewrittenUntilItIsDone() async throws {
        let transport = ScriptedTransport { request, number in
            number == 0
                ? Reply(200, body: #"{"done":false,"rewriteToken":"r/1","totalBytesRewritten":"5","objectSize":"9"}"#)
                : Reply(
                    200, body: #"{"done":true,"totalBytesRewritten":"9","objectSize":"9","resource":\#(Self.resource)}"#
                )
        }
        let receipt = try await Self.store(transport).copy(
            CopyRequest(
                source: "a b", sourceVersion: VersionToken("5/1"), size: 9, destination: "c/d", condition: .absent))
        #expect(
            receipt.version.text == "7/2" && receipt.checksums.crc32c == 0xE306_9283 && !receipt.bytesVerified)
        let targets = transport.requests.map(\.target)
        #expect(
            targets[0].hasPrefix(
                "/storage/v1/b/bucket/o/a%20b/rewriteTo/b/bucket/o/c%2Fd?ifSourceGenerationMatch=5&ifSourceMetagenerationMatch=1&ifGenerationMatch=0"
            ))
        #expect(targets[1].hasSuffix("&rewriteToken=r%2F1"))
    }

    @Test func aRewriteThatDoesNotGetOnEnds() async throws {
        let transport = ScriptedTransport(
            Reply(200, body: #"{"done":false,"rewriteToken":"r","totalBytesRewritten":"0","objectSize":"9"}"#))
        let error = await Self.failure { () throws(StoreError) in
            try await Self.store(transport).copy(
                CopyRequest(
                    source: "a", sourceVersion: VersionToken("5/1"), size: 9, destination: "b", condition: .absent))
        }
        #expect(error?.code == .invalidResponse && transport.requests.count < 50)
    }

    @Test func whoseConditionOfACopyFailedIsFoundOut() async throws {
        for (version, code) in [("7/2", StoreError.Code.preconditionFailed), ("6/1", .versionChanged)] {
            let transport = ScriptedTransport { request, _ in
                request.method == .post ? Reply(412) : Reply(200, body: Self.resource)
            }
            let error = await Self.failure { () throws(StoreError) in
                try await Self.store(transport).copy(
                    CopyRequest(
                        source: "a", sourceVersion: VersionToken(version), size: 9, destination: "b", condition: .absent
                    ))
            }
            #expect(error?.code == code)
        }
    }
}
