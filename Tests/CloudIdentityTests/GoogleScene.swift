import Cryptography
import Foundation
import Google
import HTTPStores
import HTTPTransport
import ObjectStores
import Synchronization
import TestFixtures

/// Credentials files in a directory of their own, an environment, a clock, and token services that answer what the test says.
final class GoogleScene: Sendable {
    static let tokenEndpoint = "https://oauth2.googleapis.com/token"
    static let securityTokenService = "https://sts.googleapis.com/v1/token"
    static let impersonation =
        "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/robot@p.iam.gserviceaccount.com:generateAccessToken"
    static let metadataToken = "http://169.254.169.254/computeMetadata/v1/instance/service-accounts/default/token"

    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("google-\(UUID().uuidString)").path
    let transport: ScriptedTransport
    private let clock = Mutex<Int64>(1_800_000_000)

    /// - Parameter answer: gets each request's URL without its query, and the request.
    init(_ answer: @escaping @Sendable (String, HTTPRequest) throws(HTTPFailure) -> ScriptedTransport.Reply) throws {
        transport = ScriptedTransport { (request: HTTPRequest, _: Int) throws(HTTPFailure) in
            try answer(String(request.url.prefix { $0 != "?" }), request)
        }
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    }

    deinit {
        try? FileManager.default.removeItem(atPath: directory)
    }

    var time: Int64 { clock.withLock { $0 } }

    func advance(_ seconds: Int64) { clock.withLock { $0 += seconds } }

    @discardableResult
    func write(_ name: String, _ text: String) throws -> String {
        let path = "\(directory)/\(name)"
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        return path
    }

    @discardableResult
    func write(_ name: String, _ members: [String: Any]) throws -> String {
        try write(name, String(decoding: try JSONSerialization.data(withJSONObject: members), as: UTF8.self))
    }

    func credentials(
        as identity: GoogleIdentity = GoogleIdentity(), scope: GoogleScope = .objects, _ environment: [String: String]
    ) -> SharedCredentials<GoogleToken> {
        GoogleCredentials.shared(
            identity, scope: scope, environment: environment, transport: transport, now: { self.time })!
    }

    /// The token that the identity gets.
    func token(
        as identity: GoogleIdentity = GoogleIdentity(), scope: GoogleScope = .objects, _ environment: [String: String]
    ) async throws -> String {
        try await credentials(as: identity, scope: scope, environment).current().value.revealed()
    }

    /// Why the identity gets none.
    func refusal(
        as identity: GoogleIdentity = GoogleIdentity(), _ environment: [String: String]
    ) async -> StoreError? {
        do throws(StoreError) {
            _ = try await credentials(as: identity, environment).current()
            return nil
        } catch {
            return error
        }
    }

    static func granted(_ token: String, expiresIn: Int = 3599) -> ScriptedTransport.Reply {
        .init(200, body: #"{"access_token":"\#(token)","expires_in":\#(expiresIn),"token_type":"Bearer"}"#)
    }

    /// What the metadata server answers.
    static func machine(_ token: String) -> ScriptedTransport.Reply {
        var reply = granted(token)
        reply.headers.append("metadata-flavor", "Google")
        return reply
    }

    static let unreachable = HTTPFailure(
        code: .connect, message: "169.254.169.254: refused", mayHaveBeenProcessed: false)
}

extension HTTPRequest {
    /// The decoded fields of a form.
    var form: [String: String] {
        var fields: [String: String] = [:]
        for item in bodyText.split(separator: "&") {
            let pair = item.split(separator: "=", maxSplits: 1).map(String.init)
            fields[pair[0]] = pair.count == 2 ? pair[1].removingPercentEncoding : ""
        }
        return fields
    }
}
