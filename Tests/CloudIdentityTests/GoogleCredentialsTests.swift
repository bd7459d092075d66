import Cryptography
import Foundation
import Google
import HTTPStores
import HTTPTransport
import ObjectStores
import TestFixtures
import Testing

/// Where credentials are looked for, in which order, and what is said when there are none.
@Suite struct GoogleCredentialsTests {
    private static var user: [String: Any] {
        [
            "type": "authorized_user", "client_id": "cli", "client_secret": "canary-client",
            "refresh_token": "canary-refresh",
        ]
    }

    @Test func theFirstPlaceWhereSomethingIsCounts() async throws {
        let scene = try GoogleScene { url, request in
            switch url {
            case GoogleScene.tokenEndpoint: GoogleScene.granted("of-\(request.form["client_id"] ?? "")")
            case GoogleScene.metadataToken: GoogleScene.machine("of-machine")
            default: .init(404)
            }
        }
        var named = Self.user
        named["client_id"] = "named"
        var identity = Self.user
        identity["client_id"] = "identity"
        let environment = ["CLOUDSDK_CONFIG": scene.directory]
        #expect(try await scene.token(environment) == "of-machine")
        try scene.write("application_default_credentials.json", Self.user)
        #expect(try await scene.token(environment) == "of-cli")
        let file = ["GOOGLE_APPLICATION_CREDENTIALS": try scene.write("named.json", named)]
        #expect(try await scene.token(environment.merging(file) { $1 }) == "of-named")
        let path = try scene.write("identity.json", identity)
        #expect(
            try await scene.token(as: GoogleIdentity(credentialsFile: path), environment.merging(file) { $1 })
                == "of-identity")
    }

    @Test func gcloudsDirectoryIsInTheHomeDirectory() async throws {
        let scene = try GoogleScene { _, _ in GoogleScene.granted("t") }
        try FileManager.default.createDirectory(
            atPath: "\(scene.directory)/.config/gcloud", withIntermediateDirectories: true)
        try scene.write(".config/gcloud/application_default_credentials.json", Self.user)
        #expect(try await scene.token(["HOME": scene.directory]) == "t")
    }

    @Test func withoutAnyEveryPlaceIsNamed() async throws {
        let scene = try GoogleScene { (_, _) throws(HTTPFailure) in throw GoogleScene.unreachable }
        let error = try #require(await scene.refusal(["CLOUDSDK_CONFIG": scene.directory]))
        for place in ["GOOGLE_APPLICATION_CREDENTIALS", scene.directory, "169.254.169.254", "gcloud auth"] {
            #expect(error.message.contains(place))
        }
        #expect(error.code == .unauthenticated && error.retry == .never)
        #expect(scene.transport.requests.count == 3)
        let unasked = try #require(await scene.refusal(["NO_GCE_CHECK": "true"]))
        #expect(unasked.message.contains("NO_GCE_CHECK") && scene.transport.requests.count == 3)
    }

    @Test func aNamedFileThatIsMissingIsNotReplacedByAnotherPlace() async throws {
        let scene = try GoogleScene { _, _ in GoogleScene.machine("of-machine") }
        let error = await scene.refusal(["GOOGLE_APPLICATION_CREDENTIALS": "/no/such/file.json"])
        #expect(error?.message.contains("/no/such/file.json") == true && scene.transport.requests.isEmpty)
    }

    @Test func nothingIsReadOrAskedBeforeATokenIsNeeded() throws {
        let scene = try GoogleScene { _, _ in .init(500) }
        _ = scene.credentials(["GOOGLE_APPLICATION_CREDENTIALS": "/no/such/file.json"])
        #expect(scene.transport.requests.isEmpty)
        #expect(
            GoogleCredentials.shared(
                GoogleIdentity(isAnonymous: true), scope: .objects, environment: [:], transport: scene.transport,
                now: { 0 }) == nil)
    }

    @Test func aTokenIsAskedForOnceByAllAndAgainBeforeItExpires() async throws {
        let scene = try GoogleScene { _, _ in GoogleScene.granted("t", expiresIn: 3600) }
        let path = try scene.write("user.json", Self.user)
        let credentials = scene.credentials(["GOOGLE_APPLICATION_CREDENTIALS": path])
        let all = try await withThrowingTaskGroup(of: String.self) { group in
            for _ in 0..<32 { group.addTask { try await credentials.current().value.revealed() } }
            return try await group.reduce(into: Set<String>()) { $0.insert($1) }
        }
        #expect(all == ["t"] && scene.transport.requests.count == 1)
        scene.advance(3600 - GoogleCredentials.margin - 1)
        _ = try await credentials.current()
        #expect(scene.transport.requests.count == 1)
        scene.advance(1)
        _ = try await credentials.current()
        #expect(scene.transport.requests.count == 2)
    }

    @Test func aFileIsReadAgainForEachToken() async throws {
        let scene = try GoogleScene { _, request in GoogleScene.granted("of-\(request.form["client_id"] ?? "")") }
        let path = try scene.write("user.json", Self.user)
        let credentials = scene.credentials(["GOOGLE_APPLICATION_CREDENTIALS": path])
        #expect(try await credentials.current().value.revealed() == "of-cli")
        var rotated = Self.user
        rotated["client_id"] = "rotated"
        try scene.write("user.json", rotated)
        scene.advance(3600)
        #expect(try await credentials.current().value.revealed() == "of-rotated")
    }

    @Test func aPersonsProjectIsNamedBesideTheToken() async throws {
        let scene = try GoogleScene { _, _ in GoogleScene.granted("t") }
        var user = Self.user
        user["quota_project_id"] = "billing"
        let path = try scene.write("user.json", user)
        let environment = ["GOOGLE_APPLICATION_CREDENTIALS": path]
        #expect(try await scene.credentials(environment).current().quotaProject == "billing")
        let other = environment.merging(["GOOGLE_CLOUD_QUOTA_PROJECT": "other"]) { $1 }
        #expect(try await scene.credentials(other).current().quotaProject == "other")
    }

    @Test func refusalsAreExplainedWithoutSecrets() async throws {
        let scene = try GoogleScene { _, _ in
            .init(400, body: #"{"error":"invalid_grant","error_description":"Token has been expired or revoked."}"#)
        }
        let path = try scene.write("user.json", Self.user)
        let error = try #require(await scene.refusal(["GOOGLE_APPLICATION_CREDENTIALS": path]))
        #expect(error.message.contains("gcloud auth application-default login"))
        #expect(error.message.contains("revoked") && !error.message.contains("canary") && error.retry == .never)
    }

    @Test func redirectsAreNotFollowed() async throws {
        let scene = try GoogleScene { _, _ in .init(307, ["location": "https://evil.example/token"]) }
        let path = try scene.write("user.json", Self.user)
        let error = await scene.refusal(["GOOGLE_APPLICATION_CREDENTIALS": path])
        #expect(error?.message.contains("redirects") == true && error?.retry == .never)
        #expect(scene.transport.requests.count == 1)
    }

    @Test func secretsGoToGoogleOrThisMachineOnly() async throws {
        let scene = try GoogleScene { _, _ in GoogleScene.granted("t") }
        let external: [String: Any] = [
            "type": "external_account_authorized_user", "client_id": "c", "client_secret": "canary-client",
            "refresh_token": "canary-refresh",
        ]
        let refused = [
            "http://oauth2.googleapis.com/token", "https://evil.example/token", "https://googleapis.com.evil.example/t",
            "https://evilgoogleapis.com/t", "https://sts.googleapis.com:8443/t", "https://user@sts.googleapis.com/t",
            "https://sts.googleapis.com/t?x=1", "nonsense",
        ]
        for (member, base) in [("token_uri", Self.user), ("token_url", external)] {
            for url in refused {
                var file = base
                file[member] = url
                let path = try scene.write("file.json", file)
                let error = await scene.refusal(["GOOGLE_APPLICATION_CREDENTIALS": path])
                #expect(error?.message.contains(member) == true, "\(url)")
            }
            for url in ["https://sts.googleapis.com/v1/oauthtoken", "http://127.0.0.1:9/t", "http://localhost:9/t"] {
                var file = base
                file[member] = url
                let path = try scene.write("file.json", file)
                #expect(try await scene.token(["GOOGLE_APPLICATION_CREDENTIALS": path]) == "t")
            }
        }
        #expect(scene.transport.requests.allSatisfy { !$0.url.contains("evil") })
    }

    @Test func anExternalUserNamesItsClientInTheHeader() async throws {
        let scene = try GoogleScene { _, _ in GoogleScene.granted("t") }
        let path = try scene.write(
            "file.json",
            [
                "type": "external_account_authorized_user", "client_id": "c", "client_secret": "s",
                "refresh_token": "r", "token_url": "https://sts.googleapis.com/v1/oauthtoken",
            ])
        #expect(try await scene.token(["GOOGLE_APPLICATION_CREDENTIALS": path]) == "t")
        let request = scene.transport.requests[0]
        #expect(request.headers["authorization"] == "Basic Yzpz")
        #expect(request.form == ["grant_type": "refresh_token", "refresh_token": "r"])
    }
}
