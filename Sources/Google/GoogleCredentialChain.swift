import HTTPStores
import ObjectStores

/// The credentials of an identity: application default credentials, as Google's tools look for them, and the service account
/// that is impersonated with them.
///
/// Everything is looked at again for each token, so that a rotated file is found.
struct GoogleCredentialChain: CredentialProvider {
    private let identity: GoogleIdentity
    private let scope: GoogleScope
    private let selfSigned: Bool
    private let client: GoogleTokenClient
    private let metadata: MetadataGoogleToken

    static let fileVariable = "GOOGLE_APPLICATION_CREDENTIALS"

    init(_ identity: GoogleIdentity, scope: GoogleScope, selfSigned: Bool, client: GoogleTokenClient) {
        self.identity = identity
        self.scope = scope
        self.selfSigned = selfSigned && identity.impersonate == nil
        self.client = client
        metadata = MetadataGoogleToken(scope: identity.impersonate == nil ? scope : .platform, client: client)
    }

    func load() async throws(StoreError) -> ExpiringCredentials<GoogleToken> {
        guard let account = identity.impersonate else { return try await base(scope) }
        let impersonation = try GoogleImpersonation(email: account, environment: client.environment)
        let token = try await base(.platform)
        var impersonated = try await impersonation.token(scope, with: token.value, client)
        impersonated.value.quotaProject = token.value.quotaProject
        return impersonated
    }

    /// Whether the file that somebody named holds credentials.
    func check() throws(SettingError) {
        try identity.check()
        var tried: [String] = []
        guard let (path, isNamed) = file(&tried), isNamed else { return }
        let setting = identity.credentialsFile == nil ? nil : "credentials_file"
        let json = try CredentialFile.inspected(path, setting, purpose: "the credentials file")
        do throws(StoreError) {
            _ = try GoogleCredentialsFile.parse(json, path: path)
        } catch {
            throw SettingError(setting, message: error.message)
        }
    }

    private func base(_ scope: GoogleScope) async throws(StoreError) -> ExpiringCredentials<GoogleToken> {
        var tried: [String] = []
        if let (path, isNamed) = file(&tried) {
            if let (file, quotaProject) = try GoogleCredentialsFile.load(path) {
                var token = try await file.token(scope, client, selfSigned: selfSigned)
                token.value.quotaProject = variable("GOOGLE_CLOUD_QUOTA_PROJECT") ?? quotaProject
                return token
            }
            guard !isNamed else { throw .credentials("there is no credentials file \(path)") }
            tried.append("\(path), which does not exist")
        }
        switch try await metadata.ask() {
        case .token(var token):
            token.value.quotaProject = variable("GOOGLE_CLOUD_QUOTA_PROJECT")
            return token
        case .none(let why):
            tried.append(why)
            throw .credentials(
                "no Google credentials: tried \(tried.joined(separator: "; ")). Set \(Self.fileVariable) to the path of a JSON "
                    + "file of credentials, or log in with gcloud auth application-default login")
        }
    }

    /// The one file that is named, or the one where gcloud leaves what a person logged in as.
    private func file(_ tried: inout [String]) -> (path: String, isNamed: Bool)? {
        if let path = identity.credentialsFile ?? variable(Self.fileVariable) { return (path, true) }
        tried.append("\(Self.fileVariable), which is not set")
        let directory = variable("CLOUDSDK_CONFIG") ?? variable("HOME").map { "\($0)/.config/gcloud" }
        return directory.map { ("\($0)/application_default_credentials.json", false) }
    }

    private func variable(_ name: String) -> String? {
        client.environment[name].flatMap { $0.isEmpty ? nil : $0 }
    }
}
