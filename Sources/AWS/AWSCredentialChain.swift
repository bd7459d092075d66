package import HTTPStores
package import ObjectStores

/// Asks several places in turn; the first where something is configured counts, also when that something is broken.
package struct AWSCredentialChain: AWSCredentialProvider {
    private let links: [any AWSCredentialProvider]
    package var place: String { links.map(\.place).joined(separator: ", ") }

    package init(_ links: [any AWSCredentialProvider]) {
        self.links = links
    }

    /// The order of the reference client: the environment unless a profile is named, then the profile (the argument, `AWS_PROFILE`,
    /// `default`) with all that it may say, then the container's and the machine's services.
    package static func standard(_ surroundings: AWSSurroundings) -> AWSCredentialChain {
        let profile = ProfileAWSCredentials(profile: surroundings.profileName, surroundings)
        let services: [any AWSCredentialProvider] = [
            ContainerAWSCredentials(surroundings), InstanceAWSCredentials(surroundings),
        ]
        guard surroundings.profile == nil else { return AWSCredentialChain([profile] + services) }
        return AWSCredentialChain([EnvironmentAWSCredentials(surroundings.environment), profile] + services)
    }

    package func check() throws(SettingError) {
        for link in links { try link.check() }
    }

    package func loadIfConfigured() async throws(StoreError) -> ExpiringCredentials<AWSCredentials>? {
        for link in links {
            if let credentials = try await link.loadIfConfigured() { return credentials }
        }
        return nil
    }
}
