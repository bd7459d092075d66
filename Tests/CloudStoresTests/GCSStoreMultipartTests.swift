import Buffers
import Digests
import GCS
import HTTPStores
import HTTPTransport
import ObjectStores
import ReplicationModel
import TestFixtures
import Testing

/// The two ways of large objects: resumable sessions, and parallel parts under a temporary name.
@Suite struct GCSStoreMultipartTests {
    typealias Reply = ScriptedTransport.Reply

    static let quantum = 256 << 10

    private func failure<T>(_ body: () async throws(StoreError) -> T) async -> StoreError? {
        await GCSStoreTests.failure(body)
    }

    private func request(parts: Int64, attributes: ObjectAttributes = ObjectAttributes()) -> UploadRequest {
        UploadRequest(
            key: "k/é", size: (parts - 1) * Int64(Self.quantum) + 9, partSize: Int64(Self.quantum),
            attributes: attributes, condition: .absent)
    }

    private func part(_ number: Int, _ count: Int) async throws -> PartRequest {
        let (body, digest) = try await GCSStoreTests.slice(String(repeating: "x", count: count))
        return PartRequest(number: number, offset: Int64((number - 1) * Self.quantum), body: body, digest: digest)
    }

    private func receipts(_ parts: [PartRequest]) -> [PartReceipt] {
        parts.map {
            PartReceipt(number: $0.number, size: Int64($0.body.count), tag: "\"e\($0.number)\"", digest: $0.digest)
        }
    }

    private func object(_ digest: ContentDigest) -> String {
        #"{"size":"\#(digest.length)","generation":"9","metageneration":"1","crc32c":"\#(ChecksumEncoding.base64BigEndian(digest.crc32c))"}"#
    }

    // MARK: sessions

    /// Answers a session as the service does, from the ranges it is sent.
    private static func session(_ finished: String, _ request: HTTPRequest) -> Reply {
        if request.method == .post {
            return Reply(200, ["location": "https://elsewhere.example/upload/x?upload_id=secret"])
        }
        if request.method == .delete { return Reply(499) }
        let range = request.headers["content-range"]!
        if range.hasPrefix("bytes */") { return Reply(308, ["range": "bytes=0-262143"]) }
        let bounds = range.dropFirst(6).split(separator: "/")
        let last = bounds[0].split(separator: "-")[1]
        return Int(last)! + 1 == Int(bounds[1])! ? Reply(200, body: finished) : Reply(308, ["range": "bytes=0-\(last)"])
    }

    @Test func aSmallUploadIsASessionThatEndsWithTheWholeChecksum() async throws {
        let parts = [try await part(1, Self.quantum), try await part(2, 9)]
        let whole = parts[0].digest.appending(parts[1].digest)
        let finished = object(whole)
        let transport = ScriptedTransport { request, _ in Self.session(finished, request) }
        let store = GCSStoreTests.store(transport)
        let session = try await store.beginUpload(request(parts: 2))
        #expect(session.partOrder == .sequential && session.stagingKey == nil)
        var receipts: [PartReceipt] = []
        for part in parts { receipts.append(try await store.uploadPart(part, of: session)) }
        let receipt = try await store.completeUpload(
            CompleteRequest(parts: receipts, digest: whole, attributes: ObjectAttributes(), condition: .absent),
            of: session)
        #expect(receipt.version.text == "9/1" && receipt.bytesVerified)
        let requests = transport.requests
        // The second part is shorter than what is held back: it travels when the upload is completed.
        #expect(requests.count == 3)
        #expect(requests[0].target.contains("uploadType=resumable&name=k%2F%C3%A9&ifGenerationMatch=0"))
        #expect(requests[1].url == "https://storage.googleapis.com/upload/x?upload_id=secret")
        #expect(
            requests[1].headers["content-range"] == "bytes 0-262143/262153" && requests[1].headers["x-goog-hash"] == nil
        )
        #expect(requests[2].headers["content-range"] == "bytes 262144-262152/262153")
        #expect(requests[2].headers["x-goog-hash"] == "crc32c=\(ChecksumEncoding.base64BigEndian(whole.crc32c))")
    }

    @Test func anotherConditionThanAtTheStartIsRefused() async throws {
        let transport = ScriptedTransport { request, _ in Self.session("", request) }
        let store = GCSStoreTests.store(transport)
        let session = try await store.beginUpload(request(parts: 2))
        let parts = [try await part(1, Self.quantum), try await part(2, 9)]
        let error = await failure { () throws(StoreError) in
            try await store.completeUpload(
                CompleteRequest(
                    parts: receipts(parts), digest: nil, attributes: ObjectAttributes(), condition: .unconditional),
                of: session)
        }
        #expect(error?.code == .invalidRequest)
    }

    @Test func aPartWhoseReplyWasLostIsNotSentTwice() async throws {
        let transport = ScriptedTransport { request, number throws(HTTPFailure) in
            if number == 1 { throw HTTPFailure(code: .reset, message: "reset", mayHaveBeenProcessed: true) }
            return Self.session("", request)
        }
        let store = GCSStoreTests.store(transport)
        let session = try await store.beginUpload(request(parts: 2))
        let first = try await part(1, Self.quantum)
        let lost = await failure { () throws(StoreError) in try await store.uploadPart(first, of: session) }
        #expect(lost?.retry == .transient)
        _ = try await store.uploadPart(first, of: session)
        #expect(
            transport.requests.map { $0.headers["content-range"] } == [nil, "bytes 0-262143/262153", "bytes */262153"])
    }

    @Test func damageIsFoundByTheRunningChecksum() async throws {
        let transport = ScriptedTransport { request, _ in
            request.method == .post
                ? Self.session("", request)
                : Reply(308, ["range": "bytes=0-262143", "x-goog-running-hash": "crc32c=AAAAAA=="])
        }
        let store = GCSStoreTests.store(transport)
        let session = try await store.beginUpload(request(parts: 2))
        let first = try await part(1, Self.quantum)
        let error = await failure { () throws(StoreError) in try await store.uploadPart(first, of: session) }
        #expect(error?.code == .checksumMismatch && error?.retry == .never)
    }

    @Test func aSessionThatIsGoneIsAMissingUpload() async throws {
        for status in [404, 410] {
            let transport = ScriptedTransport { request, _ in
                request.method == .post ? Self.session("", request) : Reply(status)
            }
            let store = GCSStoreTests.store(transport)
            let session = try await store.beginUpload(request(parts: 2))
            let first = try await part(1, Self.quantum)
            let error = await failure { () throws(StoreError) in try await store.uploadPart(first, of: session) }
            #expect(error?.code == .missingUpload)
            try await store.abortUpload(session)
        }
    }

    @Test func anotherProcessNeedsTheLastPart() async throws {
        let parts = [try await part(1, Self.quantum), try await part(2, 9)]
        let whole = parts[0].digest.appending(parts[1].digest)
        let finished = object(whole)
        let transport = ScriptedTransport { request, _ in Self.session(finished, request) }
        let session = try await GCSStoreTests.store(transport).beginUpload(request(parts: 2))
        let other = GCSStoreTests.store(transport)
        let complete = CompleteRequest(
            parts: receipts(parts), digest: whole, attributes: ObjectAttributes(), condition: .absent)
        let early = await failure { () throws(StoreError) in try await other.completeUpload(complete, of: session) }
        #expect(early?.code == .missingUpload)
        #expect(try await other.listParts(of: session).map(\.number) == [1])
        _ = try await other.uploadPart(parts[1], of: session)
        #expect(try await other.completeUpload(complete, of: session).version.text == "9/1")
    }

    // MARK: multipart

    /// A service that puts parts together under a temporary name.
    private struct Service {
        var digest: ContentDigest
        var moves = 200
        var completes = 200

        func answer(_ request: HTTPRequest) -> Reply {
            let object =
                #"{"size":"\#(digest.length)","generation":"9","metageneration":"1","crc32c":"\#(ChecksumEncoding.base64BigEndian(digest.crc32c))"}"#
            switch (request.method, request.target) {
            case (.post, let target) where target.hasSuffix("?uploads"):
                return Reply(
                    200, body: "<InitiateMultipartUploadResult><UploadId>u/1</UploadId></InitiateMultipartUploadResult>"
                )
            case (.put, _): return Reply(200, ["etag": "\"e\"", "x-goog-hash": request.headers["x-goog-hash"]!])
            case (.post, let target) where target.hasSuffix("?uploadId=u%2F1"):
                if completes != 200 { return Reply(completes, body: "<Error><Code>NoSuchUpload</Code></Error>") }
                return Reply(
                    200,
                    [
                        "x-goog-generation": "8", "x-goog-metageneration": "1",
                        "x-goog-hash": "crc32c=\(ChecksumEncoding.base64BigEndian(digest.crc32c))",
                    ], body: "<CompleteMultipartUploadResult><ETag>x</ETag></CompleteMultipartUploadResult>")
            case (.post, let target) where target.contains("/moveTo/o/k%2F%C3%A9?"): return Reply(moves, body: object)
            case (.post, let target) where target.contains("/rewriteTo/b/bucket/o/k%2F%C3%A9?"):
                return Reply(200, body: #"{"done":true,"totalBytesRewritten":"1","resource":\#(object)}"#)
            case (.patch, _), (.get, _): return Reply(200, body: object)
            case (.delete, _): return Reply(204)
            default: return Reply(500)
            }
        }
    }

    private func upload(
        _ transport: ScriptedTransport, attributes: ObjectAttributes = ObjectAttributes(), digest: ContentDigest? = nil
    ) async throws(StoreError) -> WriteReceipt {
        let store = GCSStoreTests.store(transport)
        let parts: [PartRequest]
        do {
            parts = [try await part(1, Self.quantum), try await part(2, Self.quantum), try await part(3, 9)]
        } catch { preconditionFailure("\(error)") }
        let session = try await store.beginUpload(request(parts: 3, attributes: attributes))
        var receipts: [PartReceipt] = []
        for part in parts { receipts.append(try await store.uploadPart(part, of: session)) }
        return try await store.completeUpload(
            CompleteRequest(
                parts: receipts, digest: digest ?? Self.whole(parts), attributes: attributes, condition: .absent),
            of: session)
    }

    private static func whole(_ parts: [PartRequest]) -> ContentDigest {
        parts.reduce(ContentDigest()) { $0.appending($1.digest) }
    }

    private func wholeDigest() async throws -> ContentDigest {
        Self.whole([try await part(1, Self.quantum), try await part(2, Self.quantum), try await part(3, 9)])
    }

    @Test func aLargeUploadIsCheckedUnderATemporaryNameAndMoved() async throws {
        let service = Service(digest: try await wholeDigest())
        let transport = ScriptedTransport { request, _ in service.answer(request) }
        let receipt = try await upload(
            transport, attributes: ObjectAttributes(contentType: "a/b", userMetadata: ["lower": "ascii"]))
        #expect(receipt.version.text == "9/1" && receipt.bytesVerified)
        let requests = transport.requests
        #expect(requests.count == 6)
        #expect(
            requests[0].target.hasPrefix("/bucket/.lockstep%2Fuploads%2F")
                && requests[0].target.hasSuffix("%2Fk%2F%C3%A9?uploads"))
        #expect(requests[0].headers["content-type"] == "a/b" && requests[0].headers["x-goog-meta-lower"] == "ascii")
        #expect(requests[1].headers["x-goog-hash"]?.hasPrefix("crc32c=") == true)
        #expect(requests[1].target.hasSuffix("?partNumber=1&uploadId=u%2F1"))
        #expect(requests[4].bodyText.contains("<Part><PartNumber>1</PartNumber><ETag>&quot;e&quot;</ETag></Part>"))
        #expect(requests[5].target.contains("?ifSourceGenerationMatch=8&ifGenerationMatch=0&"))
        #expect(requests.dropLast().allSatisfy { !$0.target.contains("ifGenerationMatch") })
    }

    @Test func attributesThatHeadersCannotCarryAreSetBeforeTheMove() async throws {
        let service = Service(digest: try await wholeDigest())
        let transport = ScriptedTransport { request, _ in service.answer(request) }
        _ = try await upload(transport, attributes: ObjectAttributes(userMetadata: ["CamelCase": "grün"]))
        let methods = transport.requests.map(\.method)
        #expect(methods == [.post, .put, .put, .put, .post, .patch, .post])
        #expect(!transport.requests[0].headers.fields.contains { $0.name.hasPrefix("x-goog-meta") })
        #expect(transport.requests[5].bodyText.contains(#""CamelCase":"grün""#))
    }

    @Test func aFailedConditionLeavesNoTemporaryObject() async throws {
        let service = Service(digest: try await wholeDigest(), moves: 412)
        let transport = ScriptedTransport { request, _ in service.answer(request) }
        let error = await failure { () throws(StoreError) in try await upload(transport) }
        #expect(error?.code == .preconditionFailed)
        #expect(transport.requests.last?.method == .delete)
        #expect(transport.requests.last?.target.hasPrefix("/storage/v1/b/bucket/o/.lockstep%2Fuploads%2F") == true)
    }

    @Test func aWrongChecksumNeverReachesTheName() async throws {
        var wrong = try await wholeDigest()
        wrong.crc32c ^= 1
        let service = Service(digest: wrong)
        let transport = ScriptedTransport { request, _ in service.answer(request) }
        let error = await failure { () throws(StoreError) in try await upload(transport) }
        #expect(error?.code == .checksumMismatch && error?.retry == .never)
        #expect(transport.requests.last?.method == .delete)
        #expect(!transport.requests.contains { $0.target.contains("moveTo") })
    }

    @Test func anUploadCompletedByAnEarlierAttemptGoesOn() async throws {
        let service = Service(digest: try await wholeDigest(), completes: 404)
        let transport = ScriptedTransport { request, _ in service.answer(request) }
        #expect(try await upload(transport).version.text == "9/1")
        #expect(transport.requests.suffix(2).map(\.method) == [.get, .post])
    }

    @Test func aLostReplyKeepsTheTemporaryObject() async throws {
        let service = Service(digest: try await wholeDigest(), moves: 502)
        let transport = ScriptedTransport { request, _ in service.answer(request) }
        let error = await failure { () throws(StoreError) in try await upload(transport) }
        #expect(error?.retry == .unknownOutcome && transport.requests.last?.method == .post)
    }

    @Test func withoutMovesTheObjectIsRewritten() async throws {
        for status in [400, 403, 404, 501] {
            let service = Service(digest: try await wholeDigest(), moves: status)
            let transport = ScriptedTransport { request, _ in service.answer(request) }
            #expect(try await upload(transport).version.text == "9/1")
            let last = transport.requests.suffix(2).map(\.target)
            #expect(last[0].contains("rewriteTo") && last[0].contains("ifGenerationMatch=0"))
            #expect(last[1].contains("ifGenerationMatch=8&ifMetagenerationMatch=1"))
        }
    }

    @Test func aServerWithoutMultipartGetsSessions() async throws {
        let transport = ScriptedTransport { request, _ in
            request.target.hasSuffix("?uploads") ? Reply(501) : Self.session("", request)
        }
        let store = GCSStoreTests.store(transport)
        #expect(try await store.beginUpload(request(parts: 5)).partOrder == .sequential)
        #expect(try await store.beginUpload(request(parts: 5)).partOrder == .sequential)
        #expect(transport.requests.count == 3 && store.learned.count == 1)
    }

    @Test func openUploadsAreOursWithTheirFinalKeys() async throws {
        let random = String(repeating: "0a", count: 16)
        let transport = ScriptedTransport { request, _ in
            if request.target.hasPrefix("/bucket?uploads") {
                return Reply(
                    200,
                    body: """
                        <ListMultipartUploadsResult><EncodingType>url</EncodingType><IsTruncated>false</IsTruncated>
                        <Upload><Key>.lockstep/uploads/\(random)/data/%C3%A9</Key><UploadId>u1</UploadId><Initiated>1970-01-01T00:00:01Z</Initiated></Upload>
                        <Upload><Key>.lockstep/uploads/\(random)/other</Key><UploadId>u2</UploadId></Upload>
                        <Upload><Key>.lockstep/uploads/foreign</Key><UploadId>u3</UploadId></Upload></ListMultipartUploadsResult>
                        """)
            }
            return Reply(
                200,
                body:
                    #"{"items":[{"name":".lockstep/uploads/\#(random)/data/x","size":"1","generation":"4","metageneration":"1"}]}"#
            )
        }
        let store = GCSStoreTests.store(transport)
        let first = try await store.openUploads(ListRequest(prefix: "data/"))
        #expect(first.uploads.map(\.session.key) == ["data/é"] && first.uploads[0].initiated == 1_000_000_000)
        let second = try await store.openUploads(ListRequest(prefix: "data/", cursor: first.next))
        #expect(second.uploads.map(\.session.key) == ["data/x"] && second.next == nil)
        for upload in first.uploads + second.uploads { #expect(upload.session.stagingKey != nil) }
    }
}
