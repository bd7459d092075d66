package import HTTPStores
package import ObjectStores

/// The keys of the role that an EC2 instance runs as.
package struct InstanceAWSCredentials: AWSCredentialProvider {
    private let surroundings: AWSSurroundings
    package var place: String {
        surroundings.metadata.isDisabled
            ? "the EC2 metadata service (switched off by AWS_EC2_METADATA_DISABLED)" : "the EC2 metadata service"
    }

    private static let path = "/latest/meta-data/iam/security-credentials/"

    package init(_ surroundings: AWSSurroundings) {
        self.surroundings = surroundings
    }

    package func loadIfConfigured() async throws(StoreError) -> ExpiringCredentials<AWSCredentials>? {
        let metadata = surroundings.metadata
        guard let role = try await metadata.text(Self.path), !role.isEmpty else { return nil }
        guard let document = try await metadata.get(Self.path + PercentEncoding.encode(role)) else {
            throw StoreError(
                .unavailable, .head, message: "the EC2 metadata service names a role and has no keys of it yet",
                retry: .transient)
        }
        var found = try AWSCredentialDocument.credentials(
            in: document, of: .service, from: "the EC2 metadata service")
        metadata.noteServing()
        // When its own source is out of order, the service hands out keys that have expired already, and S3 takes them meanwhile:
        // they are used on, and asked for again in minutes.
        let now = surroundings.now()
        if let expiration = found.expiration, expiration <= now {
            found.expiration = now + AWSCredentials.advisory + Int64.random(in: 120...300)
        }
        return found
    }
}
