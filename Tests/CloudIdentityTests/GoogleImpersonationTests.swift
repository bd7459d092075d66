import Foundation
import Google
import HTTPStores
import HTTPTransport
import ObjectStores
import TestFixtures
import Testing

/// Service accounts whose tokens others ask for.
@Suite struct GoogleImpersonationTests {
    private static var user: [String: Any] {
        [
            "type": "authorized_user", "client_id": "c", "client_secret": "s", "refresh_token": "r",
        ]
    }

    private func scene() throws -> GoogleScene {
        try GoogleScene { url, request in
            if url == GoogleScene.tokenEndpoint { return GoogleScene.granted("of-user") }
            if url == GoogleScene.metadataToken { return GoogleScene.machine("of-machine") }
            guard url.hasSuffix(":generateAccessToken"), request.headers["authorization"] != nil else {
                return .init(404)
            }
            return .init(200, body: #"{"accessToken":"of-robot","expireTime":"2027-01-15T09:00:00.000Z"}"#)
        }
    }

    private func body(_ request: HTTPRequest) throws -> [String: Any] {
        try #require(try JSONSerialization.jsonObject(with: Data(request.bodyText.utf8)) as? [String: Any])
    }

    @Test func anIdentityImpersonatesOnTopOfAny() async throws {
        let scene = try scene()
        let identity = GoogleIdentity(impersonate: "robot@p.iam.gserviceaccount.com")
        let path = try scene.write("user.json", Self.user)
        #expect(try await scene.token(as: identity, ["GOOGLE_APPLICATION_CREDENTIALS": path]) == "of-robot")
        let request = scene.transport.requests[1]
        #expect(request.url == GoogleScene.impersonation && request.headers["authorization"] == "Bearer of-user")
        #expect(try body(request)["scope"] as? [String] == [GoogleScope.objects.rawValue])
        #expect(try body(request)["lifetime"] as? String == "3600s")
        #expect(try await scene.token(as: identity, scope: .platform, [:]) == "of-robot")
        // Who impersonates needs more than the objects.
        #expect(scene.transport.requests[2].url.hasSuffix("cloud-platform"))
        #expect(scene.transport.requests[3].headers["authorization"] == "Bearer of-machine")
    }

    @Test func anotherEndpointStandsIn() async throws {
        let scene = try scene()
        let identity = GoogleIdentity(impersonate: "robot@p.iam.gserviceaccount.com")
        let variable = "CLOUDSDK_API_ENDPOINT_OVERRIDES_IAMCREDENTIALS"
        _ = try await scene.token(as: identity, [variable: "http://127.0.0.1:7/"])
        #expect(
            scene.transport.requests.last?.url
                == "http://127.0.0.1:7/v1/projects/-/serviceAccounts/robot@p.iam.gserviceaccount.com:generateAccessToken"
        )
        #expect(
            await scene.refusal(as: identity, [variable: "http://evil.example/"])?.message.contains(variable) == true)
    }

    @Test func aFileImpersonatesWithItsSourceThroughDelegates() async throws {
        let scene = try scene()
        let path = try scene.write(
            "file.json",
            [
                "type": "impersonated_service_account", "service_account_impersonation_url": GoogleScene.impersonation,
                "delegates": ["first@p.iam.gserviceaccount.com", "projects/-/serviceAccounts/second@p"],
                "source_credentials": Self.user,
            ])
        #expect(try await scene.token(["GOOGLE_APPLICATION_CREDENTIALS": path]) == "of-robot")
        #expect(
            try body(scene.transport.requests[1])["delegates"] as? [String] == [
                "projects/-/serviceAccounts/first@p.iam.gserviceaccount.com", "projects/-/serviceAccounts/second@p",
            ])
    }

    @Test func filesThatCannotBeUsedAreNamed() async throws {
        let scene = try scene()
        let whole: [String: Any] = [
            "type": "impersonated_service_account", "service_account_impersonation_url": GoogleScene.impersonation,
            "source_credentials": Self.user,
        ]
        for (change, word) in [
            (["source_credentials": NSNull()], "source_credentials"),
            (["source_credentials": whole], "impersonated_service_account"),
            (["service_account_impersonation_url": NSNull()], "service_account_impersonation_url"),
            (["delegates": ["a b"]], "delegates"),
            (["service_account_impersonation": ["token_lifetime_seconds": 5]], "token_lifetime_seconds"),
        ] as [([String: Any], String)] {
            let path = try scene.write("file.json", whole.merging(change) { $1 })
            let error = try #require(await scene.refusal(["GOOGLE_APPLICATION_CREDENTIALS": path]))
            #expect(error.message.contains(word) && error.message.contains(path), "\(error.message)")
        }
        for account in ["", "a/b", "a b@p", "a:b", "a?b"] {
            let error = await scene.refusal(as: GoogleIdentity(impersonate: account), [:])
            #expect(error?.message.contains("no service account") == true)
        }
        #expect(scene.transport.requests.isEmpty)
    }

    @Test func whoMayNotImpersonateIsToldWhichRoleIsMissing() async throws {
        let scene = try GoogleScene { url, _ in
            url == GoogleScene.metadataToken
                ? GoogleScene.machine("t")
                : .init(
                    403, body: #"{"error":{"code":403,"message":"Permission denied.","status":"PERMISSION_DENIED"}}"#)
        }
        let error = await scene.refusal(as: GoogleIdentity(impersonate: "robot@p.iam.gserviceaccount.com"), [:])
        #expect(error?.message.contains("Service Account Token Creator on robot@p") == true)
        #expect(error?.message.contains("PERMISSION_DENIED: Permission denied.") == true && error?.retry == .never)
    }
}
