import AWS
import Cryptography
import HTTPStores
import ObjectStores
import Testing

@Suite struct AWSSharedFilesTests {
    @Test func theDialectIsRead() throws {
        let parser = try AWSSharedFileParser(
            """
            \u{FEFF}# a comment
            [default]
            region = eu-west-1   # trailing
            Output=json;kept
            empty =
            ; another
            [profile work space] ; why not
            aws_access_key_id = AKID#kept
            s3 =
                max_concurrent_requests = 20
                endpoint_url = http://x
            region=us-east-2
            [ profile  "quoted" ]
            k = a = b
            [default]
            region = eu-west-2
            """, path: "f")
        #expect(parser.sections["default"] == ["region": "eu-west-2", "output": "json;kept", "empty": ""])
        #expect(
            parser.sections["profile work space"] == [
                "aws_access_key_id": "AKID#kept", "s3": "", "s3.max_concurrent_requests": "20",
                "s3.endpoint_url": "http://x",
                "region": "us-east-2",
            ])
        #expect(parser.sections["profile quoted"] == ["k": "a = b"])
    }

    @Test(arguments: [
        ("k = v", 1, "before the first"), ("[a]\nnonsense-SECRET", 2, "neither"), ("[a\n", 1, "`]` is missing"),
        ("[a]\n\n = SECRET", 3, "no name"), ("[]", 1, "no name"), ("[a] SECRET", 1, "follows"),
    ])
    func brokenLinesAreNamedAndNeverQuoted(text: String, line: Int, message: String) {
        do {
            _ = try AWSSharedFileParser(text, path: "/etc/aws")
            Issue.record("not refused")
        } catch {
            #expect(error.line == line)
            #expect(error.description.hasPrefix("/etc/aws, line \(line): "))
            #expect(error.message.contains(message))
            #expect(!error.description.contains("SECRET"))
        }
    }

    @Test func bothFilesMakeAProfileAndTheCredentialsFileWins() throws {
        let files = try AWSSharedFiles(
            credentials: "[work]\naws_access_key_id = FROM_CREDENTIALS\naws_secret_access_key = s\n",
            config: "[profile work]\naws_access_key_id = FROM_CONFIG\nregion = eu-west-1\n[work]\nregion = ignored\n")
        #expect(files.profile("work")?["aws_access_key_id"] == "FROM_CREDENTIALS")
        #expect(files.profile("work")?["region"] == "eu-west-1")
    }

    @Test func aMissingFileIsNoErrorAndAMissingProfileIs() throws {
        let files = try AWSSharedFiles.load(environment: ["HOME": "/nonexistent"])
        #expect(files.profile("default") == nil)
        do {
            _ = try files.namedProfile("nobody")
            Issue.record("not refused")
        } catch {
            #expect(error.description.contains("\"nobody\""))
            #expect(error.description.contains("/nonexistent/.aws/config"))
        }
    }

    @Test func unreadableFilesAreNamed() {
        do {
            _ = try AWSSharedFiles.load(environment: ["HOME": "/", "AWS_CONFIG_FILE": "/proc/self"])
            Issue.record("not refused")
        } catch {
            #expect(error.path == "/proc/self")
        }
    }
}
