import AWS
import Cryptography
import HTTPStores
import HTTPTransport
import ObjectStores
import TestFixtures
import Testing

@Suite struct AWSRoleTests {
    static let role = "arn:aws:iam::1:role/"

    @Test func profilesAssumeRolesOneAfterTheOther() async throws {
        var fixture = AWSFixture(
            credentials: "[base]\naws_access_key_id = B\naws_secret_access_key = b\n",
            config: """
                [profile outer]
                role_arn = \(Self.role)outer
                source_profile = inner
                region = eu-north-1
                [profile inner]
                role_arn = \(Self.role)inner
                source_profile = base
                external_id = x
                role_session_name = s
                duration_seconds = 900
                """)
        let until = fixture.clock.at(3600)
        fixture.transport = ScriptedTransport { request, _ in
            request.bodyText.contains("inner") ? AWSFixture.keys("I", until: until) : AWSFixture.keys("O", until: until)
        }
        let found = try await fixture.load("outer")
        #expect(found.value.accessKeyID == "O")
        #expect(found.expiration == fixture.clock.value + 3600)
        let requests = fixture.transport.requests
        #expect(requests.count == 2)
        #expect(requests[0].bodyText.contains("inner&RoleSessionName=s&DurationSeconds=900&ExternalId=x"))
        #expect(requests[0].headers["authorization"]?.contains("Credential=B/") == true)
        #expect(requests[1].bodyText.contains("outer&RoleSessionName=lockstep"))
        #expect(requests[1].headers["authorization"]?.contains("Credential=I/") == true)
        #expect(requests[1].headers["authorization"]?.contains("x-amz-security-token") == true)
        #expect(requests[1].headers["x-amz-security-token"] == "canary-token")
        #expect(requests[1].url == "https://sts.eu-north-1.amazonaws.com/")
    }

    @Test func aProfileMayNameItselfWhenItHasKeys() async throws {
        var fixture = AWSFixture(
            config: """
                [profile a]
                role_arn = \(Self.role)r
                source_profile = a
                aws_access_key_id = K
                aws_secret_access_key = k
                """)
        fixture.transport = ScriptedTransport(AWSFixture.keys("R", until: fixture.clock.at(3600)))
        #expect(try await fixture.load("a").value.accessKeyID == "R")
        #expect(fixture.transport.requests[0].headers["authorization"]?.contains("Credential=K/") == true)
    }

    @Test func aNamedSourceIsUsed() async throws {
        var fixture = AWSFixture(
            environment: ["AWS_ACCESS_KEY_ID": "E", "AWS_SECRET_ACCESS_KEY": "e"],
            config: "[profile a]\nrole_arn = \(Self.role)r\ncredential_source = Environment\n")
        fixture.transport = ScriptedTransport(AWSFixture.keys("R", until: fixture.clock.at(3600)))
        #expect(try await fixture.load("a").value.accessKeyID == "R")
        #expect(fixture.transport.requests[0].headers["authorization"]?.contains("Credential=E/") == true)
    }

    @Test func aRoleOfTheMachineIsAskedForInTheMachinesRegion() async throws {
        var fixture = AWSFixture(
            config: "[profile a]\nrole_arn = \(Self.role)r\ncredential_source = Ec2InstanceMetadata\n")
        let until = fixture.clock.at(7200)
        fixture.transport = ScriptedTransport { request, _ in
            switch request.url {
            case "http://169.254.169.254/latest/api/token": Reply(200, body: "session")
            case "http://169.254.169.254/latest/meta-data/iam/security-credentials/": Reply(200, body: "machine\n")
            case "http://169.254.169.254/latest/meta-data/iam/security-credentials/machine":
                AWSFixture.document("M", until: until)
            case "http://169.254.169.254/latest/meta-data/placement/region": Reply(200, body: "ap-south-2")
            case "https://sts.ap-south-2.amazonaws.com/": AWSFixture.keys("R", until: until)
            default: Reply(500)
            }
        }
        #expect(try await fixture.load("a").value.accessKeyID == "R")
    }

    @Test func webIdentitiesAreReadAgainAndSentUnsigned() async throws {
        let directory = try TestDirectory()
        let file = try directory.write("token", "first\n")
        var fixture = AWSFixture(
            environment: [
                "AWS_WEB_IDENTITY_TOKEN_FILE": file, "AWS_ROLE_ARN": Self.role + "w", "AWS_ROLE_SESSION_NAME": "pod",
                "AWS_REGION": "cn-north-1",
            ])
        fixture.transport = ScriptedTransport(AWSFixture.keys("W", until: fixture.clock.at(3600)))
        let chain = AWSCredentialChain.standard(fixture.surroundings())
        #expect(try await chain.load().value.accessKeyID == "W")
        try directory.write("token", "second")
        _ = try await chain.load()
        let requests = fixture.transport.requests
        #expect(requests[0].url == "https://sts.cn-north-1.amazonaws.com.cn/")
        #expect(requests[0].bodyText.hasSuffix("role%2Fw&RoleSessionName=pod&WebIdentityToken=first"))
        #expect(requests[1].bodyText.hasSuffix("&WebIdentityToken=second"))
        #expect(requests.allSatisfy { $0.headers["authorization"] == nil })
    }

    @Test func aProfileMayHaveAWebIdentity() async throws {
        let directory = try TestDirectory()
        let file = try directory.write("token", "t")
        var fixture = AWSFixture(
            config: "[profile w]\nrole_arn = \(Self.role)w\nweb_identity_token_file = \(file)\n")
        fixture.transport = ScriptedTransport(AWSFixture.keys("W", until: fixture.clock.at(3600)))
        #expect(try await fixture.load("w").value.accessKeyID == "W")
    }

    @Test func refusalsSayWhatToCheckAndNeverRepeatATokenThatWasSent() async throws {
        let directory = try TestDirectory()
        let file = try directory.write("token", "canary-web")
        var fixture = AWSFixture(
            environment: ["AWS_WEB_IDENTITY_TOKEN_FILE": file, "AWS_ROLE_ARN": Self.role + "w"])
        fixture.transport = ScriptedTransport(
            Reply(
                400,
                body:
                    "<ErrorResponse><Error><Code>InvalidIdentityToken</Code><Message>canary-web</Message></Error></ErrorResponse>"
            ))
        let error = await fixture.failure()
        #expect(error?.code == .unauthenticated && error?.retry == .never)
        #expect(error?.message.contains("InvalidIdentityToken") == true)
        #expect(error?.message.contains("canary") == false)

        var signed = AWSFixture(
            environment: ["AWS_ACCESS_KEY_ID": "E", "AWS_SECRET_ACCESS_KEY": "e"],
            config: "[profile a]\nrole_arn = \(Self.role)r\ncredential_source = Environment\n")
        signed.transport = ScriptedTransport(
            Reply(
                403,
                body:
                    "<ErrorResponse><Error><Code>AccessDenied</Code><Message>not authorized</Message></Error></ErrorResponse>"
            ))
        let denied = await signed.failure("a")
        #expect(denied?.code == .forbidden)
        #expect(denied?.message.contains("trust policy") == true)
        signed.transport = ScriptedTransport(Reply(503))
        #expect(await signed.failure("a")?.retry == .transient)
        signed.transport = ScriptedTransport(Reply(200, body: "<html>hello</html>"))
        #expect(await signed.failure("a")?.code == .invalidResponse)
    }

    @Test func aWrongClockIsCorrectedOnce() async throws {
        var fixture = AWSFixture(
            environment: ["AWS_ACCESS_KEY_ID": "E", "AWS_SECRET_ACCESS_KEY": "e"],
            config: "[profile a]\nrole_arn = \(Self.role)r\ncredential_source = Environment\n")
        let until = fixture.clock.at(7200)
        fixture.transport = ScriptedTransport { request, number in
            number == 0
                ? Reply(
                    403, ["date": "Fri, 15 Jan 2027 09:00:00 GMT"],
                    body:
                        "<ErrorResponse><Error><Code>SignatureDoesNotMatch</Code><Message>Signature not yet current: 1</Message></Error></ErrorResponse>"
                ) : AWSFixture.keys("R", until: until)
        }
        #expect(try await fixture.load("a").value.accessKeyID == "R")
        #expect(fixture.transport.requests[1].headers["x-amz-date"] == "20270115T090000Z")
    }

    @Test func endpointsAreTakenFromWhereAmazonsToolsDo() async throws {
        func url(_ environment: [String: String], _ config: String = "") async throws -> String {
            let base = ["AWS_ACCESS_KEY_ID": "E", "AWS_SECRET_ACCESS_KEY": "e"]
            var fixture = AWSFixture(
                environment: base.merging(environment) { $1 },
                config: "[profile a]\nrole_arn = \(Self.role)r\ncredential_source = Environment\n\(config)")
            fixture.transport = ScriptedTransport(AWSFixture.keys("R", until: fixture.clock.at(3600)))
            _ = try await fixture.load("a")
            return fixture.transport.requests[0].url
        }
        #expect(try await url([:]) == "https://sts.us-east-1.amazonaws.com/")
        #expect(try await url(["AWS_ENDPOINT_URL": "http://127.0.0.1:5000"]) == "http://127.0.0.1:5000/")
        #expect(
            try await url(["AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_ENDPOINT_URL_STS": "https://sts.example/x/"])
                == "https://sts.example/x/")
        await #expect(throws: StoreError.self) { try await url(["AWS_ENDPOINT_URL_STS": "http://sts.example"]) }
        await #expect(throws: StoreError.self) { try await url(["AWS_REGION": "evil.example/"]) }
    }
}
