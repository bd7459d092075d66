import Digests
import HTTPStores
import HTTPTransport
import ObjectStores
import ReplicationModel
import S3
import TestFixtures
import Testing

/// Checksums of objects that have a composite one: the sums of the parts combine into that of the bytes.
@Suite struct S3ChecksumsTests {
    typealias Reply = ScriptedTransport.Reply

    /// `1234` and `56789`: the parts' sums, and the check value of CRC-32C.
    static let first = ChecksumEncoding.base64BigEndian(UInt32(0xF63A_F4EE))
    static let second = ChecksumEncoding.base64BigEndian(UInt32(0x83B5_65D8))
    static let whole = ObjectChecksums(crc32c: 0xE306_9283)
    /// The sum of both sums' bytes.
    static let composite: String = {
        let sums: [UInt8] = [0xF6, 0x3A, 0xF4, 0xEE, 0x83, 0xB5, 0x65, 0xD8]
        return ChecksumEncoding.base64BigEndian(sums.withUnsafeBytes { ContentDigest(of: $0) }.crc32c)
    }()

    static func part(_ number: Int, _ size: Int, _ sum: String?) -> String {
        "<Part><PartNumber>\(number)</PartNumber><Size>\(size)</Size>"
            + (sum.map { "<ChecksumCRC32C>\($0)</ChecksumCRC32C>" } ?? "") + "</Part>"
    }

    static func attributes(_ parts: String, etag: String = "e-2", goesOn: Bool = false) -> Reply {
        Reply(
            200,
            body: "<GetObjectAttributesResponse><ETag>\(etag)</ETag><ObjectParts><PartsCount>2</PartsCount>"
                + "<IsTruncated>\(goesOn)</IsTruncated>\(parts)</ObjectParts></GetObjectAttributesResponse>")
    }

    static let bothParts = attributes(part(1, 4, first) + part(2, 5, second))

    /// Answers HEAD with a composite checksum, and then with what is given, in order.
    func checksums(
        _ transport: ScriptedTransport, endpoint: String? = nil
    ) async throws(StoreError) -> ObjectChecksums {
        let store = S3Store(
            configuration: S3Configuration(endpoint: endpoint.map { Endpoint($0)! }), bucket: "bucket",
            transport: transport, credentials: nil, now: { 0 })
        return try await store.checksums(of: "k", version: VersionToken("e-2"), size: 9)
    }

    func transport(_ replies: Reply..., checksum: String = "\(composite)-2") -> ScriptedTransport {
        ScriptedTransport { request, number in
            guard request.method == .head else { return replies[number - 1] }
            return Reply(
                200,
                [
                    "ETag": "\"e-2\"", "Content-Length": "9", "x-amz-checksum-crc32c": checksum,
                    "x-amz-checksum-type": "COMPOSITE",
                ])
        }
    }

    @Test func theSumsOfThePartsCombine() async throws {
        let transport = transport(Self.bothParts)
        #expect(try await checksums(transport) == Self.whole)
        #expect(transport.requests[0].headers["if-match"] == "\"e-2\"")
        #expect(transport.requests[1].target == "/k?attributes=")
        #expect(transport.requests[1].headers["x-amz-object-attributes"] == "ETag,ObjectParts")
    }

    @Test func partsComeInPages() async throws {
        let transport = transport(
            Self.attributes(Self.part(1, 4, Self.first), goesOn: true), Self.attributes(Self.part(2, 5, Self.second)))
        #expect(try await checksums(transport) == Self.whole)
        #expect(transport.requests.map { $0.headers["x-amz-part-number-marker"] } == [nil, nil, "1"])
    }

    @Test(arguments: [
        ("a part without a sum", attributes(part(1, 4, first) + part(2, 5, nil))),
        ("no parts", attributes("")),
        ("too few parts", attributes(part(1, 4, first))),
        ("another size", attributes(part(1, 4, first) + part(2, 6, second))),
        ("another sum", attributes(part(1, 4, second) + part(2, 5, second))),
        ("parts in another order", attributes(part(2, 5, second) + part(1, 4, first))),
        ("a call that is not implemented", Reply(501, body: "<Error><Code>NotImplemented</Code></Error>")),
        ("no right to ask", Reply(403, body: "<Error><Code>AccessDenied</Code></Error>")),
        ("another document", Reply(200, body: "<Other/>")),
        ("the object's bytes", Reply(200, body: "123456789")),
    ])
    func whatDoesNotAddUpIsNoChecksum(what: String, reply: Reply) async throws {
        #expect(try await checksums(transport(reply)) == ObjectChecksums(), "\(what)")
    }

    @Test func partsOfAnotherVersionAreRefused() async throws {
        let error = await #expect(throws: StoreError.self) {
            _ = try await checksums(transport(Self.attributes(Self.part(1, 4, Self.first), etag: "other-2")))
        }
        #expect(error?.code == .versionChanged)
    }

    @Test func aListOfPartsThatDoesNotGoOnEnds() async throws {
        let transport = transport(
            Self.attributes(Self.part(1, 4, Self.first), goesOn: true), Self.attributes("", goesOn: true))
        #expect(try await checksums(transport) == ObjectChecksums())
        #expect(transport.requests.count == 3)
    }

    @Test func aServerThatLacksTheCallIsNotAskedAgain() async throws {
        let transport = transport(Reply(501, body: "<Error><Code>NotImplemented</Code></Error>"))
        let store = S3Store(
            configuration: S3Configuration(endpoint: Endpoint("http://127.0.0.1:9000")!), bucket: "bucket",
            transport: transport, credentials: nil, now: { 0 })
        for _ in 0..<2 {
            #expect(try await store.checksums(of: "k", version: VersionToken("e-2"), size: 9).isEmpty)
        }
        #expect(transport.requests.map(\.method) == [.head, .get, .head])
        #expect(store.learned.count == 1)
    }

    @Test(arguments: [(nil, nil), ("COMPOSITE", nil), ("FULL_OBJECT", 0xE306_9283)] as [(String?, UInt32?)])
    func aSumOfPartsIsNotTakenForThatOfTheBytes(type: String?, expected: UInt32?) async throws {
        var headers: HTTPHeaders = ["ETag": "\"e-2\"", "Content-Length": "9", "x-amz-checksum-crc32c": "4waSgw=="]
        if let type { headers.append("x-amz-checksum-type", type) }
        let told = try await checksums(ScriptedTransport(Reply(200, headers)))
        #expect(told == ObjectChecksums(crc32c: expected))
    }

    @Test func aServerThatIgnoresThePinIsNoticed() async throws {
        let transport = ScriptedTransport(Reply(200, ["ETag": "\"other\"", "Content-Length": "9"]))
        let error = await #expect(throws: StoreError.self) { _ = try await checksums(transport) }
        #expect(error?.code == .versionChanged)
    }
}
