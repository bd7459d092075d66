import Cryptography
import FoundationEssentials
import HTTPStores
import HTTPTransport
import ObjectStores
import ReplicationModel

/// A service account whose tokens somebody else asks for, who may: `roles/iam.serviceAccountTokenCreator`.
struct GoogleImpersonation: Sendable {
    /// `…/v1/projects/-/serviceAccounts/EMAIL:generateAccessToken`.
    let url: String
    /// Accounts in between: each may impersonate the next.
    let delegates: [String]
    /// Seconds.
    let lifetime: Int64

    /// Seconds; more needs a policy of the organisation.
    private static let standardLifetime: Int64 = 3600
    private static let lifetimes: ClosedRange<Int64> = 600...43_200
    private static let delegateLimit = 16

    private struct Request: Encodable {
        var scope: [String]
        var lifetime: String
        var delegates: [String]?
    }

    private struct Reply: Decodable {
        var accessToken: String
        var expireTime: String
    }

    /// The account of that e-mail address.
    init(email: String, environment: [String: String]) throws(StoreError) {
        let parts = email.split(separator: "@", omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty, parts[1].hasSuffix(".gserviceaccount.com"),
            email.utf8.allSatisfy(Self.isAllowedInAccount)
        else {
            throw .credentials(
                "it is no service account to impersonate; write its e-mail address, as "
                    + "lockstep@project.iam.gserviceaccount.com")
        }
        let endpoint = try GoogleHosts.endpoint(of: "iamcredentials", environment: environment)
        url = "\(endpoint)/v1/projects/-/serviceAccounts/\(email):generateAccessToken"
        delegates = []
        lifetime = Self.standardLifetime
    }

    /// `service_account_impersonation_url` and what belongs to it.
    ///
    /// - Parameter path: for messages; none quotes the file.
    init(_ document: GoogleCredentialsDocument, path: String) throws(StoreError) {
        let name = "service_account_impersonation_url"
        url = try document.endpoint(\.serviceAccountImpersonationUrl, name, otherwise: nil, path: path)
        guard url.hasSuffix(":generateAccessToken") else {
            throw .credentials("\(path) names a \(name) that does not end in :generateAccessToken")
        }
        let delegates = document.delegates ?? []
        guard delegates.count <= Self.delegateLimit,
            delegates.allSatisfy({ !$0.isEmpty && $0.utf8.allSatisfy { Self.isAllowedInAccount($0) || $0 == 0x2F } })
        else { throw .credentials("\(path) names delegates that are no service accounts") }
        self.delegates = delegates.map { $0.contains("/") ? $0 : "projects/-/serviceAccounts/\($0)" }
        lifetime = document.serviceAccountImpersonation?.tokenLifetimeSeconds ?? Self.standardLifetime
        guard Self.lifetimes.contains(lifetime) else {
            throw .credentials("\(path) asks for a token_lifetime_seconds that is not between 600 and 43200")
        }
    }

    /// The address of the account.
    var email: String {
        let last = url.split(separator: "/").last ?? ""
        return String(last.prefix { $0 != ":" })
    }

    private static func isAllowedInAccount(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
            UInt8(ascii: "@"):
            true
        default: false
        }
    }

    /// A token of the account.
    ///
    /// - Parameter token: of who impersonates it, with the scope `.platform`.
    func token(
        _ scope: GoogleScope, with token: GoogleToken, _ client: GoogleTokenClient
    ) async throws(StoreError) -> ExpiringCredentials<GoogleToken> {
        let request = Request(
            scope: [scope.rawValue], lifetime: "\(lifetime)s", delegates: delegates.isEmpty ? nil : delegates)
        let body: [UInt8]
        do {
            body = Array(try JSONEncoder().encode(request))
        } catch {
            throw .credentials("the request for a token of \(email) cannot be written: \(error)")
        }
        let call = GoogleTokenClient.Call(
            url: url,
            headers: [
                "content-type": "application/json; charset=UTF-8", "authorization": "Bearer \(token.value.revealed())",
            ], body: .bytes(body),
            advice: "give the role Service Account Token Creator on \(email) to who impersonates it")
        let response = try await client.succeed(call)
        guard let reply = try? JSONDecoder().decode(Reply.self, from: Data(response.body)),
            let token = GoogleToken(checked: reply.accessToken), let end = CivilTime(rfc3339: reply.expireTime)
        else { throw client.unexpected(call, "has no token in it") }
        return ExpiringCredentials(
            token, expiration: min(end.secondsSince1970, client.now() + GoogleTokenClient.longestLifetime))
    }
}
