import HTTPStores
import ObjectStores

/// What a JSON file of credentials says, as Google's tools write it.
enum GoogleCredentialsFile: Sendable {
    case serviceAccount(GoogleServiceAccount)
    case user(GoogleUser)
    case externalAccount(GoogleExternalAccount)
    indirect case impersonated(GoogleImpersonation, source: GoogleCredentialsFile)

    /// Larger files are refused: a key has 3 KB.
    private static let sizeLimit = 1 << 20

    /// Reads the file; every error names it, and none quotes it. nil when there is no such file.
    static func load(_ path: String) throws(StoreError) -> (file: GoogleCredentialsFile, quotaProject: String?)? {
        guard let json = try contents(path, limit: sizeLimit, what: "the credentials file") else { return nil }
        return try parse(json, path: path)
    }

    /// - Parameter path: for messages.
    static func parse(
        _ json: [UInt8], path: String
    ) throws(StoreError) -> (file: GoogleCredentialsFile, quotaProject: String?) {
        let document = try GoogleCredentialsDocument.parse(json, path: path)
        return (try GoogleCredentialsFile(document, path: path), document.quotaProjectId)
    }

    private init(_ document: GoogleCredentialsDocument, path: String, isSource: Bool = false) throws(StoreError) {
        switch document.type {
        case "service_account": self = .serviceAccount(try GoogleServiceAccount(document, path: path))
        case "authorized_user", "external_account_authorized_user": self = .user(try GoogleUser(document, path: path))
        case "external_account": self = .externalAccount(try GoogleExternalAccount(document, path: path))
        case "impersonated_service_account" where !isSource:
            guard let source = document.sourceCredentials else {
                throw .credentials("\(path) has no source_credentials; make it anew with gcloud")
            }
            self = .impersonated(
                try GoogleImpersonation(document, path: path),
                source: try GoogleCredentialsFile(source, path: path, isSource: true))
        default:
            let found = document.type.map { "\"\(ServerText.readable(String($0.prefix(60))))\"" } ?? "none"
            throw .credentials(
                "\(path) holds credentials of type \(found), which cannot be used; supported are service_account, "
                    + "authorized_user, external_account, external_account_authorized_user and "
                    + "impersonated_service_account")
        }
    }

    /// A token of this identity.
    ///
    /// - Parameter selfSigned: a service account signs it itself.
    func token(
        _ scope: GoogleScope, _ client: GoogleTokenClient, selfSigned: Bool
    ) async throws(StoreError) -> ExpiringCredentials<GoogleToken> {
        switch self {
        case .serviceAccount(let account) where selfSigned:
            return try await SelfSignedGoogleToken(account, scope: scope, now: client.now).load()
        case .serviceAccount(let account):
            return try await ExchangedGoogleToken(account, scope: scope, client: client).load()
        case .user(let user):
            return try await UserGoogleToken(user, client: client).load()
        case .externalAccount(let account):
            return try await FederatedGoogleToken(account, scope: scope, client: client).load()
        case .impersonated(let impersonation, let source):
            let token = try await source.token(.platform, client, selfSigned: false)
            return try await impersonation.token(scope, with: token.value, client)
        }
    }

    /// The bytes of a file, or nil when there is none. Errors name it, and none quotes it.
    static func contents(_ path: String, limit: Int, what: String) throws(StoreError) -> [UInt8]? {
        try CredentialFile.contentsIfThere(path, purpose: what, limit: limit)
    }
}
