package import HTTPStores
import ObjectStores

/// Who asks Google's services. What is nil is taken from the environment, as Google's own tools do.
package struct GoogleIdentity: Sendable, Hashable {
    /// A JSON file of credentials, of any type that Google's tools write.
    package var credentialsFile: String?
    /// The e-mail address of a service account that is impersonated with these credentials.
    package var impersonate: String?
    package var isAnonymous: Bool

    package init(credentialsFile: String? = nil, impersonate: String? = nil, isAnonymous: Bool = false) {
        self.credentialsFile = credentialsFile
        self.impersonate = impersonate
        self.isAnonymous = isAnonymous
    }

    /// Refuses what cannot be an identity, before anybody is asked.
    package func check() throws(SettingError) {
        guard let impersonate else { return }
        do throws(StoreError) {
            _ = try GoogleImpersonation(email: impersonate, environment: [:])
        } catch {
            throw SettingError("impersonate", message: error.message)
        }
    }
}

/// What a token may be used for.
package enum GoogleScope: String, Sendable, Hashable {
    /// Reading and writing of the data of objects.
    case objects = "https://www.googleapis.com/auth/devstorage.read_write"
    /// All services that the identity has rights in: keys, queues, other identities.
    case platform = "https://www.googleapis.com/auth/cloud-platform"
}
