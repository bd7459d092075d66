import Azure
import AzureBlob
import Buffers
import Cryptography
import Digests
import HTTPStores
import HTTPTransport
import ObjectStores
import ReplicationModel
import Synchronization
import TestFixtures
import Testing

/// The store against scripted replies: what it sends, and what it makes of what comes back.
@Suite struct AzureBlobStoreTests {
    typealias Reply = ScriptedTransport.Reply

    static let moment = CivilTime(year: 2026, month: 11, day: 21, hour: 3, minute: 4, second: 5)
    static let pool = BufferPool(limit: 16 << 20)
    static let crc64OfDigits = "iJh5CoYUi64="
    static let key = Secret(Base64.decode("MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")!)

    static func store(
        _ transport: ScriptedTransport, endpoint: String? = "http://127.0.0.1:10000",
        credentials: AzureCredentials? = nil, encryptionScope: String? = nil
    ) -> AzureBlobStore {
        let now = moment.secondsSince1970
        let configuration = AzureBlobConfiguration(
            account: "acct", endpoint: endpoint.map { Endpoint($0)! }, encryptionScope: encryptionScope)
        let key = AzureCredentials.sharedKey(account: "acct", key: Self.key)
        return AzureBlobStore(
            configuration: configuration, account: "acct", container: "cont", transport: transport,
            credentials: SharedCredentials(credentials ?? key), now: { now })
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

    static func error(of result: Result<Void, StoreError>) -> StoreError? {
        if case .failure(let error) = result { return error }
        return nil
    }

    // MARK: writing

    @Test func putCarriesChecksumConditionAttributesAndSignature() async throws {
        let transport = ScriptedTransport(Reply(201, ["ETag": "\"0x8D\"", "x-ms-content-crc64": Self.crc64OfDigits]))
        let (body, digest) = try await Self.slice("123456789")
        let receipt = try await Self.store(transport).put(
            PutRequest(
                key: "a b/ü", body: body, digest: digest,
                attributes: ObjectAttributes(
                    contentType: "text/plain", cacheControl: "no-cache", userMetadata: ["a-b": "ü"]),
                condition: .absent))
        #expect(
            receipt
                == WriteReceipt(
                    version: VersionToken("0x8D"), checksums: ObjectChecksums(crc64nvme: 0xAE8B_1486_0A79_9888),
                    bytesVerified: true))
        let request = transport.requests[0]
        #expect(request.method == .put)
        #expect(request.url == "http://127.0.0.1:10000/acct/cont/a%20b/%C3%BC")
        #expect(request.bodyText == "123456789")
        let expected: [String: String] = [
            "x-ms-blob-type": "BlockBlob", "x-ms-content-crc64": Self.crc64OfDigits,
            "x-ms-blob-content-type": "text/plain",
            "x-ms-blob-cache-control": "no-cache", "x-ms-meta-a_x2d_b": "=?UTF-8?B?w7w=?=", "if-none-match": "*",
            "x-ms-date": "Sat, 21 Nov 2026 03:04:05 GMT", "x-ms-version": "2023-11-03",
        ]
        for (name, value) in expected { #expect(request.headers[name] == value, "\(name)") }
        #expect(request.headers["content-type"] == nil)
        #expect(request.headers["authorization"]?.hasPrefix("SharedKey acct:") == true)
    }

    @Test func replacementNamesTheVersion() async throws {
        let transport = ScriptedTransport(Reply(201, ["ETag": "\"2\""]))
        let put = PutRequest(
            key: "k", body: nil, digest: ContentDigest(), attributes: ObjectAttributes(),
            condition: .matches(VersionToken("1")))
        let store = Self.store(transport)
        let receipt = try await store.put(put)
        #expect(transport.requests[0].headers["if-match"] == "\"1\"")
        #expect(transport.requests[0].headers["x-ms-content-crc64"] == "AAAAAAAAAAA=")
        // A server that reports no checksum proves nothing, and is remembered for it.
        #expect(!receipt.bytesVerified && receipt.checksums.isEmpty)
        #expect(!store.capabilities.reportsChecksums)
        #expect(store.learned.count == 1)
    }

    @Test func attributesThatDoNotFitAreRefusedBeforeAnythingIsSent() async {
        let transport = ScriptedTransport(Reply(201))
        let put = PutRequest(
            key: "k", body: nil, digest: ContentDigest(), attributes: ObjectAttributes(contentType: "a\r\nx: y"),
            condition: .absent)
        let error = await Self.failure { () throws(StoreError) in try await Self.store(transport).put(put) }
        #expect(error?.code == .unsupportedObject)
        #expect(error?.message.contains("Content-Type") == true)
        #expect(transport.requests.isEmpty)
    }

    @Test func keysThatTheServiceWouldChangeAreRefusedByEveryCall() async {
        let transport = ScriptedTransport(Reply(200))
        let store = Self.store(transport)
        let errors = [
            await Self.failure { () throws(StoreError) in try await store.head("a/../b") },
            await Self.failure { () throws(StoreError) in
                try await store.copy(
                    CopyRequest(
                        source: "a.", sourceVersion: VersionToken("1"), size: 1, destination: "b", condition: .absent))
            },
            await Self.failure { () throws(StoreError) in
                try await store.beginUpload(
                    UploadRequest(key: "a\\b", size: 1, partSize: 1, attributes: ObjectAttributes(), condition: .absent)
                )
            },
            Self.error(of: await store.delete([DeleteRequest(key: "a.", version: nil)])[0]),
        ]
        #expect(errors.allSatisfy { $0?.code == .invalidKey })
        #expect(transport.requests.isEmpty)
    }

    // MARK: reading

    static let blob: HTTPHeaders = [
        "ETag": "\"0x8D\"", "Last-Modified": "Sat, 21 Nov 2026 03:04:05 GMT", "x-ms-blob-type": "BlockBlob",
        "Content-Type": "text/plain", "Content-Language": "de", "x-ms-meta-a_x2d_b": "=?UTF-8?B?w7w=?=",
    ]

    static func blob(_ more: HTTPHeaders) -> HTTPHeaders {
        var headers = blob
        for field in more.fields { headers.append(field.name, field.value) }
        return headers
    }

    func read(
        _ transport: ScriptedTransport, offset: Int64 = 0, length: Int64 = 9, size: Int64? = 9,
        version: VersionToken? = VersionToken("0x8D")
    ) async throws(StoreError) -> (ReadReply, String) {
        guard let buffer = try? await Self.pool.acquire(max(Int(length), 1)) else { fatalError("no buffer") }
        let reply = try await Self.store(transport).read(
            ReadRequest(key: "k", range: ByteRange(offset: offset, length: length), version: version, objectSize: size),
            into: buffer)
        return (reply, buffer.slice(Int(length)).withUnsafeBytes { String(decoding: $0, as: UTF8.self) })
    }

    @Test func smallRangesAreVerifiedByTheServersChecksum() async throws {
        let transport = ScriptedTransport(
            Reply(
                206, Self.blob(["Content-Range": "bytes 0-8/9", "x-ms-content-crc64": Self.crc64OfDigits]),
                body: "123456789"))
        let (reply, text) = try await read(transport)
        #expect(text == "123456789")
        #expect(reply.digest.crc64nvme == 0xAE8B_1486_0A79_9888)
        #expect(reply.description.object.checksums.crc64nvme == 0xAE8B_1486_0A79_9888)
        #expect(reply.description.object.modified == Self.moment.nanosecondsSince1970)
        #expect(
            reply.description.attributes
                == ObjectAttributes(contentType: "text/plain", contentLanguage: "de", userMetadata: ["a-b": "ü"]))
        let headers = transport.requests[0].headers
        #expect(headers["x-ms-range"] == "bytes=0-8")
        #expect(headers["x-ms-range-get-content-crc64"] == "true")
        #expect(headers["if-match"] == "\"0x8D\"")
    }

    @Test func partsOfAnObjectSayNothingAboutTheWhole() async throws {
        let transport = ScriptedTransport(
            Reply(
                206, Self.blob(["Content-Range": "bytes 5-13/100", "x-ms-content-crc64": Self.crc64OfDigits]),
                body: "123456789"))
        let (reply, _) = try await read(transport, offset: 5, size: 100)
        #expect(reply.description.object.size == 100)
        #expect(reply.description.object.checksums.isEmpty)
    }

    @Test func largeWholeObjectsAreReadWithoutRange() async throws {
        let size = (4 << 20) + 1
        let transport = ScriptedTransport(
            Reply(
                200, Self.blob(["Content-Length": String(size), "Content-MD5": "JfnnlDI7RTiF9RgfG2JNCw=="]),
                bytes: [UInt8](repeating: 1, count: size)))
        let (reply, _) = try await read(transport, length: Int64(size), size: Int64(size))
        #expect(transport.requests[0].headers["x-ms-range"] == nil)
        // Nobody knows who computed it.
        #expect(reply.description.object.checksums.md5 == nil)
    }

    @Test func emptyObjects() async throws {
        let transport = ScriptedTransport(Reply(200, Self.blob(["Content-Length": "0"])))
        let (reply, _) = try await read(transport, length: 0, size: 0)
        #expect(reply.digest == ContentDigest())
        #expect(transport.requests[0].method == .get && transport.requests[0].headers["x-ms-range"] == nil)
        // Of an object whose size nobody knows only the description can be asked for.
        let head = ScriptedTransport(Reply(200, Self.blob(["Content-Length": "7"])))
        #expect(try await read(head, length: 0, size: nil).0.description.object.size == 7)
        #expect(head.requests[0].method == .head)
    }

    @Test func repliesThatAreNotWhatWasAskedForAreRefused() async {
        let right: HTTPHeaders = ["Content-Range": "bytes 0-8/9"]
        let cases: [(Reply, StoreError.Code)] = [
            (Reply(200, Self.blob(["Content-Length": "9"]), body: "123456789"), .invalidResponse),
            (Reply(206, Self.blob(["Content-Range": "bytes 1-9/10"]), body: "123456789"), .invalidResponse),
            (Reply(206, Self.blob(["Content-Range": "bytes 0-8/*"]), body: "123456789"), .invalidResponse),
            (Reply(206, Self.blob(["Content-Range": "bytes 0-8/10"]), body: "123456789"), .invalidResponse),
            (Reply(206, Self.blob([:]), body: "123456789"), .invalidResponse),
            (Reply(206, Self.blob(right), body: "12345678"), .invalidResponse),
            (Reply(206, Self.blob(right), body: "1234567890"), .invalidResponse),
            (Reply(206, right, body: "123456789"), .invalidResponse),
            (Reply(206, ["ETag": "W/\"0x8D\"", "Content-Range": "bytes 0-8/9"], body: "123456789"), .invalidResponse),
            (Reply(206, ["ETag": "\"other\"", "Content-Range": "bytes 0-8/9"], body: "123456789"), .versionChanged),
            (
                Reply(
                    206, Self.blob(["Content-Range": "bytes 0-8/9", "x-ms-content-crc64": "AAAAAAAAAAE="]),
                    body: "123456789"), .checksumMismatch
            ),
            (Reply(412, ["x-ms-error-code": "ConditionNotMet"]), .versionChanged),
            (Reply(404, ["x-ms-error-code": "BlobNotFound"]), .notFound),
            (Reply(404, ["x-ms-error-code": "ContainerNotFound"]), .missingContainer),
            (Reply(409, ["x-ms-error-code": "BlobArchived"]), .archived),
        ]
        for (index, (reply, code)) in cases.enumerated() {
            let error = await Self.failure { () throws(StoreError) in try await read(ScriptedTransport(reply)) }
            #expect(error?.code == code, "case \(index): \(String(describing: error))")
        }
    }

    // MARK: describing

    static func blocks(_ ids: [(String, Int)], type: String = "CommittedBlocks") -> String {
        let blocks = ids.map { "<Block><Name>\($0.0)</Name><Size>\($0.1)</Size></Block>" }.joined()
        return "\u{FEFF}<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList><\(type)>\(blocks)</\(type)></BlockList>"
    }

    func head(blocks: Reply, _ more: HTTPHeaders = [:]) async throws(StoreError) -> ObjectDescription {
        let found = Self.blob(["Content-Length": "9", "Content-MD5": "JfnnlDI7RTiF9RgfG2JNCw=="])
        let transport = ScriptedTransport { request, _ in
            request.method == .head ? Reply(200, found) : blocks
        }
        return try await Self.store(transport).head("k")
    }

    @Test func theMD5OfABlobWithoutBlocksIsTheServices() async throws {
        let description = try await head(blocks: Reply(200, ["ETag": "\"0x8D\""], body: Self.blocks([])))
        #expect(description.object.checksums.md5 == Hex.decode("25f9e794323b453885f5181f1b624d0b"))
        #expect(description.object.size == 9)
    }

    @Test func theMD5OfABlobWithBlocksIsAClaim() async throws {
        let description = try await head(blocks: Reply(200, ["ETag": "\"0x8D\""], body: Self.blocks([("AAAA", 9)])))
        #expect(description.object.checksums.isEmpty)
    }

    @Test func blocksOfAnotherVersionProveNothing() async throws {
        #expect(
            try await head(blocks: Reply(200, ["ETag": "\"0x8E\""], body: Self.blocks([]))).object.checksums.isEmpty)
        #expect(try await head(blocks: Reply(200, [:], body: Self.blocks([]))).object.checksums.isEmpty)
        #expect(try await head(blocks: Reply(404, ["x-ms-error-code": "BlobNotFound"])).object.checksums.isEmpty)
        #expect(try await head(blocks: Reply(501)).object.checksums.isEmpty)
        let busy = await Self.failure { () throws(StoreError) in
            try await head(blocks: Reply(503, ["x-ms-error-code": "ServerBusy"]))
        }
        #expect(busy?.code == .throttled && busy?.operation == .head)
    }

    @Test func archivedAndEmptyBlobsNeedNoSecondRequest() async throws {
        let archived = ScriptedTransport(
            Reply(
                200,
                Self.blob([
                    "Content-Length": "9", "x-ms-access-tier": "Archive",
                    "x-ms-archive-status": "rehydrate-pending-to-hot",
                ])))
        #expect(try await Self.store(archived).head("k").object.archiveTier == "Archive, rehydrate-pending-to-hot")
        #expect(archived.requests.count == 1)
        let empty = ScriptedTransport(Reply(200, Self.blob(["Content-Length": "0"])))
        #expect(try await Self.store(empty).head("k").object.checksums == ObjectChecksums(crc32c: 0, crc64nvme: 0))
        #expect(empty.requests.count == 1)
    }

    // MARK: credentials

    @Test func signaturesGoOntoTheURL() async throws {
        let transport = ScriptedTransport(Reply(200, Self.blob(["Content-Length": "0"])))
        _ = try await Self.store(transport, credentials: .sas(Secret("sv=1&sig=a%3D"))).head("k")
        #expect(transport.requests[0].url == "http://127.0.0.1:10000/acct/cont/k?sv=1&sig=a%3D")
        #expect(transport.requests[0].headers["authorization"] == nil)
    }

    @Test func tokensAreSentAsTheyAre() async throws {
        let transport = ScriptedTransport(Reply(200, Self.blob(["Content-Length": "0"])))
        _ = try await Self.store(transport, credentials: .token(Secret("canary-token"))).head("k")
        #expect(transport.requests[0].headers["authorization"] == "Bearer canary-token")
        #expect(transport.requests[0].headers["x-ms-version"] == "2023-11-03")
        #expect(transport.requests[0].url == "http://127.0.0.1:10000/acct/cont/k")
    }

    @Test func tokensAndSignaturesDoNotTravelUnencrypted() async {
        for credentials in [AzureCredentials.token(Secret("canary")), .sas(Secret("sig=canary"))] {
            let transport = ScriptedTransport(Reply(200, Self.blob(["Content-Length": "0"])))
            let store = Self.store(transport, endpoint: "http://azurite.example:10000", credentials: credentials)
            let error = await Self.failure { () throws(StoreError) in try await store.head("k") }
            #expect(error?.code == .unauthenticated && error?.retry == .never)
            #expect(error?.message.contains("http://azurite.example:10000") == true)
            #expect(error.map { "\($0)".contains("canary") } == false)
            #expect(transport.requests.isEmpty)
        }
    }

    /// A token that the server calls expired is fetched again once; what it says of its tenant reaches the user.
    @Test func refusedTokens() async throws {
        let transport = ScriptedTransport { request, _ in
            Reply(
                401,
                [
                    "x-ms-error-code": "InvalidAuthenticationInfo",
                    "WWW-Authenticate":
                        "Bearer authorization_uri=https://login.microsoftonline.com/tenant-1/oauth2/authorize "
                        + "resource_id=https://storage.azure.com",
                ],
                body: "<Error><Code>InvalidAuthenticationInfo</Code><Message>m</Message><AuthenticationErrorDetail>"
                    + "Issuer validation failed. Issuer did not match.</AuthenticationErrorDetail></Error>")
        }
        let store = Self.store(transport, credentials: .token(Secret("canary")))
        let first = await Self.failure { () throws(StoreError) in try await store.list(ListRequest()) }
        #expect(first?.code == .unauthenticated && first?.retry == .transient)
        let second = await Self.failure { () throws(StoreError) in try await store.list(ListRequest()) }
        #expect(second?.retry == .never)
        #expect(second?.message.contains("(issuer validation failed); it takes tokens of tenant tenant-1") == true)
    }

    @Test func whatWasTriedIsSaidWhenNobodyIsKnown() async {
        let transport = ScriptedTransport(Reply(404, ["x-ms-error-code": "ResourceNotFound"]))
        let store = Self.store(transport, credentials: .noneFound(tried: "nothing answered"))
        let error = await Self.failure { () throws(StoreError) in try await store.list(ListRequest()) }
        #expect(error?.message.contains("AZURE_CLIENT_ID") == true)
        #expect(error?.message.hasSuffix("and nothing answered") == true)
        #expect(transport.requests[0].headers["authorization"] == nil)
    }

    @Test func aWrongClockIsCorrectedByTheServers() async throws {
        let seen = Mutex<[String]>([])
        let transport = ScriptedTransport { request, number in
            seen.withLock { $0.append(request.headers["x-ms-date"] ?? "") }
            return number == 0
                ? Reply(403, ["x-ms-error-code": "AuthenticationFailed", "Date": "Sat, 21 Nov 2026 03:24:05 GMT"])
                : Reply(200, Self.blob(["Content-Length": "0"]))
        }
        let store = Self.store(transport)
        _ = try await store.head("k")
        #expect(seen.withLock { $0 } == ["Sat, 21 Nov 2026 03:04:05 GMT", "Sat, 21 Nov 2026 03:24:05 GMT"])
        #expect(store.learned.count == 1)
    }

    @Test func aWrongKeyIsNotTakenForAWrongClock() async {
        let transport = ScriptedTransport(
            Reply(403, ["x-ms-error-code": "AuthenticationFailed", "Date": "Sat, 21 Nov 2026 03:04:06 GMT"]))
        let error = await Self.failure { () throws(StoreError) in try await Self.store(transport).head("k") }
        #expect(error?.code == .unauthenticated && error?.retry == .never)
        #expect(transport.requests.count == 1)
    }
}
