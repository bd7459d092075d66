package import HTTPStores
package import ObjectStores

/// A role that is assumed, and under which name.
package struct AWSRole: Sendable, Hashable {
    package let arn: String
    package let sessionName: String
    package let externalID: String?
    /// Seconds; nil leaves it to the service, which gives an hour.
    package let duration: Int64?

    /// What a role's sessions may last, in seconds.
    private static let durations: ClosedRange<Int64> = 900...43_200

    package init(
        arn: String, sessionName: String?, externalID: String?, duration: Int64?
    ) throws(SettingError) {
        let parts = arn.split(separator: ":", maxSplits: 5, omittingEmptySubsequences: false)
        guard parts.count == 6, parts[0] == "arn", parts[2] == "iam", parts[5].hasPrefix("role/") else {
            throw SettingError(
                "role_arn", message: "it is no ARN of a role, which looks like arn:aws:iam::123456789012:role/NAME")
        }
        if let duration, !Self.durations.contains(duration) {
            throw SettingError("role_duration", message: "the sessions of a role may last from 15 minutes to 12 hours")
        }
        self.arn = arn
        self.sessionName = sessionName ?? "lockstep"
        self.externalID = externalID
        self.duration = duration
    }
}

/// The temporary keys of a role that other credentials may assume.
package struct AssumedRoleAWSCredentials: AWSCredentialProvider {
    private let role: AWSRole
    private let base: any AWSCredentialProvider
    private let surroundings: AWSSurroundings
    package var place: String { "the role \(role.arn), assumed with credentials from \(base.place)" }

    package init(role: AWSRole, base: any AWSCredentialProvider, _ surroundings: AWSSurroundings) {
        self.role = role
        self.base = base
        self.surroundings = surroundings
    }

    package func check() throws(SettingError) { try base.check() }

    package func loadIfConfigured() async throws(StoreError) -> ExpiringCredentials<AWSCredentials>? {
        let credentials: ExpiringCredentials<AWSCredentials>
        do throws(StoreError) {
            credentials = try await base.load()
        } catch {
            var error = error
            error.message = "the role \(role.arn) cannot be assumed: \(error.message)"
            throw error
        }
        return try await SecurityTokenService(surroundings).assume(role, with: credentials.value)
    }
}
