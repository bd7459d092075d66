package import HTTPStores
package import ObjectStores

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
        return ExpiringCredentials(
            try AWSCredentials(key: key, secret: secret, token: environment["AWS_SESSION_TOKEN"], from: place))
    }
}
