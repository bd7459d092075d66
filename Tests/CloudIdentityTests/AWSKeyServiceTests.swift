import AWS
import Cryptography
import Digests
import FoundationEssentials
import HTTPStores
import HTTPTransport
import ObjectStores
import TestFixtures
import Testing

@Suite struct AWSKeyServiceTests {
    static let arn = "arn:aws:kms:eu-west-1:1:key/2f"

    func service(
        _ transport: ScriptedTransport, key: String = arn, region: String? = nil, endpoint: String? = nil,
        provider: any CredentialProvider<AWSCredentials> = StaticAWSCredentials(
            AWSCredentials(accessKeyID: "K", secretAccessKey: Secret("k")))
    ) throws -> AWSKeyService {
        try AWSKeyService(
            key: key, region: region, endpoint: endpoint.map { Endpoint($0)! },
            credentials: SharedCredentials(provider, now: { 1_800_000_000 }), transport: transport,
            now: { 1_800_000_000 })
    }

    func failure(_ reply: Reply) async -> StoreError? {
        do {
            _ = try await service(ScriptedTransport(reply)).decrypt([1], parameters: [:])
            return nil
        } catch {
            return error as? StoreError
        }
    }

    @Test func encryptionNamesTheKeyAndThePurpose() async throws {
        let transport = ScriptedTransport(
            Reply(
                200,
                body:
                    #"{"CiphertextBlob": "AQID", "KeyId": "\#(Self.arn)", "EncryptionAlgorithm": "SYMMETRIC_DEFAULT"}"#)
        )
        let service = try service(transport)
        #expect(service.kind == "aws-kms")
        #expect(service.parameters == ["key": Self.arn, "region": "eu-west-1"])
        #expect(try await service.encrypt(Secret([9, 8, 7])) == [1, 2, 3])
        let request = transport.requests[0]
        #expect(request.method == .post && request.url == "https://kms.eu-west-1.amazonaws.com/")
        #expect(request.headers["content-type"] == "application/x-amz-json-1.1")
        #expect(request.headers["x-amz-target"] == "TrentService.Encrypt")
        #expect(request.headers["authorization"]?.contains("Credential=K/20270115/eu-west-1/kms/aws4_request") == true)
        let body = try JSONDecoder().decode(Body.self, from: Data(request.bodyText.utf8))
        #expect(body == Body(key: Self.arn, plaintext: "CQgH", context: ["lockstep": "vault-key-slot"]))
    }

    struct Body: Decodable, Equatable {
        var key: String
        var plaintext: String?
        var ciphertext: String?
        var context: [String: String]

        private enum CodingKeys: String, CodingKey {
            case key = "KeyId"
            case plaintext = "Plaintext"
            case ciphertext = "CiphertextBlob"
            case context = "EncryptionContext"
        }
    }

    @Test func decryptionIsPinnedToTheKeyWhateverWasStoredWithTheSecret() async throws {
        let transport = ScriptedTransport(Reply(200, body: #"{"Plaintext": "CQgH", "KeyId": "\#(Self.arn)"}"#))
        let secret = try await service(transport).decrypt(
            [1, 2, 3], parameters: ["key": "arn:aws:kms:us-east-1:666:key/evil", "region": "us-east-1"])
        #expect(secret == Secret([9, 8, 7]))
        let request = transport.requests[0]
        #expect(request.url == "https://kms.eu-west-1.amazonaws.com/")
        #expect(request.headers["x-amz-target"] == "TrentService.Decrypt")
        let body = try JSONDecoder().decode(Body.self, from: Data(request.bodyText.utf8))
        #expect(
            body == Body(key: Self.arn, ciphertext: "AQID", context: ["lockstep": "vault-key-slot"]))
    }

    @Test(arguments: [
        (400, "InvalidCiphertextException", StoreError.Code.damaged, false),
        (400, "IncorrectKeyException", .damaged, false), (400, "DisabledException", .forbidden, false),
        (400, "KMSInvalidStateException", .forbidden, false), (400, "NotFoundException", .notFound, false),
        (400, "AccessDeniedException", .forbidden, false), (400, "ThrottlingException", .throttled, true),
        (500, "KeyUnavailableException", .unavailable, true), (503, "DependencyTimeoutException", .unavailable, true),
        (500, "KMSInternalException", .unavailable, true),
        (400, "UnrecognizedClientException", .unauthenticated, false),
        (418, "Teapot", .invalidRequest, false),
    ])
    func refusalsAreClassified(status: Int, code: String, expected: StoreError.Code, isPassing: Bool) async {
        let error = await failure(
            Reply(status, body: #"{"__type": "com.amazonaws.kms#\#(code)", "message": "words"}"#))
        #expect(error?.code == expected)
        #expect((error?.retry == .never) == !isPassing)
        #expect(error?.serviceCode == code)
    }

    @Test func answersThatAreNoneAreNotQuoted() async {
        for body in ["canary", "{}", #"{"Plaintext": "can ary"}"#, #"{"Plaintext": ""}"#] {
            let error = await failure(Reply(200, body: body))
            #expect(error?.code == .invalidResponse)
            #expect(error?.message.contains("ary") == false)
        }
    }

    @Test func expiredCredentialsAreFetchedOnceMore() async throws {
        struct Rotating: CredentialProvider {
            let loads = TestClock(0)
            func load() async throws(StoreError) -> ExpiringCredentials<AWSCredentials> {
                loads.advance(1)
                return ExpiringCredentials(
                    AWSCredentials(accessKeyID: "K\(loads.value)", secretAccessKey: Secret("k")))
            }
        }
        let transport = ScriptedTransport { request, _ in
            request.headers["authorization"]!.contains("Credential=K1/")
                ? Reply(400, body: #"{"__type": "ExpiredTokenException"}"#)
                : Reply(200, body: #"{"Plaintext": "CQgH"}"#)
        }
        let rotating = try service(transport, provider: Rotating())
        #expect(try await rotating.decrypt([1], parameters: [:]) == Secret([9, 8, 7]))
        #expect(transport.requests.count == 2)
        let error = await failure(Reply(400, body: #"{"__type": "ExpiredTokenException"}"#))
        #expect(error?.code == .unauthenticated && error?.retry == .never)
    }

    @Test func keysAreFoundByTheirNames() throws {
        let transport = ScriptedTransport(Reply(500))
        func region(_ key: String, _ region: String? = nil) throws -> String? {
            try service(transport, key: key, region: region).parameters["region"]
        }
        #expect(try region("alias/backup", "eu-north-1") == "eu-north-1")
        #expect(try region("2f5e-1", "eu-north-1") == "eu-north-1")
        #expect(try region("arn:aws-cn:kms:cn-north-1:1:alias/backup") == "cn-north-1")
        for (key, given) in [
            ("alias/backup", nil), (Self.arn, "us-east-1"), ("arn:aws:s3:::bucket", nil), ("", "us-east-1"),
            ("a b", "us-east-1"),
            ("arn:aws:kms:evil.example/:1:key/2f", nil), ("alias/x", "evil.example/"),
        ] {
            #expect(throws: StoreError.self) { try region(key, given) }
        }
        #expect(throws: StoreError.self) { try service(transport, endpoint: "http://kms.example") }
        #expect(throws: Never.self) { try service(transport, endpoint: "http://127.0.0.1:5000") }
    }

    @Test func theEndpointIsLookedForAsAmazonsToolsDo() throws {
        func found(_ environment: [String: String]) throws -> (endpoint: Endpoint?, region: String?) {
            try AWSServiceAddress.configured(
                .kms, environment: ["HOME": "/nonexistent"].merging(environment) { $1 })
        }
        #expect(try found([:]).endpoint == nil && found([:]).region == nil)
        let both = ["AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_ENDPOINT_URL_KMS": "http://127.0.0.1:2"]
        #expect(try found(both).endpoint?.port == 2)
        #expect(try found(["AWS_REGION": "eu-north-1"]).region == "eu-north-1")
        #expect(throws: StoreError.self) { try found(["AWS_ENDPOINT_URL": "kms"]) }
    }
}
