import Cryptography
import Digests
import Foundation
import Google
import HTTPStores
import HTTPTransport
import ObjectStores
import TestFixtures
import Testing

/// Workloads that another identity provider vouches for.
@Suite struct GoogleFederationTests {
    private static let audience =
        "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/pool/providers/provider"

    private static func account(_ source: [String: Any], _ more: [String: Any] = [:]) -> [String: Any] {
        [
            "type": "external_account", "audience": audience,
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "token_url": GoogleScene.securityTokenService, "credential_source": source,
        ].merging(more) { $1 }
    }

    /// A scene in which the Security Token Service gives `federated` and impersonation `impersonated`.
    private static func scene(
        _ other: @escaping @Sendable (String, HTTPRequest) -> ScriptedTransport.Reply = { _, _ in .init(404) }
    ) throws -> GoogleScene {
        try GoogleScene { url, request in
            switch url {
            case GoogleScene.securityTokenService: return GoogleScene.granted("federated")
            case GoogleScene.impersonation:
                return .init(200, body: #"{"accessToken":"impersonated","expireTime":"2027-01-15T09:00:00Z"}"#)
            default: return other(url, request)
            }
        }
    }

    private static func environment(_ path: String) -> [String: String] { ["GOOGLE_APPLICATION_CREDENTIALS": path] }

    @Test func aTokenInAFileIsExchanged() async throws {
        let scene = try Self.scene()
        let subject = try scene.write("subject", "first\n")
        let path = try scene.write("account.json", Self.account(["file": subject]))
        let credentials = scene.credentials(Self.environment(path))
        #expect(try await credentials.current().value.revealed() == "federated")
        #expect(
            scene.transport.requests[0].form == [
                "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange", "audience": Self.audience,
                "scope": "https://www.googleapis.com/auth/devstorage.read_write",
                "requested_token_type": "urn:ietf:params:oauth:token-type:access_token", "subject_token": "first",
                "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            ])
        // Kubernetes writes a new one every hour.
        try scene.write("subject", "second")
        scene.advance(3600)
        _ = try await credentials.current()
        #expect(scene.transport.requests[1].form["subject_token"] == "second")
    }

    @Test func aTokenInsideJSONIsFound() async throws {
        let scene = try Self.scene()
        let subject = try scene.write("subject", #"{"number":1,"access":{"x":2},"tok":"inner"}"#)
        let format = ["type": "json", "subject_token_field_name": "tok"]
        let path = try scene.write("account.json", Self.account(["file": subject, "format": format]))
        _ = try await scene.token(Self.environment(path))
        #expect(scene.transport.requests[0].form["subject_token"] == "inner")
        for bad in [#"{"other":"canary"}"#, "canary", #"{"tok":""}"#, ""] {
            try scene.write("subject", bad)
            let error = try #require(await scene.refusal(Self.environment(path)))
            #expect(error.message.contains(subject) && !error.message.contains("canary"))
        }
    }

    @Test func aTokenIsAskedForAtAURL() async throws {
        let scene = try Self.scene { _, _ in .init(200, body: "from-url") }
        let path = try scene.write(
            "account.json",
            Self.account([
                "url": "http://169.254.169.254/metadata/identity/oauth2/token?resource=x",
                "headers": ["Metadata": "True"],
            ]))
        _ = try await scene.token(Self.environment(path))
        let request = scene.transport.requests[0]
        #expect(request.headers["metadata"] == "True" && request.reach == .metadata && request.method == .get)
        #expect(scene.transport.requests[1].form["subject_token"] == "from-url")
        let elsewhere = try scene.write("account.json", Self.account(["url": "https://issuer.example/token"]))
        _ = try await scene.token(Self.environment(elsewhere))
        #expect(scene.transport.requests[2].reach == .service)
        let plain = try scene.write("account.json", Self.account(["url": "http://issuer.example/token"]))
        #expect(await scene.refusal(Self.environment(plain))?.message.contains("unencrypted") == true)
        #expect(scene.transport.requests.count == 4)
    }

    @Test func aServiceAccountIsImpersonatedWithTheToken() async throws {
        let scene = try Self.scene()
        let subject = try scene.write("subject", "s")
        let path = try scene.write(
            "account.json",
            Self.account(
                ["file": subject],
                [
                    "service_account_impersonation_url": GoogleScene.impersonation,
                    "service_account_impersonation": ["token_lifetime_seconds": 900],
                ]))
        #expect(try await scene.token(Self.environment(path)) == "impersonated")
        #expect(scene.transport.requests[0].form["scope"] == "https://www.googleapis.com/auth/cloud-platform")
        let request = scene.transport.requests[1]
        #expect(request.headers["authorization"] == "Bearer federated")
        let body = try #require(
            try JSONSerialization.jsonObject(with: Data(request.bodyText.utf8)) as? [String: Any])
        #expect(body["scope"] as? [String] == ["https://www.googleapis.com/auth/devstorage.read_write"])
        #expect(body["lifetime"] as? String == "900s" && body["delegates"] == nil)
    }

    @Test func tokensGoToGoogleOnly() async throws {
        let scene = try Self.scene()
        let subject = try scene.write("subject", "canary")
        for (member, url) in [
            ("token_url", "https://sts.evil.example/v1/token"), ("token_url", "http://sts.googleapis.com/v1/token"),
            ("service_account_impersonation_url", "https://evil.example/robot:generateAccessToken"),
            ("service_account_impersonation_url", "https://iamcredentials.googleapis.com/v1/other:signBlob"),
        ] {
            let path = try scene.write("account.json", Self.account(["file": subject], [member: url]))
            #expect(await scene.refusal(Self.environment(path))?.message.contains(member) == true)
        }
        #expect(scene.transport.requests.isEmpty)
        // A cloud that somebody else runs has a domain of its own.
        let path = try scene.write(
            "account.json",
            Self.account(
                ["file": subject],
                ["token_url": "https://sts.cloud.example/v1/token", "universe_domain": "cloud.example"]))
        _ = await scene.refusal(Self.environment(path))
        #expect(scene.transport.requests.map(\.url) == ["https://sts.cloud.example/v1/token"])
    }

    @Test func aPersonOfAWorkforceNamesAProjectAndAClientItself() async throws {
        let scene = try Self.scene()
        let subject = try scene.write("subject", "s")
        let path = try scene.write(
            "account.json", Self.account(["file": subject], ["workforce_pool_user_project": "123"]))
        _ = try await scene.token(Self.environment(path))
        #expect(scene.transport.requests[0].form["options"] == #"{"userProject":"123"}"#)
        let client = try scene.write(
            "account.json",
            Self.account(
                ["file": subject],
                ["workforce_pool_user_project": "123", "client_id": "c", "client_secret": "s"]))
        _ = try await scene.token(Self.environment(client))
        #expect(scene.transport.requests[1].form["options"] == nil)
        #expect(scene.transport.requests[1].headers["authorization"] == "Basic Yzpz")
    }

    @Test func sourcesThatCannotBeUsedAreNamed() async throws {
        let scene = try Self.scene()
        for (source, word) in [
            (["certificate": ["use_default_certificate_config": true]], "not supported"),
            (["file": "/no/such/token"], "/no/such/token"),
            (["file": "/x", "format": ["type": "xml"]], "neither text nor json"),
            (["file": "/x", "format": ["type": "json"]], "subject_token_field_name"),
            (["environment_id": "azure1"], "aws1"),
            (["executable": ["command": ""]], "without a command"),
            (["executable": ["command": "x", "timeout_millis": 1]], "timeout_millis"),
            (["url": "https://a.example", "headers": ["x": "a\r\nb: c"]], "headers"),
        ] as [([String: Any], String)] {
            let path = try scene.write("account.json", Self.account(source))
            #expect(await scene.refusal(Self.environment(path))?.message.contains(word) == true, "\(word)")
        }
        #expect(scene.transport.requests.isEmpty)
    }

    // MARK: a program

    private func program(_ scene: GoogleScene, _ script: String) throws -> String {
        let path = try scene.write("program", "#!/bin/sh\n\(script)\n")
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
        return path
    }

    @Test func aProgramIsRunWhenTheEnvironmentAllowsIt() async throws {
        let scene = try Self.scene()
        let program = try program(
            scene,
            #"""
            printf '{"version":1,"success":true,"token_type":"urn:ietf:params:oauth:token-type:id_token","id_token":"%s|%s|%s"}' \
              "$1" "$GOOGLE_EXTERNAL_ACCOUNT_AUDIENCE" "$GOOGLE_EXTERNAL_ACCOUNT_IMPERSONATED_EMAIL"
            """#)
        let path = try scene.write(
            "account.json",
            Self.account(
                ["executable": ["command": "\(program) 'two words'"]],
                ["service_account_impersonation_url": GoogleScene.impersonation]))
        var environment = Self.environment(path)
        #expect(
            await scene.refusal(environment)?.message.contains("GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES=1") == true)
        environment["GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES"] = "1"
        #expect(try await scene.token(environment) == "impersonated")
        #expect(
            scene.transport.requests[0].form["subject_token"]
                == "two words|\(Self.audience)|robot@p.iam.gserviceaccount.com")
    }

    @Test func aProgramThatFailsIsExplainedWithoutItsOutput() async throws {
        let scene = try Self.scene()
        for (script, word) in [
            ("echo canary; exit 3", "exit status 3"),
            ("echo canary", "no answer"),
            (#"echo '{"version":2,"success":true,"id_token":"canary"}'"#, "version 2"),
            (#"echo '{"version":1,"success":false,"code":"401","message":"Not logged in."}'"#, "Not logged in."),
            (
                #"echo '{"version":1,"success":true,"token_type":"urn:ietf:params:oauth:token-type:jwt","id_token":"canary","expiration_time":1}'"#,
                "expired"
            ),
            (#"echo '{"version":1,"success":true,"token_type":"magic","id_token":"canary"}'"#, "token_type"),
        ] {
            let program = try program(scene, script)
            let path = try scene.write("account.json", Self.account(["executable": ["command": program]]))
            var environment = Self.environment(path)
            environment["GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES"] = "1"
            let error = try #require(await scene.refusal(environment))
            #expect(error.message.contains(word) && !error.message.contains("canary"), "\(error.message)")
        }
    }

    @Test func anAnswerThatIsKeptIsUsedWhileItIsValid() async throws {
        let scene = try Self.scene()
        func answer(_ token: String, _ end: Int64) -> String {
            #"{"version":1,"success":true,"token_type":"urn:ietf:params:oauth:token-type:jwt","id_token":"\#(token)","expiration_time":\#(end)}"#
        }
        let program = try program(scene, "echo '\(answer("fresh", scene.time + 9000))'")
        let output = try scene.write("output", answer("kept", scene.time + 100))
        let path = try scene.write(
            "account.json", Self.account(["executable": ["command": program, "output_file": output]]))
        var environment = Self.environment(path)
        environment["GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES"] = "1"
        let credentials = scene.credentials(environment)
        _ = try await credentials.current()
        scene.advance(3600)
        _ = try await credentials.current()
        #expect(scene.transport.requests.map { $0.form["subject_token"] } == ["kept", "fresh"])
    }

    // MARK: AWS

    private struct Signed: Decodable {
        struct Header: Decodable {
            var key: String
            var value: String
        }

        var headers: [Header]
        var method: String
        var url: String
    }

    private static var awsSource: [String: Any] {
        [
            "environment_id": "aws1",
            "region_url": "http://169.254.169.254/latest/meta-data/placement/availability-zone",
            "url": "http://169.254.169.254/latest/meta-data/iam/security-credentials",
            "imdsv2_session_token_url": "http://169.254.169.254/latest/api/token",
            "regional_cred_verification_url":
                "https://sts.{region}.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15",
        ]
    }

    /// The signed request that the Security Token Service got, once its signature was found to be the key's.
    private func verified(_ request: HTTPRequest, secret: String, region: String) throws -> [String: String] {
        let text = try #require(request.form["subject_token"]?.removingPercentEncoding)
        let signed = try JSONDecoder().decode(Signed.self, from: Data(text.utf8))
        #expect(signed.method == "POST")
        let query = "Action=GetCallerIdentity&Version=2011-06-15"
        #expect(signed.url == "https://sts.\(region).amazonaws.com?\(query)")
        let headers = Dictionary(uniqueKeysWithValues: signed.headers.map { ($0.key.lowercased(), $0.value) })
        let authorization = try #require(headers["authorization"])
        let names = headers.keys.filter { $0 != "authorization" }.sorted()
        let lines = names.map { "\($0):\(headers[$0]!)\n" }.joined()
        let canonical =
            "POST\n/\n\(query)\n\(lines)\n\(names.joined(separator: ";"))\n"
            + "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        let time = try #require(headers["x-amz-date"])
        let scope = "\(time.prefix(8))/\(region)/sts/aws4_request"
        let toSign = "AWS4-HMAC-SHA256\n\(time)\n\(scope)\n\(Hex.encode(SHA256.hash(Array(canonical.utf8))))"
        var key = Array("AWS4\(secret)".utf8)
        for step in [String(time.prefix(8)), region, "sts", "aws4_request", toSign] {
            key = HMACSHA256.authenticate(key: key, message: Array(step.utf8))
        }
        #expect(authorization.hasSuffix("SignedHeaders=\(names.joined(separator: ";")), Signature=\(Hex.encode(key))"))
        return headers
    }

    @Test func keysInTheEnvironmentSignWhoIsCalling() async throws {
        let scene = try Self.scene()
        let path = try scene.write("account.json", Self.account(Self.awsSource))
        let environment = Self.environment(path).merging([
            "AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "eu-west-1",
        ]) { $1 }
        _ = try await scene.token(environment)
        let headers = try verified(scene.transport.requests[0], secret: "secret", region: "eu-west-1")
        #expect(headers["x-goog-cloud-target-resource"] == Self.audience && headers["x-amz-security-token"] == nil)
        #expect(headers["host"] == "sts.eu-west-1.amazonaws.com" && headers["x-amz-date"] == "20270115T080000Z")
        #expect(headers["authorization"]?.contains("Credential=AKID/20270115/eu-west-1/sts/aws4_request") == true)
    }

    @Test func aMachineOnAWSIsAskedForItsRole() async throws {
        let scene = try Self.scene { url, request in
            switch url.dropFirst("http://169.254.169.254/latest/".count) {
            case "api/token" where request.method == .put: return .init(200, body: "session")
            case _ where request.headers["x-aws-ec2-metadata-token"] != "session": return .init(401)
            case "meta-data/placement/availability-zone": return .init(200, body: "us-east-2b")
            case "meta-data/iam/security-credentials": return .init(200, body: "role\n")
            case "meta-data/iam/security-credentials/role":
                return .init(
                    200, body: #"{"Code":"Success","AccessKeyId":"ASIA","SecretAccessKey":"temporary","Token":"tok"}"#)
            default: return .init(404)
            }
        }
        let path = try scene.write("account.json", Self.account(Self.awsSource))
        _ = try await scene.token(Self.environment(path))
        let requests = scene.transport.requests
        #expect(requests.dropLast().allSatisfy { $0.reach == .metadata })
        let headers = try verified(try #require(requests.last), secret: "temporary", region: "us-east-2")
        #expect(headers["x-amz-security-token"] == "tok")
    }

    @Test func onlyTheQuestionWhoIsCallingIsSigned() async throws {
        let scene = try Self.scene()
        for url in [
            "https://sts.{region}.amazonaws.com?Action=AssumeRole&Version=2011-06-15",
            "https://sts.{region}.evil.example?Action=GetCallerIdentity&Version=2011-06-15",
            "http://sts.{region}.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15",
            "https://s3.{region}.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15",
            "https://sts.{region}.amazonaws.com/x?Action=GetCallerIdentity&Version=2011-06-15",
        ] {
            let source = Self.awsSource.merging(["regional_cred_verification_url": url]) { $1 }
            let path = try scene.write("account.json", Self.account(source))
            let error = await scene.refusal(Self.environment(path))
            #expect(error?.message.contains("regional_cred_verification_url") == true, "\(url)")
        }
        for member in ["region_url", "url", "imdsv2_session_token_url"] {
            let source = Self.awsSource.merging([member: "http://evil.example/latest"]) { $1 }
            let path = try scene.write("account.json", Self.account(source))
            #expect(await scene.refusal(Self.environment(path))?.message.contains(member) == true)
        }
        let path = try scene.write("account.json", Self.account(Self.awsSource))
        let environment = Self.environment(path).merging([
            "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "evil.example/x",
        ]) { $1 }
        #expect(await scene.refusal(environment)?.message.contains("region") == true)
        #expect(scene.transport.requests.isEmpty)
    }
}
