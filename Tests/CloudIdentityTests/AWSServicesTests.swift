import AWS
import Cryptography
import Digests
import HTTPStores
import HTTPTransport
import ObjectStores
import TestFixtures
import Testing

/// Container, instance, program and single sign-on.
@Suite struct AWSServicesTests {
    @Test func theContainersServiceIsAsked() async throws {
        var fixture = AWSFixture(environment: ["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/v2/credentials/x?id=1"])
        fixture.transport = ScriptedTransport(AWSFixture.document("C", until: fixture.clock.at(3600)))
        let found = try await fixture.load()
        #expect(found.value.accessKeyID == "C" && found.expiration == fixture.clock.value + 3600)
        let request = fixture.transport.requests[0]
        #expect(request.url == "http://169.254.170.2/v2/credentials/x?id=1")
        #expect(request.reach == .metadata)
        #expect(request.headers["authorization"] == nil)
    }

    @Test func theTokenOfAPodIsReadAgainEachTime() async throws {
        let directory = try TestDirectory()
        let file = try directory.write("token", "one")
        var fixture = AWSFixture(environment: [
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.170.23/v1/credentials",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": file, "AWS_CONTAINER_AUTHORIZATION_TOKEN": "variable",
        ])
        fixture.transport = ScriptedTransport(AWSFixture.document("C", until: fixture.clock.at(3600)))
        _ = try await fixture.load()
        try directory.write("token", "two")
        _ = try await fixture.load()
        #expect(fixture.transport.requests.map { $0.headers["authorization"] } == ["one", "two"])
        try directory.write("token", "canary\nX: y")
        let message = await fixture.failure()?.message ?? ""
        #expect(message.contains("line break") && !message.contains("canary"))
        #expect(fixture.transport.requests.count == 2)
    }

    @Test(arguments: [
        "http://192.0.2.1/c", "http://evil.example/c", "http://169.254.169.254/c", "http://evil.localhost/c",
        "ftp://localhost/c",
        "http://127.0.0.1@evil.example/", "http://[fd00:ec2::23].evil.example/",
    ])
    func tokensGoToNobodyElse(url: String) async {
        let fixture = AWSFixture(environment: [
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": url, "AWS_CONTAINER_AUTHORIZATION_TOKEN": "canary",
        ])
        let error = await fixture.failure()
        #expect(error?.code == .unauthenticated && error?.retry == .never)
        #expect(fixture.transport.requests.isEmpty)
    }

    @Test(arguments: [
        "http://169.254.170.2/c", "http://169.254.170.23/c", "http://[fd00:ec2::23]/c", "http://127.0.0.1:51678/c",
        "http://localhost/c", "http://[::1]:80/c", "https://credentials.example/c?x=1",
    ])
    func theseMayBeAsked(url: String) async throws {
        var fixture = AWSFixture(environment: ["AWS_CONTAINER_CREDENTIALS_FULL_URI": url])
        fixture.transport = ScriptedTransport(AWSFixture.document("C", until: fixture.clock.at(3600)))
        _ = try await fixture.load()
        #expect(fixture.transport.requests[0].url == url)
    }

    @Test func aContainersServiceIsTriedThreeTimes() async throws {
        var fixture = AWSFixture(environment: ["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/c"])
        let until = fixture.clock.at(3600)
        fixture.transport = ScriptedTransport { _, number throws(HTTPFailure) in
            if number == 0 { throw .unreachable }
            return number == 1 ? Reply(500) : AWSFixture.document("C", until: until)
        }
        #expect(try await fixture.load().value.accessKeyID == "C")
        fixture.transport = ScriptedTransport { _, _ throws(HTTPFailure) in throw .unreachable }
        let error = await fixture.failure()
        #expect(error?.retry == .transient && fixture.transport.requests.count == 3)
        fixture.transport = ScriptedTransport(Reply(403, body: "canary"))
        let refused = await fixture.failure()
        #expect(refused?.retry == .never && refused?.message.contains("canary") == false)
        #expect(fixture.transport.requests.count == 1)
        fixture.transport = ScriptedTransport(Reply(200, body: #"{"AccessKeyId": "canary"}"#))
        #expect(await fixture.failure()?.message.contains("canary") == false)
    }

    static let instance = "http://169.254.169.254/latest/meta-data/iam/security-credentials/"

    @Test func theInstanceIsAskedWithATokenThatIsKept() async throws {
        var fixture = AWSFixture()
        let until = fixture.clock.at(7200)
        fixture.transport = ScriptedTransport { request, number in
            switch request.url {
            case "http://169.254.169.254/latest/api/token": Reply(200, body: "session-\(number)")
            case Self.instance: Reply(number == 3 ? 401 : 200, body: "a role/x")
            case Self.instance + "a%20role%2Fx": AWSFixture.document("I", until: until)
            default: Reply(404)
            }
        }
        let chain = AWSCredentialChain.standard(fixture.surroundings())
        #expect(try await chain.load().value.accessKeyID == "I")
        #expect(try await chain.load().expiration == fixture.clock.value + 7200)
        let requests = fixture.transport.requests
        #expect(requests.map(\.method) == [.put, .get, .get, .get, .put, .get, .get])
        #expect(requests[0].headers["x-aws-ec2-metadata-token-ttl-seconds"] == "21600")
        #expect(requests[1].headers["x-aws-ec2-metadata-token"] == "session-0")
        #expect(requests[6].headers["x-aws-ec2-metadata-token"] == "session-4")
        #expect(requests.allSatisfy { $0.reach == .metadata && $0.timeouts.connect == .seconds(1) })
    }

    @Test func theFirstVersionIsUsedOnlyWhereItIsAllowed() async throws {
        func fixture(_ environment: [String: String]) -> AWSFixture {
            var fixture = AWSFixture(environment: environment)
            let until = fixture.clock.at(7200)
            fixture.transport = ScriptedTransport { request, _ in
                if request.method == .put { return Reply(405) }
                return request.url == Self.instance ? Reply(200, body: "r") : AWSFixture.document("I", until: until)
            }
            return fixture
        }
        let refused = fixture([:])
        #expect(await refused.failure()?.message.contains("no AWS credentials") == true)
        #expect(refused.transport.requests.count == 1)
        let allowed = fixture(["AWS_EC2_METADATA_V1_DISABLED": "false"])
        #expect(try await allowed.load().value.accessKeyID == "I")
        let off = fixture(["AWS_EC2_METADATA_V1_DISABLED": "false", "AWS_EC2_METADATA_DISABLED": "TRUE"])
        #expect(await off.failure()?.message.contains("switched off") == true)
        #expect(off.transport.requests.isEmpty)
    }

    @Test(arguments: [
        (["AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1:1338/"], "http://127.0.0.1:1338/latest/api/token"),
        (["AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE": "IPv6"], "http://[fd00:ec2::254]/latest/api/token"),
        (
            ["AWS_EC2_METADATA_SERVICE_ENDPOINT": "https://metadata.example"],
            "https://metadata.example/latest/api/token"
        ),
    ])
    func theInstancesServiceMayBeElsewhere(environment: [String: String], url: String) async {
        let fixture = AWSFixture(environment: environment)
        _ = await fixture.failure()
        #expect(fixture.transport.requests.map(\.url) == [url])
    }

    @Test func theInstancesServiceIsNotJustAnybody() async {
        let fixture = AWSFixture(environment: ["AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://evil.example"])
        #expect(await fixture.failure()?.message.contains("evil.example") == true)
        #expect(fixture.transport.requests.isEmpty)
    }

    @Test func expiredKeysOfAnInstanceAreUsedOnAndAskedForAgainInMinutes() async throws {
        var fixture = AWSFixture()
        let clock = fixture.clock
        let expired = clock.at(-60)
        fixture.transport = ScriptedTransport { request, _ in
            request.method == .put || request.url == Self.instance
                ? Reply(200, body: "r") : AWSFixture.document("I", until: expired)
        }
        let shared = SharedCredentials(
            AWSCredentialChain.standard(fixture.surroundings()), margin: AWSCredentials.margin,
            advisory: AWSCredentials.advisory, now: { clock.value })
        #expect(try await shared.current().accessKeyID == "I")
        let first = fixture.transport.requests.count
        clock.advance(60)
        #expect(try await shared.current().accessKeyID == "I")
        #expect(fixture.transport.requests.count == first)
        let found = try await fixture.load()
        let left = (found.expiration ?? 0) - clock.value - AWSCredentials.advisory
        #expect((120...300).contains(left))
    }

    @Test func silenceOfAnInstanceThatHasAnsweredIsAFault() async throws {
        var fixture = AWSFixture()
        let until = fixture.clock.at(7200)
        fixture.transport = ScriptedTransport { request, number throws(HTTPFailure) in
            if number >= 3 { throw .unreachable }
            return request.method == .put || request.url == Self.instance
                ? Reply(200, body: "r") : AWSFixture.document("I", until: until)
        }
        let chain = AWSCredentialChain.standard(fixture.surroundings())
        _ = try await chain.load()
        do throws(StoreError) {
            _ = try await chain.load()
            Issue.record("not noticed")
        } catch {
            #expect(error.retry == .transient)
        }
    }

    @Test func aProgramPrintsKeys() async throws {
        let directory = try TestDirectory()
        let script = try directory.write(
            "keys.sh",
            """
            printf '{"Version": 1, "AccessKeyId": "%s", "SecretAccessKey": "%s", "SessionToken": "t", "Expiration": "%s"}' \
            "$1" "$SECRET" "2027-01-15T10:00:00Z"
            """)
        let fixture = AWSFixture(
            environment: ["SECRET": "canary"], config: "[profile p]\ncredential_process = sh \(script) \"a b\"c\n")
        // A key has no blank in it, so the argument must have arrived whole to be refused.
        #expect(await fixture.failure("p")?.message.contains("credential_process") == true)
        let other = AWSFixture(
            environment: ["SECRET": "canary"], config: "[profile p]\ncredential_process = sh '\(script)' K\n")
        let found = try await other.load("p")
        #expect(
            found.value
                == AWSCredentials(accessKeyID: "K", secretAccessKey: Secret("canary"), sessionToken: Secret("t")))
        #expect(found.expiration == 1_800_007_200)
    }

    @Test(arguments: [
        ("sh -c 'echo canary; echo canary >&2; exit 3'", "exit status 3"), ("/nonexistent/x canary", "/nonexistent/x"),
        ("echo canary", "not a JSON document"), (#"echo '{"Version": 2, "SecretAccessKey": "canary"}'"#, "Version"),
        (#"echo '{"Version": 1, "SecretAccessKey": "canary"}'"#, "without an access key"),
        ("echo 'canary", "quotation"),
    ])
    func programsThatGiveNoKeysAreNamedAndNotQuoted(command: String, message: String) async {
        let error = await AWSFixture(
            environment: ["PATH": "/usr/bin:/bin"], config: "[profile p]\ncredential_process = \(command)\n"
        ).failure("p")
        #expect(error?.message.contains(message) == true)
        #expect(error?.message.contains("canary") == false)
    }
}

@Suite struct AWSSingleSignOnTests {
    func fixture(_ directory: TestDirectory, legacy: Bool = false) -> AWSFixture {
        var fixture = AWSFixture(environment: ["HOME": directory.path])
        fixture.config =
            legacy
            ? "[profile s]\nsso_start_url = https://corp.example/start\nsso_region = eu-west-1\nsso_account_id = 1\nsso_role_name = R x\n"
            : """
            [profile s]
            sso_session = corp
            sso_account_id = 1
            sso_role_name = R x
            [sso-session corp]
            sso_start_url = https://corp.example/start
            sso_region = eu-west-1
            """
        return fixture
    }

    func token(_ fixture: AWSFixture, expires: Int64, refresh: Bool = true, registration: Int64 = 86_400) -> String {
        let renewal =
            refresh
            ? #", "clientId": "id", "clientSecret": "canary-client", "refreshToken": "canary-refresh", "registrationExpiresAt": "\#(fixture.clock.at(registration))""#
            : ""
        return #"{"accessToken": "canary-access", "expiresAt": "\#(fixture.clock.at(expires))"\#(renewal)}"#
    }

    static let keys =
        #"{"roleCredentials": {"accessKeyId": "S", "secretAccessKey": "canary-secret", "sessionToken": "t", "expiration": 1800003600000}}"#

    func cacheFile(_ name: String) -> String { ".aws/sso/cache/\(Hex.encode(SHA1.hash(Array(name.utf8)))).json" }

    @Test(arguments: [false, true]) func theCachedTokenIsUsed(legacy: Bool) async throws {
        let directory = try TestDirectory()
        var fixture = fixture(directory, legacy: legacy)
        try directory.write(
            cacheFile(legacy ? "https://corp.example/start" : "corp"), token(fixture, expires: 3600, refresh: false))
        fixture.transport = ScriptedTransport(Reply(200, body: Self.keys))
        let found = try await fixture.load("s")
        #expect(found.value.accessKeyID == "S" && found.expiration == 1_800_003_600)
        let request = fixture.transport.requests[0]
        #expect(
            request.url
                == "https://portal.sso.eu-west-1.amazonaws.com/federation/credentials?role_name=R%20x&account_id=1")
        #expect(request.headers["x-amz-sso_bearer_token"] == "canary-access")
    }

    @Test func aTokenIsRenewedAndKept() async throws {
        let directory = try TestDirectory()
        var fixture = fixture(directory)
        try directory.write(cacheFile("corp"), token(fixture, expires: 60))
        fixture.transport = ScriptedTransport { request, _ in
            request.url == "https://oidc.eu-west-1.amazonaws.com/token"
                ? Reply(200, body: #"{"accessToken": "fresh", "expiresIn": 28800, "refreshToken": "next"}"#)
                : Reply(200, body: Self.keys)
        }
        _ = try await fixture.load("s")
        let requests = fixture.transport.requests
        #expect(requests.count == 2)
        for part in [
            #""grantType":"refresh_token""#, #""refreshToken":"canary-refresh""#, #""clientSecret":"canary-client""#,
        ] {
            #expect(requests[0].bodyText.contains(part))
        }
        #expect(requests[1].headers["x-amz-sso_bearer_token"] == "fresh")
        let kept = try directory.read(cacheFile("corp"))
        for part in [
            #""accessToken":"fresh""#, #""refreshToken":"next""#, #""clientId":"id""#, fixture.clock.at(28_800),
        ] {
            #expect(kept.contains(part))
        }
        // The kept one is used next.
        _ = try await fixture.load("s")
        #expect(fixture.transport.requests.count == 3)
    }

    @Test func aTokenThatCannotBeRenewedIsUsedToItsEnd() async throws {
        let directory = try TestDirectory()
        var fixture = fixture(directory)
        try directory.write(cacheFile("corp"), token(fixture, expires: 60))
        fixture.transport = ScriptedTransport { request, _ in
            request.method == .post ? Reply(400, body: #"{"error": "invalid_grant"}"#) : Reply(200, body: Self.keys)
        }
        #expect(try await fixture.load("s").value.accessKeyID == "S")
    }

    @Test func theWayOutIsToLogIn() async throws {
        let directory = try TestDirectory()
        var fixture = fixture(directory)
        func message() async -> String {
            let error = await fixture.failure("s")
            #expect(error?.code == .unauthenticated && error?.retry == .never)
            #expect(error?.message.contains("canary") == false)
            return error?.message ?? ""
        }
        let command = "aws sso login --profile s"
        #expect(await message().contains(command))
        try directory.write(cacheFile("corp"), "canary")
        #expect(await message().contains(command))
        try directory.write(cacheFile("corp"), token(fixture, expires: -1, registration: -1))
        #expect(await message().contains(command))
        #expect(fixture.transport.requests.isEmpty)
        try directory.write(cacheFile("corp"), token(fixture, expires: -1))
        fixture.transport = ScriptedTransport(
            Reply(400, body: #"{"error": "invalid_grant", "error_description": "canary"}"#))
        #expect(await message().contains(command))
        try directory.write(cacheFile("corp"), token(fixture, expires: 3600))
        fixture.transport = ScriptedTransport(Reply(401, body: #"{"message": "canary"}"#))
        #expect(await message().contains(command))
    }

    @Test func settingsThatAreMissingOrDifferAreNamed() async throws {
        let directory = try TestDirectory()
        var fixture = fixture(directory)
        fixture.config = "[profile s]\nsso_session = corp\nsso_account_id = 1\nsso_role_name = R\n"
        #expect(await fixture.failure("s")?.message.contains("sso-session corp") == true)
        fixture.config! += "[sso-session corp]\nsso_region = eu-west-1\n"
        #expect(await fixture.failure("s")?.message.contains("sso_start_url") == true)
        fixture.config! += "sso_account_id = 2\n"
        #expect(await fixture.failure("s")?.message.contains("differ") == true)
    }
}
