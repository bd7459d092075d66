import AWS
import CloudSim
import Cryptography
import Digests
import HTTPStores
import HTTPTransport
import ObjectStores
import ReplicationModel
import S3
import StoreConformance
import Synchronization
import TestFixtures
import Testing

@Suite struct S3EncryptionTests {
    typealias Reply = ScriptedTransport.Reply

    @Test(arguments: [
        ("AES256", S3Encryption.aes256), ("aws:kms", .kms(key: nil)), ("aws:kms:alias/a", .kms(key: "alias/a")),
        ("aws:kms:arn:aws:kms:eu-west-1:1:key/2f", .kms(key: "arn:aws:kms:eu-west-1:1:key/2f")),
        ("aws:kms:dsse", .kms(key: nil, dual: true)), ("aws:kms:dsse:k", .kms(key: "k", dual: true)),
    ])
    func encryptionsAreRead(text: String, encryption: S3Encryption) throws {
        #expect(try S3Encryption(text) == encryption)
    }

    @Test(arguments: [
        "", "aes256", "aws:km", "aws:kms:", "aws:kms:dsse:", "kms", "aws:kmsx", "aws:kms:a b", "aws:kms:a\r\nx: y",
    ])
    func otherTextIsRefused(text: String) {
        #expect(throws: SettingError.self) { try S3Encryption(text) }
    }

    func store(_ transport: ScriptedTransport, _ encryption: S3Encryption?) -> S3Store {
        S3Store(
            configuration: S3Configuration(encryption: encryption), bucket: "bucket", transport: transport,
            credentials: nil, now: { 0 })
    }

    static let name = "x-amz-server-side-encryption"

    static func put(_ key: ObjectKey = "k") -> PutRequest {
        PutRequest(
            key: key, body: nil, digest: ContentDigest(), attributes: ObjectAttributes(), condition: .unconditional)
    }

    @Test func writesUploadsAndCopiesSayItAndNothingElseDoes() async throws {
        let transport = ScriptedTransport { request, _ in
            if request.url.contains("uploads") {
                return Reply(
                    200, body: "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>")
            }
            if request.headers["x-amz-copy-source"] != nil {
                return Reply(200, body: "<CopyObjectResult><ETag>e</ETag></CopyObjectResult>")
            }
            return Reply(200, ["ETag": "\"e\"", "Content-Length": "1"])
        }
        let store = store(transport, .kms(key: "arn:aws:kms:eu-west-1:1:key/2f", bucketKey: true))
        _ = try await store.put(Self.put())
        _ = try await store.beginUpload(
            UploadRequest(
                key: "k", size: 10 << 20, partSize: 5 << 20, attributes: ObjectAttributes(), condition: .unconditional))
        _ = try await store.copy(
            CopyRequest(
                source: "a", sourceVersion: VersionToken("v"), size: 1, destination: "k", condition: .unconditional))
        for request in transport.requests {
            #expect(request.headers[Self.name] == "aws:kms")
            #expect(request.headers["\(Self.name)-aws-kms-key-id"] == "arn:aws:kms:eu-west-1:1:key/2f")
            #expect(request.headers["\(Self.name)-bucket-key-enabled"] == "true")
        }
        #expect(transport.requests.count == 3)
        _ = try await store.head("k")
        #expect(transport.requests[3].headers[Self.name] == nil)
    }

    @Test func theOtherKindsAreSaidInTheirWords() async throws {
        for (encryption, said) in [(S3Encryption.aes256, "AES256"), (.kms(key: nil, dual: true), "aws:kms:dsse")] {
            let transport = ScriptedTransport(Reply(200, ["ETag": "\"e\""]))
            _ = try await store(transport, encryption).put(Self.put())
            #expect(transport.requests[0].headers[Self.name] == said)
            #expect(transport.requests[0].headers["\(Self.name)-aws-kms-key-id"] == nil)
        }
        let transport = ScriptedTransport(Reply(200, ["ETag": "\"e\""]))
        _ = try await store(transport, nil).put(Self.put())
        #expect(transport.requests[0].headers[Self.name] == nil)
    }

    // MARK: against the simulator, whose ETags are no digests then

    private static let bucket = Task {
        let sim = try await SimulatedClouds.running()
        try await sim.createBucket(.s3, "encrypted")
        return sim
    }

    static func store(_ sim: CloudSim, _ transport: any HTTPTransport, _ encryption: S3Encryption) -> S3Store {
        let identity = sim.configuration.s3
        let credentials = StaticAWSCredentials(
            AWSCredentials(accessKeyID: identity.accessKey, secretAccessKey: Secret(identity.secretKey)))
        return S3Store(
            configuration: S3Configuration(
                endpoint: Endpoint(sim.s3.endpoint), region: identity.region, encryption: encryption),
            bucket: "encrypted", transport: transport, credentials: SharedCredentials(credentials, now: { 0 }))
    }

    @Test(arguments: StoreConformance.checks)
    func conformsWithAKeyOfTheKeyService(_ check: ConformanceCheck) async throws {
        let sim = try await Self.bucket.value
        let encryption = S3Encryption.kms(key: "alias/models", bucketKey: true)
        let store = Self.store(sim, SimulatedClouds.transport, encryption)
        let fixture = ConformanceFixture(reopen: { Self.store(sim, SimulatedClouds.transport, encryption) })
        try await StoreConformance(store: store, fixture: fixture).run(check)
    }

    @Test func theServerKnowsHowAnObjectIsEncrypted() async throws {
        let sim = try await Self.bucket.value
        let transport = ListeningTransport(SimulatedClouds.transport)
        for (encryption, expected) in [
            (S3Encryption.aes256, ["AES256", nil, nil]),
            (.kms(key: "alias/models", bucketKey: true), ["aws:kms", "alias/models", "true"]),
            (.kms(key: "k", dual: true), ["aws:kms:dsse", "k", nil]),
        ] {
            let store = Self.store(sim, transport, encryption)
            let receipt = try await store.put(Self.put("source"))
            _ = try await store.copy(
                CopyRequest(
                    source: "source", sourceVersion: receipt.version, size: 0, destination: "copy",
                    condition: .unconditional))
            for key: ObjectKey in ["source", "copy"] {
                _ = try await store.head(key)
                let headers = transport.last
                #expect(headers[Self.name] == expected[0])
                #expect(headers["\(Self.name)-aws-kms-key-id"] == expected[1])
                #expect(headers["\(Self.name)-bucket-key-enabled"] == expected[2])
            }
        }
    }
}

/// Keeps the headers of the last reply.
private final class ListeningTransport: HTTPTransport {
    private let base: any HTTPTransport
    private let headers = Mutex(HTTPHeaders())

    init(_ base: any HTTPTransport) {
        self.base = base
    }

    var last: HTTPHeaders { headers.withLock { $0 } }

    func send(_ request: HTTPRequest, into sink: HTTPSink) async throws(HTTPFailure) -> HTTPResponse {
        let response = try await base.send(request, into: sink)
        headers.withLock { $0 = response.headers }
        return response
    }
}
