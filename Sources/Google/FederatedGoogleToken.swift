import Cryptography
import FoundationEssentials
import HTTPStores
import ObjectStores

/// Somebody whom another identity provider vouches for (workload and workforce identity federation): `external_account`.
struct GoogleExternalAccount: Sendable {
    /// The provider, as Google names it.
    let audience: String
    let subjectTokenType: String
    /// Of the Security Token Service.
    let tokenEndpoint: String
    let subject: GoogleSubject
    /// The service account that is impersonated with the token.
    let impersonation: GoogleImpersonation?
    /// Of a client that names itself; few do.
    let client: (id: String, secret: Secret)?
    /// The project that a person's requests are counted for.
    let userProject: String?

    /// - Parameter path: for messages; none quotes the file.
    init(_ document: GoogleCredentialsDocument, path: String) throws(StoreError) {
        audience = try document.required(\.audience, "audience", path: path)
        subjectTokenType = try document.required(\.subjectTokenType, "subject_token_type", path: path)
        let universe = document.universeDomain ?? GoogleHosts.standardUniverse
        tokenEndpoint = try document.endpoint(
            \.tokenUrl, "token_url", otherwise: "https://sts.\(universe)/v1/token", path: path)
        impersonation =
            document.serviceAccountImpersonationUrl == nil ? nil : try GoogleImpersonation(document, path: path)
        client = document.clientId.map { ($0, Secret(document.clientSecret ?? "")) }
        userProject = document.workforcePoolUserProject
        guard let source = document.credentialSource else {
            throw .credentials("\(path) has no credential_source; create the file anew")
        }
        subject = try GoogleSubject(source, path: path)
    }
}

/// Tokens of the Security Token Service for those of another identity provider (RFC 8693).
struct FederatedGoogleToken: CredentialProvider {
    private let account: GoogleExternalAccount
    private let scope: GoogleScope
    private let client: GoogleTokenClient

    private struct Options: Encodable {
        var userProject: String
    }

    init(_ account: GoogleExternalAccount, scope: GoogleScope, client: GoogleTokenClient) {
        self.account = account
        self.scope = scope
        self.client = client
    }

    func load() async throws(StoreError) -> ExpiringCredentials<GoogleToken> {
        guard let impersonation = account.impersonation else { return try await federated(scope) }
        let token = try await federated(.platform)
        return try await impersonation.token(scope, with: token.value, client)
    }

    private func federated(_ scope: GoogleScope) async throws(StoreError) -> ExpiringCredentials<GoogleToken> {
        let subject = try await account.subject.token(for: account, client)
        var form = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
            ("audience", account.audience),
            ("scope", scope.rawValue),
            ("requested_token_type", "urn:ietf:params:oauth:token-type:access_token"),
            ("subject_token", subject.revealed()),
            ("subject_token_type", account.subjectTokenType),
        ]
        // A client that names itself has a project of its own.
        if account.client == nil, let project = account.userProject {
            guard let options = try? JSONEncoder().encode(Options(userProject: project)) else {
                throw .credentials("workforce_pool_user_project cannot be sent")
            }
            form.append(("options", String(decoding: options, as: UTF8.self)))
        }
        return try await client.token(
            from: account.tokenEndpoint, form: form,
            authorization: account.client.map { GoogleTokenClient.basic($0.id, $0.secret) },
            advice: "check that the provider \(account.audience) takes tokens of this workload")
    }
}
