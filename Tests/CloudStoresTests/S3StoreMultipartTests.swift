import AWS
import Buffers
import Cryptography
import Digests
import HTTPStores
import HTTPTransport
import ObjectStores
import ReplicationModel
import S3
import TestFixtures
import Testing

/// Uploads in parts, copies, deletions, and what the store learns about servers that lack something.
@Suite struct S3StoreMultipartTests {
    typealias Reply = ScriptedTransport.Reply

    static let pool = BufferPool(limit: 8 << 20)

    func store(_ transport: ScriptedTransport, endpoint: String? = "http://127.0.0.1:9000") -> S3Store {
        S3Store(
            configuration: S3Configuration(endpoint: endpoint.map { Endpoint($0)! }), bucket: "bucket",
            transport: transport,
            credentials: SharedCredentials(
                StaticAWSCredentials(AWSCredentials(accessKeyID: "AKID", secretAccessKey: Secret("secret"))), now: { 0 }
            ), now: { 0 })
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

    static let completed =
        "<CompleteMultipartUploadResult><ETag>&quot;x-2&quot;</ETag><ChecksumCRC64NVME>rosUhgp5mIg=</ChecksumCRC64NVME><ChecksumType>FULL_OBJECT</ChecksumType></CompleteMultipartUploadResult>"

    let upload = UploadRequest(
        key: "k", size: 9, partSize: 4, attributes: ObjectAttributes(contentType: "t/t", userMetadata: ["a": "b"]),
        condition: .absent)

    @Test func anUploadDeclaresItsChecksumAndCompletesUnderItsCondition() async throws {
        let transport = ScriptedTransport { request, _ in
            switch (request.method, request.target) {
            case (.post, "/bucket/k?uploads="):
                Reply(
                    200,
                    body: "<InitiateMultipartUploadResult><UploadId>u/1+</UploadId></InitiateMultipartUploadResult>")
            case (.put, "/bucket/k?partNumber=1&uploadId=u%2F1%2B"):
                Reply(
                    200, ["ETag": "\"p1\"", "x-amz-checksum-crc64nvme": request.headers["x-amz-checksum-crc64nvme"]!])
            case (.put, "/bucket/k?partNumber=2&uploadId=u%2F1%2B"): Reply(200, ["ETag": "\"p2\""])
            case (.post, "/bucket/k?uploadId=u%2F1%2B"): Reply(200, body: Self.completed)
            default: Reply(500)
            }
        }
        let store = store(transport)
        let session = try await store.beginUpload(upload)
        let (a, digestA) = try await slice("1234")
        let (b, digestB) = try await slice("56789")
        let first = try await store.uploadPart(PartRequest(number: 1, offset: 0, body: a, digest: digestA), of: session)
        let second = try await store.uploadPart(
            PartRequest(number: 2, offset: 4, body: b, digest: digestB), of: session)
        let receipt = try await store.completeUpload(
            CompleteRequest(
                parts: [first, second], digest: digestA.appending(digestB), attributes: upload.attributes,
                condition: .absent), of: session)
        #expect(
            receipt
                == WriteReceipt(
                    version: VersionToken("x-2"), checksums: ObjectChecksums(crc64nvme: 0xAE8B_1486_0A79_9888),
                    bytesVerified: true))
        let begin = transport.requests[0]
        #expect(begin.headers["x-amz-checksum-algorithm"] == "CRC64NVME")
        #expect(begin.headers["x-amz-checksum-type"] == "FULL_OBJECT")
        #expect(begin.headers["content-type"] == "t/t")
        #expect(begin.headers["x-amz-meta-a"] == "b")
        #expect(begin.headers["if-none-match"] == nil)
        let complete = transport.requests[3]
        #expect(complete.headers["if-none-match"] == "*")
        #expect(complete.headers["x-amz-checksum-crc64nvme"] == "rosUhgp5mIg=")
        #expect(complete.headers["x-amz-checksum-type"] == "FULL_OBJECT")
        #expect(complete.headers["x-amz-mp-object-size"] == "9")
        #expect(
            complete.bodyText == "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
                + "<Part><ChecksumCRC64NVME>KfXb5+L/cdQ=</ChecksumCRC64NVME><ETag>&quot;p1&quot;</ETag><PartNumber>1</PartNumber></Part>"
                + "<Part><ChecksumCRC64NVME>+H3Ihxds5mc=</ChecksumCRC64NVME><ETag>&quot;p2&quot;</ETag><PartNumber>2</PartNumber></Part></CompleteMultipartUpload>"
        )
    }

    func complete(_ replies: Reply..., condition: WriteCondition = .absent) async -> (
        Result<WriteReceipt, StoreError>, [HTTPRequest]
    ) {
        let transport = ScriptedTransport { _, number in replies[min(number, replies.count - 1)] }
        let digest = Array("123456789".utf8).withUnsafeBytes { ContentDigest(of: $0) }
        let request = CompleteRequest(
            parts: [PartReceipt(number: 1, size: 9, tag: "p", digest: digest)], digest: digest,
            attributes: ObjectAttributes(), condition: condition)
        do throws(StoreError) {
            let session = UploadSession(key: "k", handle: "crc64nvme:u", size: 9, partSize: 9)
            return (.success(try await store(transport).completeUpload(request, of: session)), transport.requests)
        } catch {
            return (.failure(error), transport.requests)
        }
    }

    @Test func anErrorAfterASuccessfulStartIsAnError() async {
        let cases: [(String, StoreError.Code, StoreError.Retry)] = [
            ("<Error><Code>InternalError</Code></Error>", .unavailable, .unknownOutcome),
            ("<Error><Code>SlowDown</Code></Error>", .throttled, .transient),
            ("", .invalidResponse, .unknownOutcome), ("   <Comp", .invalidResponse, .unknownOutcome),
            ("<html/>", .invalidResponse, .unknownOutcome),
            ("<CompleteMultipartUploadResult/>", .invalidResponse, .unknownOutcome),
        ]
        for (body, code, retry) in cases {
            let (result, _) = await complete(Reply(200, body: body))
            guard case .failure(let error) = result else { return #expect(Bool(false), "accepted \(body)") }
            #expect(error.code == code)
            #expect(error.retry == retry)
        }
    }

    @Test func aMissingChecksumIsFetchedOnceAndOfTheSameVersionOnly() async throws {
        let silent = Reply(
            200, body: "<CompleteMultipartUploadResult><ETag>\"x\"</ETag></CompleteMultipartUploadResult>")
        let (found, requests) = await complete(
            silent, Reply(200, ["ETag": "\"x\"", "Content-Length": "9", "x-amz-checksum-crc64nvme": "rosUhgp5mIg="]))
        #expect(try found.get().bytesVerified)
        #expect(requests.map(\.method) == [.post, .head])
        let (other, _) = await complete(
            silent, Reply(200, ["ETag": "\"y\"", "Content-Length": "9", "x-amz-checksum-crc64nvme": "rosUhgp5mIg="]))
        #expect(
            try other.get()
                == WriteReceipt(version: VersionToken("y"), checksums: ObjectChecksums(), bytesVerified: false))
        let (foreign, _) = await complete(silent, Reply(200, ["ETag": "\"y\"", "Content-Length": "8"]))
        #expect(try foreign.get().version == VersionToken("x"))
        let (broken, _) = await complete(silent, Reply(500))
        #expect(
            try broken.get()
                == WriteReceipt(version: VersionToken("x"), checksums: ObjectChecksums(), bytesVerified: false))
    }

    @Test func completionsThatCannotSucceedSaySo() async {
        func code(_ status: Int, _ code: String, _ condition: WriteCondition = .absent) async -> StoreError.Code? {
            guard
                case .failure(let error) = await complete(
                    Reply(status, body: "<Error><Code>\(code)</Code></Error>"), condition: condition
                ).0
            else { return nil }
            return error.code
        }
        #expect(await code(404, "NoSuchUpload") == .missingUpload)
        #expect(await code(412, "PreconditionFailed") == .preconditionFailed)
        #expect(await code(404, "NoSuchKey", .matches(VersionToken("v"))) == .preconditionFailed)
        #expect(await code(409, "ConditionalRequestConflict") == .missingUpload)
    }

    @Test func partsAreListedPageByPageWithinBounds() async throws {
        func page(_ numbers: [Int], next: Int?) -> Reply {
            let parts = numbers.map {
                "<Part><PartNumber>\($0)</PartNumber><ETag>&quot;e\($0)&quot;</ETag><Size>5</Size><ChecksumCRC64NVME>rosUhgp5mIg=</ChecksumCRC64NVME></Part>"
            }
            return Reply(
                200,
                body:
                    "<ListPartsResult><IsTruncated>\(next != nil)</IsTruncated>\(next.map { "<NextPartNumberMarker>\($0)</NextPartNumberMarker>" } ?? "")\(parts.joined())</ListPartsResult>"
            )
        }
        let session = UploadSession(key: "k", handle: "none:u", size: 9, partSize: 5)
        let transport = ScriptedTransport(page([1, 2], next: 2), page([5], next: nil))
        let parts = try await store(transport).listParts(of: session)
        #expect(parts.map(\.number) == [1, 2, 5])
        #expect(parts[2].tag == "e5")
        #expect(parts[0].checksums.crc64nvme == 0xAE8B_1486_0A79_9888)
        #expect(
            transport.requests.map(\.target) == [
                "/bucket/k?max-parts=1000&uploadId=u", "/bucket/k?max-parts=1000&part-number-marker=2&uploadId=u",
            ])
        for broken in [page([1], next: 1), page([2, 1], next: nil), page([10_001], next: nil), page([], next: 10_001)] {
            let error = await failure { () throws(StoreError) in
                try await store(ScriptedTransport(broken)).listParts(of: session)
            }
            #expect(error?.code == .invalidResponse)
        }
    }

    @Test func openUploadsContinueAtTheirMarkers() async throws {
        let transport = ScriptedTransport(
            Reply(
                200,
                body:
                    "<ListMultipartUploadsResult><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated><NextKeyMarker>a%2Fb+c</NextKeyMarker><NextUploadIdMarker>u/2</NextUploadIdMarker>"
                    + "<Upload><Key>elsewhere</Key><UploadId>u/1</UploadId></Upload>"
                    + "<Upload><Key>a%2Fb+c</Key><UploadId>u/2</UploadId><Initiated>2026-11-21T03:04:05.000Z</Initiated><ChecksumAlgorithm>CRC64NVME</ChecksumAlgorithm></Upload></ListMultipartUploadsResult>"
            ),
            Reply(
                200, body: "<ListMultipartUploadsResult><IsTruncated>false</IsTruncated></ListMultipartUploadsResult>"))
        let store = store(transport)
        let page = try await store.openUploads(ListRequest(prefix: "a/"))
        #expect(page.uploads.map(\.session.key) == ["a/b c"])
        #expect(page.uploads[0].session.handle == "crc64nvme:u/2")
        #expect(
            page.uploads[0].initiated
                == CivilTime(year: 2026, month: 11, day: 21, hour: 3, minute: 4, second: 5).nanosecondsSince1970)
        #expect(try await store.openUploads(ListRequest(prefix: "a/", cursor: page.next)).next == nil)
        #expect(
            transport.requests[1].target
                == "/bucket?encoding-type=url&key-marker=a%2Fb%20c&max-uploads=1000&prefix=a%2F&upload-id-marker=u%2F2&uploads="
        )
    }

    @Test func abortingWhatIsGoneIsNoError() async {
        let session = UploadSession(key: "k", handle: "none:u", size: 9, partSize: 5)
        for reply in [Reply(204), Reply(404, body: "<Error><Code>NoSuchUpload</Code></Error>")] {
            #expect(
                await failure { () throws(StoreError) in try await store(ScriptedTransport(reply)).abortUpload(session)
                } == nil)
        }
        let missing = Reply(404, body: "<Error><Code>NoSuchBucket</Code></Error>")
        #expect(
            await failure { () throws(StoreError) in try await store(ScriptedTransport(missing)).abortUpload(session) }?
                .code == .missingContainer)
    }

    // MARK: copying

    @Test func copiesArePinnedOnBothSides() async throws {
        let transport = ScriptedTransport(
            Reply(
                200,
                body:
                    "<CopyObjectResult><ETag>\"n\"</ETag><ChecksumCRC64NVME>rosUhgp5mIg=</ChecksumCRC64NVME></CopyObjectResult>"
            ))
        let receipt = try await store(transport, endpoint: nil).copy(
            CopyRequest(
                source: "/a b/ü", sourceVersion: VersionToken("s"), size: 9, destination: "d",
                condition: .matches(VersionToken("o"))))
        #expect(receipt.version == VersionToken("n"))
        #expect(receipt.checksums.crc64nvme != nil)
        let request = transport.requests[0]
        #expect(request.headers["x-amz-copy-source"] == "bucket//a%20b/%C3%BC")
        #expect(request.headers["x-amz-copy-source-if-match"] == "\"s\"")
        #expect(request.headers["if-match"] == "\"o\"")
    }

    @Test func clonesThatMayNotPinTheSourceAreWatched() async {
        func copy(_ versions: String...) async -> (StoreError?, [HTTPMethod]) {
            let transport = ScriptedTransport { request, number in
                request.method == .head
                    ? Reply(200, ["ETag": number == 0 ? versions[0] : versions[1], "Content-Length": "9"])
                    : Reply(200, body: "<CopyObjectResult><ETag>n</ETag></CopyObjectResult>")
            }
            let error = await failure { () throws(StoreError) in
                try await store(transport).copy(
                    CopyRequest(
                        source: "s", sourceVersion: VersionToken("v"), size: 9, destination: "d", condition: .absent))
            }
            return (error, transport.requests.map(\.method))
        }
        #expect(await copy("v", "v").0?.code == nil)
        #expect(await copy("w", "w").0?.code == .versionChanged)
        #expect(await copy("w", "w").1 == [.head])
        let late = await copy("v", "w").0
        #expect(late?.code == .versionChanged)
        #expect(late?.retry == .unknownOutcome)
    }

    @Test func aCopyThatStandsIsNotMadeAgainForAFailedLookAtItsSource() async {
        let transport = ScriptedTransport { request, number in
            switch number {
            case 0: Reply(200, ["ETag": "\"v\"", "Content-Length": "9"])
            case 1: Reply(200, body: "<CopyObjectResult><ETag>\"n\"</ETag></CopyObjectResult>")
            default: Reply(503)
            }
        }
        let error = await failure { () throws(StoreError) in
            try await store(transport).copy(
                CopyRequest(
                    source: "s", sourceVersion: VersionToken("v"), size: 9, destination: "d", condition: .absent))
        }
        #expect(transport.requests.map(\.method) == [.head, .put, .head])
        #expect(error?.code == .unavailable)
        #expect(error?.retry == .unknownOutcome)
    }

    @Test func copiedPartsAreComparedWithWhatIsKnown() async throws {
        let reply = Reply(
            200,
            body:
                "<CopyPartResult><ETag>\"p\"</ETag><ChecksumCRC64NVME>rosUhgp5mIg=</ChecksumCRC64NVME></CopyPartResult>"
        )
        let session = UploadSession(key: "k", handle: "crc64nvme:u", size: 9, partSize: 9)
        let transport = ScriptedTransport(reply)
        let digest = Array("123456789".utf8).withUnsafeBytes { ContentDigest(of: $0) }
        func copy(_ digest: ContentDigest?) async throws(StoreError) -> PartReceipt {
            try await store(transport, endpoint: nil).copyPart(
                PartCopyRequest(
                    number: 3, offset: 0, source: "s", sourceVersion: VersionToken("v"),
                    range: ByteRange(offset: 10, length: 9), digest: digest),
                of: session)
        }
        #expect(try await copy(digest) == PartReceipt(number: 3, size: 9, tag: "p", digest: digest))
        #expect(transport.requests[0].headers["x-amz-copy-source-range"] == "bytes=10-18")
        #expect(try await copy(nil).digest == nil)
        #expect(
            await failure { () throws(StoreError) in try await copy(ContentDigest(crc32c: 0, crc64nvme: 1, length: 9))
            }?.code == .checksumMismatch)
    }

    // MARK: deleting

    @Test func oneDeletionIsConditional() async {
        let transport = ScriptedTransport(Reply(204))
        let results = await store(transport).delete([DeleteRequest(key: "k", version: VersionToken("v"))])
        #expect(results.count == 1)
        #expect(transport.requests[0].method == .delete)
        #expect(transport.requests[0].headers["if-match"] == "\"v\"")
    }

    @Test func aBatchNamesVersionsAndReportsKeyByKey() async {
        let answer =
            "<DeleteResult><Deleted><Key>a&amp;b</Key></Deleted><Error><Key>c</Key><Code>PreconditionFailed</Code></Error>"
            + "<Error><Key>d</Key><Code>NoSuchKey</Code></Error><Error><Key>e</Key><Code>InternalError</Code></Error></DeleteResult>"
        let transport = ScriptedTransport { request, _ in
            request.method == .post ? Reply(200, body: answer) : Reply(204)
        }
        let results = await store(transport, endpoint: nil).delete([
            DeleteRequest(key: "a&b", version: VersionToken("1")), DeleteRequest(key: "c", version: VersionToken("2")),
            DeleteRequest(key: "x\u{1}", version: nil), DeleteRequest(key: "d", version: nil),
            DeleteRequest(key: "e", version: nil),
            DeleteRequest(key: "f", version: nil),
        ])
        func code(_ index: Int) -> StoreError.Code? {
            if case .failure(let error) = results[index] { error.code } else { nil }
        }
        #expect((0..<6).map(code) == [nil, .preconditionFailed, nil, nil, .unavailable, .invalidResponse])
        #expect(transport.requests.map(\.target) == ["/?delete=", "/x%01"])
        #expect(
            transport.requests[0].bodyText.contains(
                "<Object><Key>a&amp;b</Key><ETag>&quot;1&quot;</ETag></Object><Object><Key>c</Key><ETag>&quot;2&quot;</ETag></Object><Object><Key>d</Key></Object>"
            ))
        #expect(transport.requests[0].headers["x-amz-checksum-crc64nvme"] != nil)
    }

    @Test func clonesGetConditionalDeletionsOneByOne() async {
        let answer = "<DeleteResult><Deleted><Key>a</Key></Deleted><Deleted><Key>b</Key></Deleted></DeleteResult>"
        let transport = ScriptedTransport { request, _ in
            request.method == .post ? Reply(200, body: answer) : Reply(412)
        }
        let results = await store(transport).delete([
            DeleteRequest(key: "a", version: nil), DeleteRequest(key: "c", version: VersionToken("1")),
            DeleteRequest(key: "b", version: nil),
        ])
        #expect(throws: Never.self) { try results[0].get() }
        #expect(throws: StoreError.self) { try results[1].get() }
        #expect(throws: Never.self) { try results[2].get() }
        #expect(transport.requests.map(\.method) == [.post, .delete])
        #expect(transport.requests[0].headers["content-md5"] != nil)
        #expect(transport.requests[1].headers["if-match"] == "\"1\"")
    }

    @Test func aCloneWithoutBatchesIsAskedOnce() async {
        let transport = ScriptedTransport { request, _ in request.method == .post ? Reply(501) : Reply(204) }
        let store = store(transport)
        let requests = [DeleteRequest(key: "a", version: nil), DeleteRequest(key: "b", version: nil)]
        for _ in 0..<2 {
            for result in await store.delete(requests) { #expect(throws: Never.self) { try result.get() } }
        }
        #expect(transport.requests.map(\.method) == [.post, .delete, .delete, .delete, .delete])
        #expect(store.capabilities.deleteBatch == 1)
        #expect(store.learned.count == 1)
    }

    @Test func aBatchThatFailsFailsForEveryKey() async {
        let results = await store(ScriptedTransport(Reply(403))).delete([
            DeleteRequest(key: "a", version: nil), DeleteRequest(key: "b", version: nil),
        ])
        for (result, key) in zip(results, ["a", "b"] as [ObjectKey]) {
            guard case .failure(let error) = result else { return #expect(Bool(false)) }
            #expect(error.code == .forbidden)
            #expect(error.key == key)
        }
    }

    // MARK: learning

    func put(_ store: S3Store) async throws(StoreError) -> WriteReceipt {
        try await store.put(
            PutRequest(key: "k", body: nil, digest: ContentDigest(), attributes: ObjectAttributes(), condition: .absent)
        )
    }

    @Test func aRefusedChecksumIsReplacedByAWeakerOne() async throws {
        let transport = ScriptedTransport { request, _ in
            request.headers["x-amz-checksum-crc64nvme"] != nil
                ? Reply(501, body: "<Error><Code>NotImplemented</Code></Error>")
                : Reply(200, ["ETag": "\"e\"", "x-amz-checksum-crc32c": request.headers["x-amz-checksum-crc32c"]!])
        }
        let store = store(transport)
        #expect(try await put(store).bytesVerified)
        #expect(try await put(store).bytesVerified)
        #expect(transport.requests.count == 3)
        #expect(store.learned.count == 1)
        #expect(store.capabilities.reportsChecksums)
    }

    @Test func aServerThatRefusesAllChecksumsGetsNone() async throws {
        let transport = ScriptedTransport { request, _ in
            request.headers.fields.contains { $0.name.hasPrefix("x-amz-checksum") }
                ? Reply(400, body: "<Error><Code>InvalidArgument</Code><Message>Unsupported header</Message></Error>")
                : Reply(200, ["ETag": "\"e\""])
        }
        let store = store(transport)
        #expect(try await put(store).bytesVerified == false)
        #expect(!store.capabilities.reportsChecksums)
        #expect(transport.requests.count == 3)
    }

    @Test func whatIsRefusedForAnotherReasonTeachesNothing() async {
        let transport = ScriptedTransport(Reply(400, body: "<Error><Code>InvalidArgument</Code></Error>"))
        let store = store(transport)
        #expect(await failure { () throws(StoreError) in try await put(store) }?.code == .invalidRequest)
        #expect(store.learned.isEmpty)
        #expect(store.capabilities.reportsChecksums)
    }

    @Test func aServerThatAnsweredAChecksumIsNeverAskedWithout() async throws {
        let transport = ScriptedTransport { request, number in
            number == 0
                ? Reply(
                    200, ["ETag": "\"e\"", "x-amz-checksum-crc64nvme": request.headers["x-amz-checksum-crc64nvme"]!])
                : Reply(501)
        }
        let store = store(transport)
        _ = try await put(store)
        #expect(await failure { () throws(StoreError) in try await put(store) }?.code == .unsupportedOperation)
        #expect(transport.requests.count == 2)
    }

    @Test func amazonIsNeverAskedWithout() async {
        let transport = ScriptedTransport(Reply(501))
        #expect(
            await failure { () throws(StoreError) in try await put(store(transport, endpoint: nil)) }?.code
                == .unsupportedOperation)
        #expect(transport.requests.count == 1)
    }

    @Test func aRefusedChecksumModeIsLearned() async throws {
        let transport = ScriptedTransport { request, _ in
            request.headers["x-amz-checksum-mode"] != nil
                ? Reply(400) : Reply(200, ["ETag": "\"e\"", "Content-Length": "1"])
        }
        let store = store(transport)
        _ = try await store.head("k")
        _ = try await store.head("k")
        // Refused without a reason, asked for the reason, tried without; refused again, and from then on left out.
        #expect(
            transport.requests.map { $0.method == .head && $0.headers["x-amz-checksum-mode"] == nil }
                == [false, false, true, false, false, true])
    }

    @Test(arguments: [Reply(501), Reply(200, ["ETag": "\"d41d8cd98f00b204e9800998ecf8427e\""])])
    func aCloneThatCannotCopyPartsIsRemembered(reply: Reply) async {
        let store = store(ScriptedTransport(reply))
        #expect(store.capabilities.copiesParts)
        let error = await failure { () throws(StoreError) in
            try await store.copyPart(
                PartCopyRequest(
                    number: 1, offset: 0, source: "s", sourceVersion: VersionToken("v"),
                    range: ByteRange(offset: 0, length: 1)),
                of: UploadSession(key: "k", handle: "none:u", size: 1, partSize: 1))
        }
        #expect(error?.code == .unsupportedOperation)
        #expect(!store.capabilities.copiesParts)
    }

    @Test func capabilitiesTellAmazonFromClones() {
        let aws = store(ScriptedTransport(Reply(200)), endpoint: nil).capabilities
        let clone = store(ScriptedTransport(Reply(200))).capabilities
        #expect(aws.conditionalWrites == .enforced && clone.conditionalWrites == .unproven)
        #expect(aws.maxObjectSize == 10_000 * (5 << 30))
        #expect(clone.maxObjectSize == 5 << 40)
    }
}
