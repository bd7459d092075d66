import AWS
import Cryptography
import HTTPStores
import HTTPTransport
import ObjectStores
import TestFixtures
import Testing

@Suite struct AWSCredentialsTests {
    let shared =
        "[default]\naws_access_key_id = D\naws_secret_access_key = d\n[work]\naws_access_key_id = W\naws_secret_access_key = w\naws_session_token = t\n"

    @Test func theEnvironmentComesFirst() async throws {
        let found = try await AWSFixture(
            environment: [
                "AWS_ACCESS_KEY_ID": "E", "AWS_SECRET_ACCESS_KEY": "e", "AWS_SESSION_TOKEN": "", "AWS_PROFILE": "work",
            ], credentials: shared
        ).load().value
        #expect(found == AWSCredentials(accessKeyID: "E", secretAccessKey: Secret("e")))
    }

    @Test func aNamedProfileComesBeforeTheEnvironment() async throws {
        let found = try await AWSFixture(
            environment: ["AWS_ACCESS_KEY_ID": "E", "AWS_SECRET_ACCESS_KEY": "e"], credentials: shared
        ).load("work").value
        #expect(found == AWSCredentials(accessKeyID: "W", secretAccessKey: Secret("w"), sessionToken: Secret("t")))
    }

    @Test func theProfileVariableAndTheDefaultCount() async throws {
        let work = AWSFixture(environment: ["AWS_PROFILE": "work"], credentials: shared)
        #expect(try await work.load().value.accessKeyID == "W")
        #expect(try await AWSFixture(credentials: shared).load().value.accessKeyID == "D")
    }

    @Test func whatIsMissingIsNamed() async {
        func message(
            _ profile: String?, _ environment: [String: String], _ credentials: String?, _ config: String? = nil
        ) async -> String {
            let error = await AWSFixture(environment: environment, credentials: credentials, config: config)
                .failure(profile)
            #expect(error?.code == .unauthenticated)
            #expect(error?.retry == .never)
            return error?.message ?? ""
        }
        let nothing = await message(nil, [:], nil)
        for place in ["the environment", "profile default", "container", "EC2 metadata", "AWS_PROFILE"] {
            #expect(nothing.contains(place))
        }
        #expect(await message(nil, ["AWS_ACCESS_KEY_ID": "E"], nil).contains("AWS_SECRET_ACCESS_KEY is not"))
        #expect(await message("x", [:], shared).contains("\"x\""))
        #expect(await message(nil, ["AWS_PROFILE": "x"], shared).contains("\"x\""))
        #expect(await message(nil, [:], "[default]\naws_access_key_id = D\n").contains("both"))
        #expect(await message("r", [:], nil, "[profile r]\nrole_arn = a\n").contains("no ARN"))
        let role = "[profile r]\nrole_arn = arn:aws:iam::1:role/r\n"
        #expect(await message("r", [:], nil, role).contains("source_profile"))
        #expect(await message("r", [:], nil, role + "source_profile = q\n").contains("source_profile q"))
        #expect(
            await message("r", [:], nil, role + "source_profile = q\ncredential_source = Environment\n").contains(
                "both"))
        #expect(await message("r", [:], nil, role + "credential_source = Moon\n").contains("Ec2InstanceMetadata"))
        #expect(await message("r", [:], nil, role + "source_profile=q\nmfa_serial = m\n").contains("get-session-token"))
        #expect(
            await message("r", [:], nil, role + "credential_source=Environment\nduration_seconds=10\n").contains(
                "12 hours"))
        #expect(await message("r", [:], nil, "[profile r]\nlogin_session = s\n").contains("export-credentials"))
        #expect(await message(nil, [:], "broken").contains("line 1"))
        #expect(await message(nil, ["AWS_WEB_IDENTITY_TOKEN_FILE": "/t"], nil).contains("AWS_ROLE_ARN"))
    }

    @Test func keysWithBlanksAndLineBreaksAreRefusedAndNotQuoted() async {
        for key in ["canary\n", "ca nary", "canary\u{e9}"] {
            let message =
                await AWSFixture(environment: ["AWS_ACCESS_KEY_ID": "E", "AWS_SECRET_ACCESS_KEY": key]).failure()?
                .message ?? ""
            #expect(message.contains("the environment") && !message.contains("nary"))
        }
    }

    @Test func profilesThatGoRoundInACircleAreNamed() async {
        let role = "role_arn = arn:aws:iam::1:role/r\n"
        let config = "[profile a]\n\(role)source_profile = b\n[profile b]\n\(role)source_profile = a\n"
        let message = await AWSFixture(config: config).failure("a")?.message ?? ""
        #expect(message.contains("a → b → a"))
        let own = "[profile a]\n\(role)source_profile = a\n"
        #expect(await AWSFixture(config: own).failure("a")?.message.contains("a → a") == true)
        let long = (0..<20).map { "[profile p\($0)]\n\(role)source_profile = p\($0 + 1)\n" }.joined()
        let end = "[profile p20]\naws_access_key_id = K\naws_secret_access_key = k\n"
        #expect(await AWSFixture(config: long + end).failure("p0")?.message.contains("more than 8") == true)
    }

    @Test func secretsDoNotPrint() {
        let credentials = AWSCredentials(
            accessKeyID: "A", secretAccessKey: Secret("canary-1"), sessionToken: Secret("canary-2"))
        let identity = AWSIdentity(
            accessKeyID: "A", secretAccessKey: Secret("canary-3"), sessionToken: Secret("canary-4"))
        for text in ["\(credentials)", String(reflecting: credentials), "\(identity)", String(reflecting: identity)] {
            #expect(!text.contains("canary"))
        }
    }
}

@Suite struct AWSIdentityTests {
    func shared(
        _ identity: AWSIdentity, _ fixture: AWSFixture = AWSFixture()
    ) throws -> SharedCredentials<AWSCredentials>? {
        let clock = fixture.clock
        return try AWSCredentials.shared(
            identity, region: "eu-west-1", environment: fixture.environment, transport: fixture.transport,
            now: { clock.value })
    }

    @Test func anonymousIsNobody() throws {
        #expect(try shared(AWSIdentity(isAnonymous: true)) == nil)
    }

    @Test func keysThatAreGivenComeFirst() async throws {
        let fixture = AWSFixture(environment: ["AWS_ACCESS_KEY_ID": "E", "AWS_SECRET_ACCESS_KEY": "e"])
        let found = try await shared(AWSIdentity(accessKeyID: "G", secretAccessKey: Secret("g")), fixture)?.current()
        #expect(found?.accessKeyID == "G")
    }

    @Test func aRoleIsAssumedWithWhateverIsThere() async throws {
        var fixture = AWSFixture(environment: ["AWS_ACCESS_KEY_ID": "E", "AWS_SECRET_ACCESS_KEY": "e"])
        fixture.transport = ScriptedTransport(AWSFixture.keys("R", until: fixture.clock.at(3600)))
        let identity = AWSIdentity(
            roleARN: "arn:aws:iam::1:role/path/r", externalID: "x&y", roleSessionName: "me",
            roleDuration: .seconds(1800))
        let credentials = try #require(try shared(identity, fixture))
        #expect(try await credentials.current().accessKeyID == "R")
        let request = try #require(fixture.transport.requests.first)
        #expect(request.url == "https://sts.eu-west-1.amazonaws.com/")
        #expect(request.headers["authorization"]?.contains("Credential=E/20270115/eu-west-1/sts/aws4_request") == true)
        #expect(
            request.bodyText
                == "Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fpath%2Fr&RoleSessionName=me"
                + "&DurationSeconds=1800&ExternalId=x%26y")
    }

    @Test(arguments: [
        (AWSIdentity(accessKeyID: "A"), "both"), (AWSIdentity(secretAccessKey: Secret("s")), "both"),
        (AWSIdentity(sessionToken: Secret("s")), "belongs"),
        (AWSIdentity(profile: "p", accessKeyID: "A", secretAccessKey: Secret("s")), "not several"),
        (AWSIdentity(webIdentityTokenFile: "/t"), "which"), (AWSIdentity(externalID: "x"), "its ARN"),
        (AWSIdentity(roleARN: "role"), "no ARN"),
        (AWSIdentity(roleARN: "arn:aws:iam::1:role/r", roleDuration: .seconds(60)), "12 hours"),
    ])
    func contradictionsAreRefused(identity: AWSIdentity, message: String) {
        do throws(SettingError) {
            _ = try AWSCredentials.shared(
                identity, region: nil, environment: [:], transport: ScriptedTransport(Reply(500)), now: { 0 })
            Issue.record("not refused")
        } catch {
            #expect(error.message.contains(message))
        }
    }
}
