import FoundationEssentials
package import HTTPStores
import HTTPTransport
package import ObjectStores

/// The keys of a role that a person may use after `aws sso login`.
///
/// Source: AWS SDKs and Tools reference guide, IAM Identity Center credential provider.
package struct SSOAWSCredentials: AWSCredentialProvider {
    private let profile: String
    private let properties: AWSSharedFiles.Profile
    private let surroundings: AWSSurroundings
    package var place: String { "the single sign-on of profile \(profile)" }

    private static let replyLimit = 64 << 10

    private struct Reply: Decodable {
        struct Keys: Decodable {
            var accessKeyId: String
            var secretAccessKey: String
            var sessionToken: String
            /// Milliseconds since 1970.
            var expiration: Int64
        }

        var roleCredentials: Keys
    }

    init(profile: String, properties: AWSSharedFiles.Profile, _ surroundings: AWSSurroundings) {
        self.profile = profile
        self.properties = properties
        self.surroundings = surroundings
    }

    package func loadIfConfigured() async throws(StoreError) -> ExpiringCredentials<AWSCredentials>? {
        var settings = properties
        let session = properties.nonempty("sso_session")
        if let session {
            guard let section = try surroundings.loadFiles().session(session) else {
                throw .credentials(
                    "profile \(profile) names sso_session \(session), which has no section [sso-session \(session)]")
            }
            for (name, value) in section {
                guard settings[name] == nil || settings[name] == value else {
                    throw .credentials(
                        "\(name) of profile \(profile) and of sso-session \(session) differ; remove one of them")
                }
                settings[name] = value
            }
        }
        func setting(_ name: String) throws(StoreError) -> String {
            guard let value = settings.nonempty(name) else {
                throw .credentials("profile \(profile) uses single sign-on and has no \(name); add it")
            }
            return value
        }
        let account = try setting("sso_account_id")
        let role = try setting("sso_role_name")
        let region = try setting("sso_region")
        let start = try setting("sso_start_url")
        let token = try await SSOToken(
            name: session ?? start, isRefreshable: session != nil, startURL: start, region: region, profile: profile,
            surroundings
        ).current()
        let address = try await surroundings.service(.ssoPortal, region: region)
        let query = "role_name=\(PercentEncoding.encode(role))&account_id=\(PercentEncoding.encode(account))"
        let request = HTTPRequest(
            .get, "\(address.endpoint)/federation/credentials?\(query)",
            headers: ["x-amz-sso_bearer_token": token, "accept": "application/json"])
        let response: HTTPResponse
        do throws(HTTPFailure) {
            response = try await surroundings.transport.send(request, into: .collect(limit: Self.replyLimit))
        } catch {
            var failure = StoreError(error, .head, key: nil)
            failure.message = "no keys of a role from \(address.endpoint.origin): \(error.message)"
            throw failure
        }
        guard response.status == 200 else {
            let advice =
                response.status == 401
                ? "the session of profile \(profile) has ended; run `aws sso login --profile \(profile)`"
                : "\(address.endpoint.host) gives no keys of role \(role) in account \(account); check that it is assigned to you"
            throw AWSFailure(response).error(
                .head, of: address.endpoint.host, advice, isQuoted: false, now: surroundings.now())
        }
        guard let keys = (try? JSONDecoder().decode(Reply.self, from: Data(response.body)))?.roleCredentials else {
            throw StoreError(
                .invalidResponse, .head, message: "the answer of \(address.endpoint.origin) has no keys in it",
                retry: .transient)
        }
        return ExpiringCredentials(
            try AWSCredentials(
                key: keys.accessKeyId, secret: keys.secretAccessKey, token: keys.sessionToken,
                from: address.endpoint.origin), expiration: keys.expiration / 1000)
    }
}
