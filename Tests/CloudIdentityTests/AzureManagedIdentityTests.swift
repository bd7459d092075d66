import Azure
import Cryptography
import FoundationEssentials
import HTTPStores
import HTTPTransport
import ObjectStores
import TestFixtures
import Testing

/// Tokens from the services that run on Azure's machines.
@Suite struct AzureManagedIdentityTests {
    typealias Reply = ScriptedTransport.Reply

    static let token = Reply(
        200, body: #"{"access_token":"token-1","expires_in":"86399","expires_on":"1800086399","token_type":"Bearer"}"#)

    func load(
        _ transport: ScriptedTransport, _ environment: [String: String] = [:],
        _ identity: AzureIdentity = AzureIdentity()
    ) async throws -> AzureCredentials {
        try await AzureTokenTests.shared(transport, environment, identity: identity).current()
    }

    func failure(
        _ transport: ScriptedTransport, _ environment: [String: String] = [:],
        _ identity: AzureIdentity = AzureIdentity(usesManagedIdentity: true)
    ) async throws -> StoreError {
        try #require(
            await AzureTokenTests.failure(AzureTokenTests.shared(transport, environment, identity: identity)))
    }

    @Test func virtualMachine() async throws {
        let transport = ScriptedTransport(Self.token)
        #expect(try await load(transport) == .token(Secret("token-1")))
        #expect(
            try await load(transport, [:], AzureIdentity(clientID: "user-1", usesManagedIdentity: true))
                == .token(Secret("token-1")))
        let base =
            "http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Fstorage.azure.com"
        #expect(transport.requests.map(\.url) == [base, base + "&client_id=user-1"])
        #expect(transport.requests.allSatisfy { $0.headers["metadata"] == "true" && $0.reach == .metadata })
        // Nobody said that there is one: the machine is not waited for.
        #expect(transport.requests[0].timeouts.connect == .seconds(1))
    }

    @Test func application() async throws {
        let transport = ScriptedTransport(
            Reply(200, body: #"{"access_token":"token-1","expires_on":"1800000600","token_type":"Bearer"}"#))
        let environment = [
            "IDENTITY_ENDPOINT": "http://127.0.0.1:41049/msi/token/", "IDENTITY_HEADER": "canary-header",
        ]
        #expect(try await load(transport, environment) == .token(Secret("token-1")))
        #expect(
            transport.requests[0].url
                == "http://127.0.0.1:41049/msi/token?api-version=2019-08-01&resource=https%3A%2F%2Fstorage.azure.com")
        #expect(transport.requests[0].headers["x-identity-header"] == "canary-header")
        let error = try await failure(
            ScriptedTransport(Reply(400, body: #"{"error":"bad","error_description":"not canary-header"}"#)),
            environment)
        #expect(error.code == .unauthenticated && !error.message.contains("canary-header"))
    }

    @Test func arc() async throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "arc-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        let path = directory.appending(path: "1.key").path
        try Data("canary-key".utf8).write(to: URL(filePath: path))
        func load(_ challenge: String) async throws -> (AzureCredentials, [HTTPRequest]) {
            let transport = ScriptedTransport { request, _ in
                request.headers["authorization"] == "Basic canary-key"
                    ? Self.token : Reply(401, ["www-authenticate": challenge])
            }
            let identity = AzureManagedIdentity(
                .arc(Endpoint("http://localhost:40342/metadata/identity/oauth2/token")!, keyDirectory: directory.path),
                resource: "https://storage.azure.com", clientID: nil, isExpected: true, transport: transport,
                now: { 1_800_000_000 })
            return (try await identity.load().value, transport.requests)
        }
        let (credentials, requests) = try await load("Basic realm=\(path)")
        #expect(credentials == .token(Secret("token-1")))
        #expect(requests.count == 2 && requests[0].headers["authorization"] == nil)
        try Data("outside".utf8).write(to: directory.deletingLastPathComponent().appending(path: "outside.key"))
        for challenge in [
            "Bearer", "Basic realm=/etc/passwd", "Basic realm=\(directory.path)/../outside.key",
            "Basic realm=\(directory.path)/none.txt", "Basic realm=\(directory.path)/.key",
        ] {
            let error = await #expect(throws: StoreError.self) { try await load(challenge) }
            #expect(error?.code == .unauthenticated, "\(challenge)")
        }
    }

    /// A service that has given a token and then fails does not turn a run into an anonymous one.
    @Test func whatWasThereIsNotAbsent() async throws {
        let transport = ScriptedTransport(Self.token, Reply(400, body: #"{"error":"invalid_request"}"#))
        let identity = AzureManagedIdentity(
            .machine(Endpoint("http://169.254.169.254")!), resource: "https://storage.azure.com", clientID: nil,
            isExpected: false, transport: transport, now: { 1_800_000_000 })
        #expect(try await identity.load().value == .token(Secret("token-1")))
        await #expect(throws: StoreError.self) { try await identity.load() }
    }

    /// On machines of other clouds something else answers at the same address.
    @Test func absentUnlessSaid() async throws {
        let refused = ScriptedTransport { _, _ throws(HTTPFailure) in
            throw HTTPFailure(code: .connect, message: "no route", mayHaveBeenProcessed: false)
        }
        for transport in [
            ScriptedTransport(Reply(404)), ScriptedTransport(Reply(403, body: "Missing Metadata-Flavor")),
            ScriptedTransport(
                Reply(400, body: #"{"error":"invalid_request","error_description":"Identity not found"}"#)),
            refused,
        ] {
            guard case .noneFound = try await load(transport) else {
                Issue.record("an identity is missing and nobody said there is one")
                return
            }
            let error = try await failure(transport)
            #expect(error.message.contains("http://169.254.169.254"), "\(error)")
        }
        let error = try await failure(
            ScriptedTransport(
                Reply(400, body: #"{"error":"invalid_request","error_description":"Identity not found"}"#)),
            [:], AzureIdentity(clientID: "user-1", usesManagedIdentity: true))
        #expect(error.code == .unauthenticated && error.message.contains("user-1"))
        #expect(error.message.contains("Identity not found"))
    }

    /// A service that is there and busy is no sign that there is no identity.
    @Test func busy() async throws {
        for reply in [
            Reply(429), Reply(410), Reply(500),
            Reply(404, body: #"{"error":"not_found","error_description":"updating"}"#),
        ] {
            let transport = ScriptedTransport(reply)
            let error = try await failure(transport, [:], AzureIdentity())
            #expect(error.retry == .transient, "\(reply.status)")
        }
    }
}
