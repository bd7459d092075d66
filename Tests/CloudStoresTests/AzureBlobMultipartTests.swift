import Azure
import AzureBlob
import Cryptography
import Digests
import HTTPStores
import HTTPTransport
import ObjectStores
import ReplicationModel
import TestFixtures
import Testing

@Suite struct AzureBlobMultipartTests {
    typealias Reply = ScriptedTransport.Reply

    static let first = ContentDigest(crc32c: 0xF63A_F4EE, crc64nvme: 0x29F5_DBE7_E2FF_71D4, length: 4)
    static let second = ContentDigest(crc32c: 0x83B5_65D8, crc64nvme: 0xF87D_C887_176C_E667, length: 5)
    static let whole: UInt64 = 0xAE8B_1486_0A79_9888

    /// Echoes checksums as the service does.
    static func echo(_ headers: HTTPHeaders = ["ETag": "\"9\""]) -> ScriptedTransport {
        ScriptedTransport { request, _ in
            var headers = headers
            if let sum = request.headers["x-ms-content-crc64"] { headers.append("x-ms-content-crc64", sum) }
            return Reply(201, headers)
        }
    }

    func begin(_ store: AzureBlobStore, size: Int64 = 9) async throws -> UploadSession {
        try await store.beginUpload(
            UploadRequest(
                key: "k", size: size, partSize: 4, attributes: ObjectAttributes(contentType: "text/plain"),
                condition: .absent))
    }

    func send(_ store: AzureBlobStore, _ session: UploadSession) async throws -> [PartReceipt] {
        let (one, digestOfOne) = try await AzureBlobStoreTests.slice("1234")
        let (two, digestOfTwo) = try await AzureBlobStoreTests.slice("56789")
        #expect(digestOfOne == Self.first && digestOfTwo == Self.second)
        return [
            try await store.uploadPart(PartRequest(number: 1, offset: 0, body: one, digest: digestOfOne), of: session),
            try await store.uploadPart(PartRequest(number: 2, offset: 4, body: two, digest: digestOfTwo), of: session),
        ]
    }

    func complete(
        _ store: AzureBlobStore, _ session: UploadSession, _ parts: [PartReceipt], digest: ContentDigest? = nil
    ) async throws(StoreError) -> WriteReceipt {
        try await store.completeUpload(
            CompleteRequest(
                parts: parts, digest: digest ?? Self.first.appending(Self.second),
                attributes: ObjectAttributes(contentType: "text/plain", userMetadata: ["a": "b"]), condition: .absent),
            of: session)
    }

    @Test func blocksCarryTheirChecksumsIntoTheList() async throws {
        let transport = Self.echo()
        let store = AzureBlobStoreTests.store(transport)
        let session = try await begin(store)
        #expect(transport.requests.isEmpty)
        let parts = try await send(store, session)
        let receipt = try await complete(store, session, parts)
        #expect(
            receipt
                == WriteReceipt(
                    version: VersionToken("9"), checksums: ObjectChecksums(crc64nvme: Self.whole), bytesVerified: true))

        let block = transport.requests[0]
        #expect(block.target == "/acct/cont/k?blockid=\(PercentEncoding.encode(parts[0].tag))&comp=block")
        #expect(block.headers["x-ms-content-crc64"] == ChecksumEncoding.base64LittleEndian(Self.first.crc64nvme))
        #expect(block.bodyText == "1234")
        let id = Base64.decode(parts[0].tag)!
        #expect(id.count == 20)
        #expect(id[0..<4] == [0, 0, 0, 1])
        #expect(Hex.encode(Array(id[4..<12])) == session.handle)
        #expect(Hex.encode(Array(id[12..<20])) == "29f5dbe7e2ff71d4")

        let list = transport.requests[2]
        #expect(list.target == "/acct/cont/k?comp=blocklist")
        #expect(
            list.bodyText.hasSuffix(
                "<BlockList><Uncommitted>\(parts[0].tag)</Uncommitted><Uncommitted>\(parts[1].tag)</Uncommitted></BlockList>"
            ))
        #expect(list.headers["if-none-match"] == "*")
        #expect(list.headers["x-ms-blob-content-type"] == "text/plain")
        #expect(list.headers["x-ms-meta-a"] == "b")
        #expect(list.headers["content-type"] == "application/xml")
        #expect(list.headers["x-ms-content-crc64"] != nil)
    }

    @Test func theCommittedListProvesTheWhole() async throws {
        let store = AzureBlobStoreTests.store(Self.echo())
        let parts = try await send(store, try await begin(store))
        func head(_ blocks: [(String, Int)]) async throws -> ObjectChecksums {
            let found = AzureBlobStoreTests.blob(["Content-Length": "9", "Content-MD5": "JfnnlDI7RTiF9RgfG2JNCw=="])
            let reply = Reply(200, ["ETag": "\"0x8D\""], body: AzureBlobStoreTests.blocks(blocks))
            let transport = ScriptedTransport { request, _ in request.method == .head ? Reply(200, found) : reply }
            return try await AzureBlobStoreTests.store(transport).head("k").object.checksums
        }
        #expect(try await head([(parts[0].tag, 4), (parts[1].tag, 5)]) == ObjectChecksums(crc64nvme: Self.whole))
        #expect(try await head([(parts[1].tag, 5), (parts[0].tag, 4)]).isEmpty)
        #expect(try await head([(parts[0].tag, 4)]).isEmpty)
        #expect(try await head([(parts[0].tag, 4), (parts[1].tag, 6)]).isEmpty)
        let others = try await send(store, try await begin(store))
        #expect(try await head([(parts[0].tag, 4), (others[1].tag, 5)]).isEmpty)
    }

    @Test func partsThatAreNotTheObjectAreNotCommitted() async throws {
        let transport = Self.echo()
        let store = AzureBlobStoreTests.store(transport)
        let session = try await begin(store)
        let parts = try await send(store, session)
        let others = try await send(store, try await begin(store))
        let sent = transport.requests.count
        let wrong = ContentDigest(crc32c: 0, crc64nvme: 1, length: 9)
        let cases: [([PartReceipt], ContentDigest?, StoreError.Code)] = [
            (parts, wrong, .checksumMismatch), ([parts[1], parts[0]], nil, .invalidRequest),
            ([parts[0]], nil, .invalidRequest),
            ([parts[0], others[1]], nil, .invalidRequest),
        ]
        for (parts, digest, code) in cases {
            let error = await AzureBlobStoreTests.failure { () throws(StoreError) in
                try await complete(store, session, parts, digest: digest)
            }
            #expect(error?.code == code)
        }
        #expect(transport.requests.count == sent)
    }

    /// Whoever writes the blob first takes all waiting blocks with it.
    @Test func lostBlocksAreAConflictWhenTheConditionFails() async throws {
        let cases: [(WriteCondition, Reply, StoreError.Code)] = [
            (.absent, Reply(200, AzureBlobStoreTests.blob(["Content-Length": "1"])), .preconditionFailed),
            (.absent, Reply(404, ["x-ms-error-code": "BlobNotFound"]), .missingUpload),
            (
                .matches(VersionToken("0x8D")), Reply(200, AzureBlobStoreTests.blob(["Content-Length": "1"])),
                .missingUpload
            ),
            (
                .matches(VersionToken("old")), Reply(200, AzureBlobStoreTests.blob(["Content-Length": "1"])),
                .preconditionFailed
            ),
            (.matches(VersionToken("old")), Reply(404, ["x-ms-error-code": "BlobNotFound"]), .preconditionFailed),
            (.matches(VersionToken("old")), Reply(503), .missingUpload),
            (.unconditional, Reply(200, AzureBlobStoreTests.blob(["Content-Length": "1"])), .missingUpload),
        ]
        for (condition, found, code) in cases {
            let transport = ScriptedTransport { request, _ in
                request.method == .head ? found : Reply(400, ["x-ms-error-code": "InvalidBlockList"])
            }
            let store = AzureBlobStoreTests.store(transport)
            let session = try await begin(store, size: 0)
            let error = await AzureBlobStoreTests.failure { () throws(StoreError) in
                try await store.completeUpload(
                    CompleteRequest(
                        parts: [], digest: ContentDigest(), attributes: ObjectAttributes(), condition: condition),
                    of: session)
            }
            #expect(error?.code == code && error?.operation == .completeUpload, "\(condition) \(found.status)")
        }
    }

    @Test func anotherStatusThanTheRightOneIsNoSuccess() async throws {
        let transport = ScriptedTransport(
            Reply(200, ["ETag": "\"9\""], body: "<Error><Code>InternalError</Code></Error>"))
        let store = AzureBlobStoreTests.store(transport)
        let session = try await begin(store, size: 0)
        let completed = await AzureBlobStoreTests.failure { () throws(StoreError) in
            try await store.completeUpload(
                CompleteRequest(parts: [], digest: ContentDigest(), attributes: ObjectAttributes(), condition: .absent),
                of: session)
        }
        #expect(completed?.code == .invalidResponse && completed?.retry == .unknownOutcome)
    }

    @Test func serversThatVerifyNothingProveNothing() async throws {
        let transport = ScriptedTransport(Reply(201, ["ETag": "\"9\""]))
        let store = AzureBlobStoreTests.store(transport)
        let session = try await begin(store)
        let receipt = try await complete(store, session, try await send(store, session))
        #expect(!receipt.bytesVerified && receipt.checksums.isEmpty)
    }

    @Test func anotherChecksumIsAMismatch() async throws {
        let transport = ScriptedTransport(Reply(201, ["x-ms-content-crc64": "AAAAAAAAAAE="]))
        let store = AzureBlobStoreTests.store(transport)
        let session = try await begin(store)
        let (body, digest) = try await AzureBlobStoreTests.slice("1234")
        let error = await AzureBlobStoreTests.failure { () throws(StoreError) in
            try await store.uploadPart(PartRequest(number: 1, offset: 0, body: body, digest: digest), of: session)
        }
        #expect(error?.code == .checksumMismatch && error?.retry == .transient)
    }

    @Test func listedPartsAreThoseOfTheSession() async throws {
        let store = AzureBlobStoreTests.store(Self.echo())
        let session = try await begin(store)
        let parts = try await send(store, session)
        let others = try await send(store, try await begin(store))
        let blocks = AzureBlobStoreTests.blocks(
            [(parts[1].tag, 5), (others[0].tag, 4), ("AAAA", 3), (parts[0].tag, 4)], type: "UncommittedBlocks")
        let transport = ScriptedTransport(Reply(200, body: blocks))
        let listed = try await AzureBlobStoreTests.store(transport).listParts(of: session)
        #expect(transport.requests[0].target == "/acct/cont/k?blocklisttype=all&comp=blocklist")
        #expect(listed.map(\.number) == [1, 2])
        #expect(listed.map(\.size) == [4, 5])
        #expect(listed.map(\.checksums.crc64nvme) == [Self.first.crc64nvme, Self.second.crc64nvme])
        let none = ScriptedTransport(Reply(404, ["x-ms-error-code": "BlobNotFound"]))
        #expect(try await AzureBlobStoreTests.store(none).listParts(of: session).isEmpty)
        // Somebody else has written the blob, and the blocks that waited went.
        let foreign = ScriptedTransport(Reply(200, body: AzureBlobStoreTests.blocks([(others[0].tag, 4)])))
        #expect(try await AzureBlobStoreTests.store(foreign).listParts(of: session).isEmpty)
        let completed = ScriptedTransport(Reply(200, body: AzureBlobStoreTests.blocks([(parts[0].tag, 4)])))
        let error = await AzureBlobStoreTests.failure { () throws(StoreError) in
            try await AzureBlobStoreTests.store(completed).listParts(of: session)
        }
        #expect(error?.code == .missingUpload)
    }

    @Test func anAbortedUploadIsNotTakenUpAgain() async throws {
        let transport = Self.echo()
        let store = AzureBlobStoreTests.store(transport)
        let session = try await begin(store)
        let parts = try await send(store, session)
        try await store.abortUpload(session)
        try await store.abortUpload(session)
        #expect(transport.requests.count == 2)
        let completed = await AzureBlobStoreTests.failure { () throws(StoreError) in
            try await complete(store, session, parts)
        }
        #expect(completed?.code == .missingUpload)
        #expect(transport.requests.count == 2)
        let foreign = UploadSession(key: "k", handle: "not ours", size: 1, partSize: 1)
        let error = await AzureBlobStoreTests.failure { () throws(StoreError) in try await store.listParts(of: foreign)
        }
        #expect(error?.code == .missingUpload)
    }

    @Test func openUploadsAreFoundByTheirBlocks() async throws {
        let store = AzureBlobStoreTests.store(Self.echo())
        let session = try await begin(store)
        let parts = try await send(store, session)
        let listing = AzureBlobListingTests.document(
            AzureBlobListingTests.blob("k", size: "0") + AzureBlobListingTests.blob("committed", size: "7")
                + AzureBlobListingTests.blob(
                    "empty", size: "0", more: "<Content-MD5>1B2M2Y8AsgTpgAmY7PhCfg==</Content-MD5>"), next: "m")
        let blocks = AzureBlobStoreTests.blocks(
            [(parts[0].tag, 4), (parts[1].tag, 5), ("AAAA", 3)], type: "UncommittedBlocks")
        let transport = ScriptedTransport(Reply(200, body: listing), Reply(200, body: blocks))
        let page = try await AzureBlobStoreTests.store(transport).openUploads(ListRequest(limit: 10))
        #expect(
            transport.requests[0].target
                == "/acct/cont?comp=list&include=uncommittedblobs&maxresults=10&restype=container")
        #expect(transport.requests.count == 2)
        #expect(page.next == "m")
        #expect(page.uploads.map(\.session.handle) == [session.handle])
        #expect(page.uploads.map(\.session.key) == ["k"])
    }

    // MARK: copies

    @Test func copiesArePinnedAndAuthorised() async throws {
        let transport = ScriptedTransport(Reply(202, ["ETag": "\"9\"", "x-ms-copy-status": "success"]))
        let request = CopyRequest(
            source: "a b", sourceVersion: VersionToken("1"), size: 5, destination: "d", condition: .absent)
        let receipt = try await AzureBlobStoreTests.store(transport).copy(request)
        #expect(receipt.version == VersionToken("9") && !receipt.bytesVerified)
        let headers = transport.requests[0].headers
        #expect(transport.requests[0].target == "/acct/cont/d")
        #expect(headers["x-ms-requires-sync"] == "true")
        #expect(headers["x-ms-source-if-match"] == "\"1\"")
        #expect(headers["if-none-match"] == "*")
        #expect(
            headers["x-ms-copy-source"]?.hasPrefix(
                "http://127.0.0.1:10000/acct/cont/a%20b?sp=r&se=2026-11-21T04%3A04%3A05Z&spr=https%2Chttp&sv=2023-11-03&sr=b&sig="
            ) == true)

        let pending = ScriptedTransport(Reply(202, ["ETag": "\"9\"", "x-ms-copy-status": "pending"]))
        let error = await AzureBlobStoreTests.failure { () throws(StoreError) in
            try await AzureBlobStoreTests.store(pending).copy(request)
        }
        #expect(error?.code == .invalidResponse && error?.retry == .unknownOutcome)
    }

    @Test func copiesWithASignatureUseIt() async throws {
        let transport = ScriptedTransport(Reply(202, ["ETag": "\"9\""]))
        let request = CopyRequest(
            source: "s", sourceVersion: VersionToken("1"), size: 5, destination: "d", condition: .unconditional)
        _ = try await AzureBlobStoreTests.store(transport, credentials: .sas(Secret("sv=1&sig=a"))).copy(request)
        #expect(transport.requests[0].headers["x-ms-copy-source"] == "http://127.0.0.1:10000/acct/cont/s?sv=1&sig=a")
    }

    /// In a header of its own: the URL stays free for the name.
    @Test func copiesWithATokenSendItForTheSourceToo() async throws {
        let transport = ScriptedTransport(
            Reply(202, ["ETag": "\"9\""]), Reply(201, ["x-ms-content-crc64": "AAAAAAAAAAE="]))
        let store = AzureBlobStoreTests.store(transport, credentials: .token(Secret("canary")))
        let name = String(repeating: "ü", count: 300)
        _ = try await store.copy(
            CopyRequest(
                source: ObjectKey(name), sourceVersion: VersionToken("1"), size: 5, destination: "d",
                condition: .unconditional))
        _ = try await store.copyPart(
            PartCopyRequest(
                number: 1, offset: 0, source: "s", sourceVersion: VersionToken("1"),
                range: ByteRange(offset: 0, length: 4), digest: nil), of: try await begin(store))
        for request in transport.requests {
            #expect(request.headers["authorization"] == "Bearer canary")
            #expect(request.headers["x-ms-copy-source-authorization"] == "Bearer canary")
            #expect(request.headers["x-ms-copy-source"]?.contains("?") == false)
        }
    }

    /// Blocks and their list, whole blobs and copies: all of them, or the service would mix scopes.
    @Test func theEncryptionScopeIsNamedByEveryWrite() async throws {
        let transport = ScriptedTransport { request, _ in
            request.headers["x-ms-requires-sync"] == nil
                ? Reply(201, ["ETag": "\"9\"", "x-ms-content-crc64": "AAAAAAAAAAE="]) : Reply(202, ["ETag": "\"9\""])
        }
        let store = AzureBlobStoreTests.store(transport, encryptionScope: "scope-1")
        let session = try await begin(store)
        let part = try await store.copyPart(
            PartCopyRequest(
                number: 1, offset: 0, source: "s", sourceVersion: VersionToken("1"),
                range: ByteRange(offset: 0, length: 9), digest: nil), of: session)
        _ = try await complete(store, session, [part])
        _ = try await store.copy(
            CopyRequest(
                source: "s", sourceVersion: VersionToken("1"), size: 5, destination: "d", condition: .unconditional))
        let (body, digest) = try await AzureBlobStoreTests.slice("text")
        _ = try await store.put(
            PutRequest(
                key: "k", body: body, digest: digest, attributes: ObjectAttributes(), condition: .unconditional))
        // What a block's own reply says of its checksum is no part of this test.
        _ = await AzureBlobStoreTests.failure { () throws(StoreError) in
            try await store.uploadPart(PartRequest(number: 1, offset: 0, body: body, digest: digest), of: session)
        }
        #expect(transport.requests.count == 5)
        #expect(transport.requests.allSatisfy { $0.headers["x-ms-encryption-scope"] == "scope-1" })
    }

    @Test func longKeysCannotBeCopiedInside() async {
        let transport = ScriptedTransport(Reply(202))
        let request = CopyRequest(
            source: ObjectKey(String(repeating: "ü", count: 400)), sourceVersion: VersionToken("1"), size: 5,
            destination: "d",
            condition: .absent)
        let error = await AzureBlobStoreTests.failure { () throws(StoreError) in
            try await AzureBlobStoreTests.store(transport).copy(request)
        }
        #expect(error?.code == .unsupportedObject)
        #expect(transport.requests.isEmpty)
    }

    @Test func copiedPartsAreVerifiedWhereTheirChecksumIsKnown() async throws {
        let transport = ScriptedTransport(
            Reply(201, ["x-ms-content-crc64": ChecksumEncoding.base64LittleEndian(Self.first.crc64nvme)]),
            Reply(201, ["x-ms-content-crc64": "AAAAAAAAAAE="]), Reply(201, ["ETag": "\"9\""]))
        let store = AzureBlobStoreTests.store(transport)
        let session = try await begin(store)
        func part(_ number: Int, _ range: ByteRange, _ digest: ContentDigest?) -> PartCopyRequest {
            PartCopyRequest(
                number: number, offset: range.offset, source: "s", sourceVersion: VersionToken("1"), range: range,
                digest: digest)
        }
        let known = try await store.copyPart(part(1, ByteRange(offset: 100, length: 4), Self.first), of: session)
        let headers = transport.requests[0].headers
        #expect(headers["x-ms-source-range"] == "bytes=100-103")
        #expect(headers["x-ms-source-if-match"] == "\"1\"")
        #expect(headers["x-ms-source-content-crc64"] == ChecksumEncoding.base64LittleEndian(Self.first.crc64nvme))
        // Without a checksum of its own the block's name says so, and the whole is not proven by the list.
        let unknown = try await store.copyPart(part(2, ByteRange(offset: 7, length: 5), nil), of: session)
        #expect(Base64.decode(unknown.tag)![0] == 0x80)
        let receipt = try await complete(store, session, [known, unknown])
        #expect(!receipt.bytesVerified && receipt.checksums.isEmpty)

        let wrong = ScriptedTransport(Reply(201, ["x-ms-content-crc64": "AAAAAAAAAAE="]))
        let error = await AzureBlobStoreTests.failure { () throws(StoreError) in
            try await AzureBlobStoreTests.store(wrong).copyPart(
                part(1, ByteRange(offset: 0, length: 4), Self.first), of: session)
        }
        #expect(error?.code == .checksumMismatch)
    }

    /// An emulator that answers no checksum of a copied range has not verified what the block's name says.
    @Test func copiesByAnEmulatorThatReportsNoChecksumProveNothing() async throws {
        let transport = ScriptedTransport { request, _ in
            var headers: HTTPHeaders = ["ETag": "\"9\""]
            if let sum = request.headers["x-ms-content-crc64"] { headers.append("x-ms-content-crc64", sum) }
            return Reply(201, headers)
        }
        let store = AzureBlobStoreTests.store(transport, endpoint: "http://127.0.0.1:10000")
        let session = try await begin(store)
        let (one, digest) = try await AzureBlobStoreTests.slice("1234")
        let sent = try await store.uploadPart(
            PartRequest(number: 1, offset: 0, body: one, digest: digest), of: session)
        let copied = try await store.copyPart(
            PartCopyRequest(
                number: 2, offset: 4, source: "s", sourceVersion: VersionToken("1"),
                range: ByteRange(offset: 4, length: 5), digest: Self.second), of: session)
        #expect(try await !complete(store, session, [sent, copied]).bytesVerified)
    }

    @Test func blocksOfImpossibleSizesAreRefused() async throws {
        let block = "<Block><Name>AAAA</Name><Size>9223372036854775807</Size></Block>"
        let transport = ScriptedTransport(
            Reply(
                200,
                body: "<BlockList><CommittedBlocks/><UncommittedBlocks>\(block)\(block)</UncommittedBlocks></BlockList>"
            ))
        let store = AzureBlobStoreTests.store(transport)
        let session = try await begin(store)
        let error = await AzureBlobStoreTests.failure { () throws(StoreError) in
            try await store.listParts(of: session)
        }
        #expect(error?.code == .invalidResponse)
    }

    // MARK: deletions

    @Test func deletionsAnswerInOrder() async {
        let transport = ScriptedTransport { request, _ in
            switch request.target {
            case "/acct/cont/gone": Reply(404, ["x-ms-error-code": "BlobNotFound"])
            case "/acct/cont/changed": Reply(412, ["x-ms-error-code": "ConditionNotMet"])
            case "/acct/cont/snapshots": Reply(409, ["x-ms-error-code": "SnapshotsPresent"])
            case "/acct/cont/busy": Reply(503, ["x-ms-error-code": "ServerBusy", "Retry-After": "3"])
            case "/acct/cont/lost": Reply(500, ["x-ms-error-code": "InternalError"])
            default: Reply(202)
            }
        }
        let keys: [ObjectKey] = ["here", "gone", "changed", "snapshots", "busy", "lost"]
        let many = (0..<100).map { ObjectKey("k\($0)") }
        let results = await AzureBlobStoreTests.store(transport).delete(
            (keys + many).map { DeleteRequest(key: $0, version: VersionToken("1")) })
        #expect(results.count == 106)
        let errors = results.map { AzureBlobStoreTests.error(of: $0) }
        let codes = errors.map { $0?.code }
        #expect(codes[0..<6] == [nil, nil, .preconditionFailed, .forbidden, .throttled, .unavailable])
        #expect(errors[4]?.retry == .after(.seconds(3)))
        #expect(errors[5]?.retry == .unknownOutcome)
        #expect(codes[6...].allSatisfy { $0 == nil })
        #expect(transport.requests.allSatisfy { $0.method == .delete && $0.headers["if-match"] == "\"1\"" })
        #expect(transport.requests.allSatisfy { $0.headers["x-ms-delete-snapshots"] == nil })
    }
}
