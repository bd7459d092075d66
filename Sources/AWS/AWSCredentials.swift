package import Cryptography
package import HTTPStores
package import ObjectStores

/// An access key of AWS or of a server that speaks its protocol.
package struct AWSCredentials: Sendable, Equatable {
    /// Names the key; it appears in signatures and is no secret.
    package var accessKeyID: String
    package var secretAccessKey: Secret
    /// Of temporary credentials.
    package var sessionToken: Secret?

    package init(accessKeyID: String, secretAccessKey: Secret, sessionToken: Secret? = nil) {
        self.accessKeyID = accessKeyID
        self.secretAccessKey = secretAccessKey
        self.sessionToken = sessionToken
    }
}

/// One place where AWS credentials may be configured.
package protocol AWSCredentialProvider: CredentialProvider where Value == AWSCredentials {
    /// For people: where credentials would have been found.
    var place: String { get }

    /// nil when nothing is configured here; throws when something is and cannot be used.
    func loadIfConfigured() async throws(StoreError) -> ExpiringCredentials<AWSCredentials>?
}

extension AWSCredentialProvider {
    package func load() async throws(StoreError) -> ExpiringCredentials<AWSCredentials> {
        guard let credentials = try await loadIfConfigured() else {
            throw .credentials(
                "no AWS credentials found in \(place); set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY "
                    + "or name a profile"
            )
        }
        return credentials
    }
}

extension StoreError {
    /// A failure to find credentials; the store that needed them fills in its operation.
    static func credentials(_ message: String) -> StoreError {
        StoreError(.unauthenticated, .head, message: message)
    }
}

/// Credentials that somebody already has.
package struct StaticAWSCredentials: AWSCredentialProvider {
    private let credentials: AWSCredentials
    package var place: String { "the program" }

    package init(_ credentials: AWSCredentials) {
        self.credentials = credentials
    }

    package func loadIfConfigured() async throws(StoreError) -> ExpiringCredentials<AWSCredentials>? {
        ExpiringCredentials(credentials)
    }
}

/// `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`.
package struct EnvironmentAWSCredentials: AWSCredentialProvider {
    private let environment: [String: String]
    package var place: String { "the environment" }

    package init(_ environment: [String: String]) {
        self.environment = environment
    }

    package func loadIfConfigured() async throws(StoreError) -> ExpiringCredentials<AWSCredentials>? {
        let key = environment["AWS_ACCESS_KEY_ID"] ?? ""
        let secret = environment["AWS_SECRET_ACCESS_KEY"] ?? ""
        if key.isEmpty && secret.isEmpty { return nil }
        guard !key.isEmpty else {
            throw .credentials("AWS_SECRET_ACCESS_KEY is set and AWS_ACCESS_KEY_ID is not; set both or neither")
        }
        guard !secret.isEmpty else {
            throw .credentials("AWS_ACCESS_KEY_ID is set and AWS_SECRET_ACCESS_KEY is not; set both or neither")
        }
        let token = environment["AWS_SESSION_TOKEN"].flatMap { $0.isEmpty ? nil : Secret($0) }
        return ExpiringCredentials(
            AWSCredentials(accessKeyID: key, secretAccessKey: Secret(secret), sessionToken: token))
    }
}

/// The keys of one profile in the shared files, read again at each load so that rotated keys are found.
package struct ProfileAWSCredentials: AWSCredentialProvider {
    private let profile: String
    private let isNamed: Bool
    private let files: @Sendable () throws(AWSSharedFileError) -> AWSSharedFiles
    package var place: String { "profile \(profile) of the shared AWS files" }

    /// Properties that make a profile one whose keys come from a service or a program.
    private static let indirections = [
        "role_arn", "credential_process", "sso_session", "sso_start_url", "web_identity_token_file", "login_session",
    ]

    /// - Parameter isNamed: whether somebody asked for this profile, so that its absence is an error.
    package init(
        profile: String, isNamed: Bool, files: @escaping @Sendable () throws(AWSSharedFileError) -> AWSSharedFiles
    ) {
        self.profile = profile
        self.isNamed = isNamed
        self.files = files
    }

    package func loadIfConfigured() async throws(StoreError) -> ExpiringCredentials<AWSCredentials>? {
        let found: AWSSharedFiles
        let properties: AWSSharedFiles.Profile
        do throws(AWSSharedFileError) {
            found = try files()
            properties = isNamed ? try found.namedProfile(profile) : found.profile(profile) ?? [:]
        } catch {
            throw .credentials(error.description)
        }
        let key = properties["aws_access_key_id"] ?? ""
        let secret = properties["aws_secret_access_key"] ?? ""
        if key.isEmpty && secret.isEmpty {
            if let property = Self.indirections.first(where: { properties[$0] != nil }) {
                throw .credentials(
                    "profile \(profile) gets its keys through \(property), which is not supported here; "
                        + "give it aws_access_key_id and "
                        + "aws_secret_access_key, or set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN"
                )
            }
            return nil
        }
        guard !key.isEmpty, !secret.isEmpty else {
            throw .credentials(
                "profile \(profile) in \(found.credentialsPath) needs both aws_access_key_id and aws_secret_access_key")
        }
        let token = properties["aws_session_token"].flatMap { $0.isEmpty ? nil : Secret($0) }
        return ExpiringCredentials(
            AWSCredentials(accessKeyID: key, secretAccessKey: Secret(secret), sessionToken: token))
    }
}

/// Asks several places in turn; the first where something is configured counts, also when that something is broken.
package struct AWSCredentialChain: AWSCredentialProvider {
    private let links: [any AWSCredentialProvider]
    package var place: String { links.map(\.place).joined(separator: ", ") }

    package init(_ links: [any AWSCredentialProvider]) {
        self.links = links
    }

    /// The order of the reference client: the environment unless a profile is named, then the profile
    /// (the argument, `AWS_PROFILE`, `default`) in the shared files.
    package static func standard(
        profile: String?, environment: [String: String],
        files: @escaping @Sendable () throws(AWSSharedFileError) -> AWSSharedFiles
    ) -> AWSCredentialChain {
        let fromEnvironment = environment["AWS_PROFILE"].flatMap { $0.isEmpty ? nil : $0 }
        let shared = ProfileAWSCredentials(
            profile: profile ?? fromEnvironment ?? "default", isNamed: profile != nil || fromEnvironment != nil,
            files: files)
        return AWSCredentialChain(profile == nil ? [EnvironmentAWSCredentials(environment), shared] : [shared])
    }

    package func loadIfConfigured() async throws(StoreError) -> ExpiringCredentials<AWSCredentials>? {
        for link in links {
            if let credentials = try await link.loadIfConfigured() { return credentials }
        }
        return nil
    }
}
