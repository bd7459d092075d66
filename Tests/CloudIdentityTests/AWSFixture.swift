import AWS
import Cryptography
import Glibc
import HTTPStores
import HTTPTransport
import ObjectStores
import ReplicationModel
import Synchronization
import TestFixtures
import Testing

typealias Reply = ScriptedTransport.Reply

extension HTTPFailure {
    static let unreachable = HTTPFailure(code: .connect, message: "nobody is there", mayHaveBeenProcessed: false)
}

/// A clock that tests set.
final class TestClock: Sendable {
    private let time: Mutex<Int64>

    init(_ time: Int64 = 1_800_000_000) {
        self.time = Mutex(time)
    }

    var value: Int64 { time.withLock { $0 } }
    func advance(_ seconds: Int64) { time.withLock { $0 += seconds } }
    func at(_ seconds: Int64) -> String { CivilTime(secondsSince1970: value + seconds).rfc3339 }
}

/// Variables, shared files and services of a test, and the credentials that are found among them.
struct AWSFixture {
    var environment: [String: String] = [:]
    var credentials: String?
    var config: String?
    var transport = ScriptedTransport { _, _ throws(HTTPFailure) in throw .unreachable }
    let clock = TestClock()

    func surroundings(_ identity: AWSIdentity = AWSIdentity(), region: String? = nil) -> AWSSurroundings {
        let (credentials, config) = (credentials, config)
        let clock = clock
        return AWSSurroundings(
            profile: identity.profile, region: region, environment: environment, transport: transport,
            now: { clock.value }
        ) { () throws(AWSSharedFileError) in try AWSSharedFiles(credentials: credentials, config: config) }
    }

    func load(_ profile: String? = nil) async throws(StoreError) -> ExpiringCredentials<AWSCredentials> {
        try await AWSCredentialChain.standard(surroundings(AWSIdentity(profile: profile))).load()
    }

    func failure(_ profile: String? = nil) async -> StoreError? {
        do throws(StoreError) {
            _ = try await load(profile)
            return nil
        } catch {
            return error
        }
    }

    /// The reply of the token service.
    static func keys(_ key: String, until expiration: String) -> Reply {
        Reply(
            200,
            body: """
                <AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult>
                <AssumedRoleUser><Arn>arn:aws:sts::1:assumed-role/r/s</Arn></AssumedRoleUser><Credentials>
                <AccessKeyId>\(key)</AccessKeyId><SecretAccessKey>canary-secret</SecretAccessKey>
                <SessionToken>canary-token</SessionToken><Expiration>\(expiration)</Expiration>
                </Credentials></AssumeRoleResult></AssumeRoleResponse>
                """)
    }

    /// The reply of the container's and the machine's services.
    static func document(_ key: String, until expiration: String) -> Reply {
        Reply(
            200,
            body: """
                {"Code": "Success", "AccessKeyId": "\(key)", "SecretAccessKey": "canary-secret", "Token": "canary-token",
                 "Expiration": "\(expiration)"}
                """)
    }
}

/// A directory of a test with files in it.
final class TestDirectory {
    let path: String

    init() throws {
        var name = Array("/tmp/lockstep-aws-XXXXXX".utf8CString)
        path = String(cString: try #require(mkdtemp(&name)))
    }

    @discardableResult
    func write(_ name: String, _ text: String) throws -> String {
        let file = "\(path)/\(name)"
        var parent = path
        for part in name.split(separator: "/").dropLast() {
            parent += "/\(part)"
            mkdir(parent, 0o700)
        }
        let stream = try #require(fopen(file, "w"))
        fputs(text, stream)
        fclose(stream)
        return file
    }

    func read(_ name: String) throws -> String {
        let stream = try #require(fopen("\(path)/\(name)", "r"))
        defer { fclose(stream) }
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        let count = fread(&bytes, 1, bytes.count, stream)
        return String(decoding: bytes[..<count], as: UTF8.self)
    }

    deinit {
        let entries = [path + "/.aws/sso/cache", path + "/.aws/sso", path + "/.aws", path]
        for directory in entries {
            guard let stream = opendir(directory) else { continue }
            while let entry = readdir(stream) {
                let name = withUnsafePointer(to: &entry.pointee.d_name) {
                    $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
                }
                unlink("\(directory)/\(name)")
            }
            closedir(stream)
            rmdir(directory)
        }
    }
}
