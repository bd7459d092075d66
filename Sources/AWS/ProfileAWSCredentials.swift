package import HTTPStores
package import ObjectStores

/// What one profile of the shared files says, read again at each load: a role, a web identity, single sign-on, keys, a program.
///
/// The order is that of the reference client. A role may be assumed with the credentials of another profile, which may do the same.
package struct ProfileAWSCredentials: AWSCredentialProvider {
    private let profile: String
    private let surroundings: AWSSurroundings
    /// The profiles that lead here, the first one first.
    private let trail: [String]
    package var place: String { "profile \(profile) of the shared AWS files" }

    /// Longest chain of profiles.
    private static let trailLimit = 8

    package init(profile: String, _ surroundings: AWSSurroundings) {
        self.init(profile: profile, surroundings, trail: [])
    }

    private init(profile: String, _ surroundings: AWSSurroundings, trail: [String]) {
        self.profile = profile
        self.surroundings = surroundings
        self.trail = trail
    }

    package func loadIfConfigured() async throws(StoreError) -> ExpiringCredentials<AWSCredentials>? {
        let properties = try surroundings.properties(of: profile)
        return try await provider(properties)?.loadIfConfigured()
    }

    private func provider(_ properties: AWSSharedFiles.Profile) throws(StoreError) -> (any AWSCredentialProvider)? {
        // In a chain the keys of a profile end it: a profile may name itself as the source of its role.
        let isSource = !trail.isEmpty
        if isSource, let keys = try keys(properties) { return keys }
        if properties.nonempty("role_arn") != nil, properties.nonempty("web_identity_token_file") == nil {
            return try role(properties)
        }
        if let token = try webIdentity(properties, usesEnvironment: !isSource && surroundings.profile == nil) {
            return token
        }
        if properties.nonempty("sso_account_id") != nil || properties.nonempty("sso_role_name") != nil {
            return SSOAWSCredentials(profile: profile, properties: properties, surroundings)
        }
        if let keys = try keys(properties) { return keys }
        if let command = properties.nonempty("credential_process") {
            return ProcessAWSCredentials(command: command, profile: profile, environment: surroundings.environment)
        }
        if properties.nonempty("login_session") != nil {
            throw .credentials(
                "profile \(profile) gets its keys through login_session, which only Amazon's own client reads; "
                    + "give it `credential_process = aws configure export-credentials --profile \(profile)` in another profile"
            )
        }
        return nil
    }

    private func keys(_ properties: AWSSharedFiles.Profile) throws(StoreError) -> StaticAWSCredentials? {
        let key = properties["aws_access_key_id"] ?? ""
        let secret = properties["aws_secret_access_key"] ?? ""
        if key.isEmpty && secret.isEmpty { return nil }
        guard !key.isEmpty, !secret.isEmpty else {
            throw .credentials(
                "profile \(profile) in \(try surroundings.loadFiles().credentialsPath) needs both aws_access_key_id and aws_secret_access_key"
            )
        }
        return StaticAWSCredentials(
            try AWSCredentials(key: key, secret: secret, token: properties["aws_session_token"], from: place))
    }

    /// The environment's web identity, or the profile's.
    private func webIdentity(
        _ properties: AWSSharedFiles.Profile, usesEnvironment: Bool
    ) throws(StoreError) -> WebIdentityAWSCredentials? {
        func setting(_ variable: String, _ property: String) -> String? {
            (usesEnvironment ? surroundings.variable(variable) : nil) ?? properties.nonempty(property)
        }
        guard let file = setting("AWS_WEB_IDENTITY_TOKEN_FILE", "web_identity_token_file") else { return nil }
        guard let arn = setting("AWS_ROLE_ARN", "role_arn") else {
            throw .credentials(
                "there is a web identity token, \(file), and no role for it; set AWS_ROLE_ARN or role_arn")
        }
        let role = try role(
            arn, sessionName: setting("AWS_ROLE_SESSION_NAME", "role_session_name"), externalID: nil, properties)
        return WebIdentityAWSCredentials(role: role, tokenFile: file, surroundings)
    }

    private func role(
        _ arn: String, sessionName: String?, externalID: String?, _ properties: AWSSharedFiles.Profile
    ) throws(StoreError) -> AWSRole {
        let duration = try duration(properties)
        do throws(SettingError) {
            return try AWSRole(arn: arn, sessionName: sessionName, externalID: externalID, duration: duration)
        } catch {
            throw .credentials("the role in \(place) cannot be assumed: \(error)")
        }
    }

    private func role(_ properties: AWSSharedFiles.Profile) throws(StoreError) -> any AWSCredentialProvider {
        if properties.nonempty("mfa_serial") != nil {
            throw .credentials(
                "the role of profile \(profile) asks for a code from an MFA device, which nobody is here to enter; "
                    + "get a session with `aws sts get-session-token --serial-number … --token-code …` and set its keys, "
                    + "or name a role without mfa_serial")
        }
        let role = try role(
            properties["role_arn"] ?? "", sessionName: properties.nonempty("role_session_name"),
            externalID: properties.nonempty("external_id"), properties)
        let base: any AWSCredentialProvider
        switch (properties.nonempty("source_profile"), properties.nonempty("credential_source")) {
        case (let source?, nil): base = try self.source(source)
        case (nil, let name?): base = try namedSource(name)
        case (nil, nil):
            throw .credentials(
                "profile \(profile) has a role_arn and nothing to assume it with; add source_profile or credential_source"
            )
        case (_?, _?):
            throw .credentials("profile \(profile) has both source_profile and credential_source; keep one of them")
        }
        return AssumedRoleAWSCredentials(role: role, base: base, surroundings)
    }

    private func source(_ source: String) throws(StoreError) -> any AWSCredentialProvider {
        let trail = trail + [profile]
        guard try surroundings.loadFiles().profile(source) != nil else {
            throw .credentials("profile \(profile) names source_profile \(source), which does not exist")
        }
        // A profile that names itself must end the chain with its own keys.
        let hasKeys = try surroundings.properties(of: source).nonempty("aws_access_key_id") != nil
        let endsHere = source == profile && hasKeys
        guard endsHere || !trail.contains(source) else {
            throw .credentials(
                "the profiles \((trail + [source]).joined(separator: " → ")) go round in a circle; one of them needs keys of its own"
            )
        }
        guard trail.count <= Self.trailLimit else {
            throw .credentials(
                "profile \(trail[0]) leads through more than \(Self.trailLimit) others; shorten the chain of source_profile"
            )
        }
        return ProfileAWSCredentials(profile: source, surroundings, trail: trail)
    }

    private func namedSource(_ name: String) throws(StoreError) -> any AWSCredentialProvider {
        switch name.lowercased() {
        case "environment": return EnvironmentAWSCredentials(surroundings.environment)
        case "ecscontainer": return ContainerAWSCredentials(surroundings)
        case "ec2instancemetadata": return InstanceAWSCredentials(surroundings)
        default:
            throw .credentials(
                "profile \(profile) has an unknown credential_source; it may be Environment, EcsContainer or Ec2InstanceMetadata"
            )
        }
    }

    private func duration(_ properties: AWSSharedFiles.Profile) throws(StoreError) -> Int64? {
        guard let text = properties.nonempty("duration_seconds") else { return nil }
        guard let seconds = Int64(text) else {
            throw .credentials("profile \(profile) has a duration_seconds that is no number")
        }
        return seconds
    }
}
