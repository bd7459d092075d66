import Cryptography
import Digests
import Foundation
import Google
import HTTPStores
import HTTPTransport
import ObjectStores
import TestFixtures
import Testing

/// Cloud KMS, scripted.
@Suite struct GoogleKeyServiceTests {
    private static let key = "projects/p/locations/europe-west1/keyRings/ring/cryptoKeys/lockstep"

    /// A service whose ciphertext is the secret behind a prefix, and that changes each reply as the test says.
    private final class FakeKMS: Sendable {
        let transport: ScriptedTransport

        init(_ change: @escaping @Sendable (inout [String: Any]) -> Void = { _ in }) {
            transport = ScriptedTransport { (request: HTTPRequest, _: Int) throws(HTTPFailure) in
                var reply = Self.reply(request)
                change(&reply)
                let body = (try? JSONSerialization.data(withJSONObject: reply)) ?? Data()
                return .init(200, body: String(decoding: body, as: UTF8.self))
            }
        }

        static func bytes(_ value: Any?) -> [UInt8] { Base64.decode(value as? String ?? "") ?? [] }
        static func checksum(_ bytes: [UInt8]) -> String { String(bytes.withUnsafeBytes { CRC32C.update(0, $0) }) }

        private static func reply(_ request: HTTPRequest) -> [String: Any] {
            let object = try? JSONSerialization.jsonObject(with: Data(request.bodyText.utf8))
            let document = object as? [String: Any] ?? [:]
            let aad = bytes(document["additionalAuthenticatedData"])
            let isBound =
                String(decoding: aad, as: UTF8.self) == "lockstep:vault-key-slot"
                && document["additionalAuthenticatedDataCrc32c"] as? String == checksum(aad)
            if request.url.hasSuffix(":encrypt") {
                let plaintext = bytes(document["plaintext"])
                let ciphertext = Array("sealed:".utf8) + plaintext
                return [
                    "name": "\(GoogleKeyServiceTests.key)/cryptoKeyVersions/1", "ciphertext": Base64.encode(ciphertext),
                    "ciphertextCrc32c": checksum(ciphertext),
                    "verifiedPlaintextCrc32c": document["plaintextCrc32c"] as? String == checksum(plaintext),
                    "verifiedAdditionalAuthenticatedDataCrc32c": isBound,
                ]
            }
            let ciphertext = bytes(document["ciphertext"])
            guard isBound, document["ciphertextCrc32c"] as? String == checksum(ciphertext) else { return [:] }
            let plaintext = Array(ciphertext.dropFirst("sealed:".utf8.count))
            return ["plaintext": Base64.encode(plaintext), "plaintextCrc32c": checksum(plaintext)]
        }
    }

    private func service(_ transport: ScriptedTransport, endpoint: Endpoint? = nil) throws -> GoogleKeyService {
        let token = GoogleToken(Secret("token"), quotaProject: "billing")
        return try GoogleKeyService(
            key: Self.key, endpoint: endpoint, credentials: SharedCredentials(StaticGoogleToken(token), now: { 0 }),
            transport: transport, now: { 0 })
    }

    private func failure<T>(_ body: () async throws(StoreError) -> T) async -> StoreError? {
        do throws(StoreError) {
            _ = try await body()
            return nil
        } catch {
            return error
        }
    }

    @Test func aSecretComesBack() async throws {
        let fake = FakeKMS()
        let service = try service(fake.transport)
        #expect(service.kind == "gcp-kms" && service.parameters == ["key": Self.key])
        let ciphertext = try await service.encrypt(Secret("root key"))
        #expect(try await service.decrypt(ciphertext, parameters: service.parameters).revealed() == "root key")
        let request = fake.transport.requests[0]
        #expect(request.url == "https://cloudkms.googleapis.com/v1/\(Self.key):encrypt" && request.method == .post)
        #expect(request.headers["authorization"] == "Bearer token")
        #expect(request.headers["x-goog-user-project"] == "billing")
        let other = try self.service(fake.transport, endpoint: Endpoint("http://127.0.0.1:1"))
        _ = try await other.encrypt(Secret("x"))
        #expect(fake.transport.requests[2].url == "http://127.0.0.1:1/v1/\(Self.key):encrypt")
    }

    @Test(arguments: ["verifiedPlaintextCrc32c", "verifiedAdditionalAuthenticatedDataCrc32c", "ciphertextCrc32c"])
    func whatWasChangedOnTheWayIsNotKept(_ member: String) async throws {
        for value in [nil, false, "1"] as [(any Sendable)?] where !(value == nil && member == "ciphertextCrc32c") {
            let fake = FakeKMS { $0[member] = value }
            let service = try service(fake.transport)
            let error = await failure { () throws(StoreError) in try await service.encrypt(Secret("canary")) }
            #expect([.checksumMismatch, .invalidResponse].contains(error?.code) && error?.retry == .transient)
        }
    }

    @Test func aDecryptedSecretIsComparedWithItsChecksum() async throws {
        let fake = FakeKMS { if $0["plaintext"] != nil { $0["plaintext"] = Base64.encode(Array("other".utf8)) } }
        let service = try service(fake.transport)
        let error = await failure { () throws(StoreError) in
            try await service.decrypt(Array("sealed:x".utf8), parameters: service.parameters)
        }
        #expect(error?.code == .checksumMismatch)
    }

    @Test func anotherKeysCiphertextIsDamage() async throws {
        let refusal = ScriptedTransport(
            .init(
                400,
                body:
                    #"{"error":{"code":400,"message":"Decryption failed: the ciphertext is invalid.","status":"INVALID_ARGUMENT"}}"#
            ))
        let service = try service(refusal)
        let error = await failure { () throws(StoreError) in
            try await service.decrypt([1, 2, 3], parameters: service.parameters)
        }
        #expect(error?.code == .damaged && refusal.requests.count == 1)
        // What the vault says of its key is compared, never followed, and nothing is asked about others' secrets.
        for (ciphertext, parameters) in [
            ([], service.parameters), ([1], [:]), ([1], ["key": "projects/other"]),
        ] as [([UInt8], [String: String])] {
            let error = await failure { () throws(StoreError) in
                try await service.decrypt(ciphertext, parameters: parameters)
            }
            #expect(error?.code == .damaged)
            if let other = parameters["key"], other != service.parameters["key"] {
                #expect(error?.message.contains(other) == true)
            }
        }
        #expect(refusal.requests.count == 1)
    }

    @Test(arguments: [
        (403, "PERMISSION_DENIED", StoreError.Code.forbidden, false), (404, "NOT_FOUND", .notFound, false),
        (400, "FAILED_PRECONDITION", .forbidden, false), (429, "RESOURCE_EXHAUSTED", .throttled, true),
        (503, "UNAVAILABLE", .unavailable, true), (401, "UNAUTHENTICATED", .unauthenticated, true),
        (302, "", .invalidRequest, false),
    ])
    func refusalsSayWhatToDo(_ status: Int, _ name: String, _ code: StoreError.Code, _ isTransient: Bool) async throws {
        let transport = ScriptedTransport(
            .init(status, body: #"{"error":{"code":0,"message":"words","status":"\#(name)"}}"#))
        let service = try service(transport)
        let error = await failure { () throws(StoreError) in try await service.encrypt(Secret("canary")) }
        #expect(error?.code == code && (error?.retry == .transient) == isTransient && error?.serviceCode == name)
        #expect(error?.description.contains("words") == true && error?.description.contains("canary") == false)
        if code == .forbidden, status == 403 { #expect(error?.message.contains("useToEncrypt") == true) }
        if status == 401 {
            let again = await failure { () throws(StoreError) in try await service.encrypt(Secret("canary")) }
            #expect(again?.retry == .never)
        }
    }

    @Test(arguments: [
        "", "lockstep", "projects/p/locations/l/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1",
        "projects/p/locations/l/keyRings/r/cryptoKeys/", "projects/p/locations/../keyRings/r/cryptoKeys/k",
        "projects/p?x/locations/l/keyRings/r/cryptoKeys/k", "/projects/p/locations/l/keyRings/r/cryptoKeys/k",
    ])
    func namesOfKeysAreChecked(_ key: String) {
        let error = #expect(throws: StoreError.self) {
            try GoogleKeyService(
                key: key, endpoint: nil, credentials: nil, transport: ScriptedTransport(.init(500)), now: { 0 })
        }
        #expect(error?.message.contains("projects/P/locations/L") == true)
    }

    @Test func tokensTravelEncrypted() throws {
        #expect(throws: StoreError.self) {
            try service(ScriptedTransport(.init(500)), endpoint: Endpoint("http://kms.example"))
        }
        let variable = "CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDKMS"
        #expect(
            try GoogleKeyService.endpoint(environment: [variable: "http://127.0.0.1:9/"]).description
                == "http://127.0.0.1:9")
        #expect(try GoogleKeyService.endpoint(environment: [:]).description == "https://cloudkms.googleapis.com")
        #expect(throws: StoreError.self) {
            try GoogleKeyService.endpoint(environment: [variable: "http://kms.example"])
        }
    }

    @Test func secretsThatAreTooLargeAreNotSent() async throws {
        let transport = ScriptedTransport(.init(500))
        let service = try service(transport)
        let error = await failure { () throws(StoreError) in
            try await service.encrypt(Secret([UInt8](repeating: 0, count: 8193)))
        }
        #expect(error?.code == .invalidRequest && transport.requests.isEmpty)
    }
}
