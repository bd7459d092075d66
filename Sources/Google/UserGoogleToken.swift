import Cryptography
import Digests
import HTTPStores
import ObjectStores

/// A person who has logged in with gcloud: `authorized_user`, and `external_account_authorized_user` of another identity provider.
struct GoogleUser: Sendable {
    let clientID: String
    let clientSecret: Secret
    let refreshToken: Secret
    let tokenEndpoint: String
    /// Whether the client names itself in the Authorization header rather than in the form.
    let isExternal: Bool

    /// - Parameter path: for messages; none quotes the file.
    init(_ document: GoogleCredentialsDocument, path: String) throws(StoreError) {
        isExternal = document.type == "external_account_authorized_user"
        clientID = try document.required(\.clientId, "client_id", path: path)
        clientSecret = Secret(try document.required(\.clientSecret, "client_secret", path: path))
        refreshToken = Secret(try document.required(\.refreshToken, "refresh_token", path: path))
        tokenEndpoint =
            isExternal
            ? try document.endpoint(\.tokenUrl, "token_url", otherwise: nil, path: path)
            : try document.endpoint(
                \.tokenUri, "token_uri", otherwise: GoogleServiceAccount.standardTokenEndpoint, path: path)
    }
}

/// Tokens for a person's refresh token (RFC 6749, 6).
struct UserGoogleToken: CredentialProvider {
    private let user: GoogleUser
    private let client: GoogleTokenClient

    init(_ user: GoogleUser, client: GoogleTokenClient) {
        self.user = user
        self.client = client
    }

    func load() async throws(StoreError) -> ExpiringCredentials<GoogleToken> {
        // No scope: the token has those that the person agreed to, and a smaller one might not be among them.
        var form = [("grant_type", "refresh_token"), ("refresh_token", user.refreshToken.revealed())]
        var authorization: String?
        if user.isExternal {
            authorization = GoogleTokenClient.basic(user.clientID, user.clientSecret)
        } else {
            form += [("client_id", user.clientID), ("client_secret", user.clientSecret.revealed())]
        }
        return try await client.token(
            from: user.tokenEndpoint, form: form, authorization: authorization,
            advice: "log in again: gcloud auth application-default login")
    }
}

extension GoogleTokenClient {
    /// The value of an Authorization header by which a client names itself (RFC 7617).
    static func basic(_ id: String, _ secret: Secret) -> String {
        "Basic " + Base64.encode(Array("\(id):\(secret.revealed())".utf8))
    }
}
