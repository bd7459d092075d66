package import Cryptography
package import HTTPStores
package import HTTPTransport
import ObjectStores

/// Who asks Amazon's services, as far as somebody has said so; what is nil is looked for as Amazon's own tools do.
package struct AWSIdentity: Sendable, Hashable {
    /// Of the shared files; named like that it must exist, and the environment's keys do not count.
    package var profile: String?
    package var accessKeyID: String?
    package var secretAccessKey: Secret?
    package var sessionToken: Secret?
    /// The role that is assumed with the credentials, or with the web identity.
    package var roleARN: String?
    package var externalID: String?
    package var roleSessionName: String?
    package var roleDuration: Duration?
    /// Read again at each refresh.
    package var webIdentityTokenFile: String?
    /// URL of the service that is asked for roles.
    package var stsEndpoint: String?
    package var isAnonymous: Bool

    package init(
        profile: String? = nil, accessKeyID: String? = nil, secretAccessKey: Secret? = nil,
        sessionToken: Secret? = nil, roleARN: String? = nil, externalID: String? = nil, roleSessionName: String? = nil,
        roleDuration: Duration? = nil, webIdentityTokenFile: String? = nil, stsEndpoint: String? = nil,
        isAnonymous: Bool = false
    ) {
        self.profile = profile
        self.accessKeyID = accessKeyID
        self.secretAccessKey = secretAccessKey
        self.sessionToken = sessionToken
        self.roleARN = roleARN
        self.externalID = externalID
        self.roleSessionName = roleSessionName
        self.roleDuration = roleDuration
        self.webIdentityTokenFile = webIdentityTokenFile
        self.stsEndpoint = stsEndpoint
        self.isAnonymous = isAnonymous
    }

    /// Refuses what contradicts itself, before anybody is asked.
    func check() throws(SettingError) {
        if accessKeyID != nil, secretAccessKey == nil {
            throw SettingError(
                "access_key_id", message: "a key needs both its id and its secret: write secret_access_key too")
        }
        if secretAccessKey != nil, accessKeyID == nil {
            throw SettingError(
                "secret_access_key", message: "a key needs both its id and its secret: write access_key_id too")
        }
        if sessionToken != nil, accessKeyID == nil {
            throw SettingError(
                "session_token",
                message: "a session token belongs to a key: write access_key_id and secret_access_key too")
        }
        let keys = [
            ("access_key_id", accessKeyID), ("secret_access_key", secretAccessKey?.revealed()),
            ("session_token", sessionToken?.revealed()),
        ]
        for (setting, text) in keys where !AWSCredentials.isLegal(text ?? "") {
            throw SettingError(
                setting,
                message: "there is a character in it that no key has, perhaps a blank or a line break; copy it again")
        }
        let sources = [
            (setting: "profile", value: profile), ("access_key_id", accessKeyID),
            ("web_identity_token_file", webIdentityTokenFile),
        ].filter { $0.value != nil }
        guard sources.count <= 1 else {
            throw SettingError(
                sources[1].setting,
                message: "give one of a profile, an access key and a web identity token file, not several")
        }
        try checkRole()
        if let stsEndpoint {
            guard let endpoint = Endpoint(stsEndpoint) else {
                throw SettingError("sts_endpoint", message: Endpoint.advice)
            }
            guard endpoint.scheme == "https" || endpoint.isLoopback else {
                throw SettingError("sts_endpoint", message: "credentials must not travel unencrypted: use https")
            }
        }
    }

    private func checkRole() throws(SettingError) {
        guard roleARN == nil else { return }
        if webIdentityTokenFile != nil {
            throw SettingError(
                "web_identity_token_file", message: "a web identity token stands for a role: say which with role_arn")
        }
        let parts = [
            ("external_id", externalID != nil), ("role_session_name", roleSessionName != nil),
            ("role_duration", roleDuration != nil),
        ]
        for (setting, isGiven) in parts where isGiven {
            throw SettingError(setting, message: "it belongs to a role: give its ARN with role_arn")
        }
    }
}

extension AWSCredentials {
    /// Everybody waits for fresh ones when less than this is left, in seconds.
    package static let margin: Int64 = 600
    /// Fresh ones are fetched in the background when less than this is left.
    package static let advisory: Int64 = 900

    /// The credentials of an identity, shared by all who use it; nil for anonymous requests. Nothing is asked for before they are
    /// used.
    ///
    /// - Parameters:
    ///   - region: of the token service; nil looks for it as Amazon's tools do.
    ///   - now: seconds since 1970.
    package static func shared(
        _ identity: AWSIdentity, region: String?, environment: [String: String], transport: any HTTPTransport,
        now: @escaping @Sendable () -> Int64
    ) throws(SettingError) -> SharedCredentials<AWSCredentials>? {
        if identity.isAnonymous { return nil }
        try identity.check()
        let surroundings = AWSSurroundings(
            profile: identity.profile, region: region, stsEndpoint: identity.stsEndpoint, environment: environment,
            transport: transport, now: now)
        let chain = AWSCredentialChain([try source(identity, surroundings)])
        return SharedCredentials(chain, margin: margin, advisory: advisory, now: now)
    }

    private static func source(
        _ identity: AWSIdentity, _ surroundings: AWSSurroundings
    ) throws(SettingError) -> any AWSCredentialProvider {
        let role: AWSRole? =
            if let arn = identity.roleARN {
                try AWSRole(
                    arn: arn, sessionName: identity.roleSessionName, externalID: identity.externalID,
                    duration: identity.roleDuration?.components.seconds)
            } else {
                nil
            }
        if let role, let file = identity.webIdentityTokenFile {
            return WebIdentityAWSCredentials(role: role, tokenFile: file, surroundings)
        }
        let base: any AWSCredentialProvider
        if let key = identity.accessKeyID, let secret = identity.secretAccessKey {
            base = StaticAWSCredentials(
                AWSCredentials(accessKeyID: key, secretAccessKey: secret, sessionToken: identity.sessionToken))
        } else {
            base = AWSCredentialChain.standard(surroundings)
        }
        return role.map { AssumedRoleAWSCredentials(role: $0, base: base, surroundings) } ?? base
    }
}
