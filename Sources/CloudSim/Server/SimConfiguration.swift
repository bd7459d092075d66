/// What a simulator is started with.
package struct SimConfiguration: Sendable {
    /// Ports on 127.0.0.1; 0 takes a free one.
    package var s3Port = 0
    package var gcsPort = 0
    package var azurePort = 0
    package var controlPort = 0

    /// The directory objects are kept in; nil keeps them in memory.
    package var dataDirectory: String?

    /// Whether single-part S3 ETags are the MD5 of the bytes, as tools that compare them expect, or opaque.
    package var etag: ETagPolicy = .md5

    /// Off: every signature and token is taken, as several emulators do.
    package var verifiesSignatures = true

    package var s3 = S3Credentials()
    package var gcs = GCSCredentials()
    package var azure = AzureCredentials()

    /// Rules that are active from the first request.
    package var faults: [FaultRule] = []

    package init() {}
}

package enum ETagPolicy: String, Codable, Sendable, CaseIterable {
    /// Hex MD5 of the bytes: costs the server about 1.5 CPU seconds per GiB.
    case md5
    /// Random, as with KMS encryption.
    case random
}

/// The one S3 identity, and the region its buckets are in by default.
package struct S3Credentials: Sendable {
    package var accessKey = "AKIDCLOUDSIM00000000"
    package var secretKey = "cloudsim-secret-key-of-forty-characters0"
    /// When set, requests must carry exactly this session token.
    package var sessionToken: String?
    package var region = "us-east-1"

    package init() {}
}

/// How Google clients are let in.
package struct GCSCredentials: Sendable {
    /// Accept requests without an Authorization header, as emulator clients send them.
    package var allowsAnonymous = true
    /// Bearer tokens that are accepted; the token endpoint of the front end may add more.
    package var bearerTokens: [String] = ["cloudsim-token"]
    package var project = "cloudsim"

    package init() {}
}

/// The storage account with its shared key (the well-known key of the development account by default).
package struct AzureCredentials: Sendable {
    package var account = "devstoreaccount1"
    package var key = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
    /// Bearer tokens that are accepted for every account, with all rights.
    package var bearerTokens: [String] = ["cloudsim-token"]
    /// Further accounts by name with their base64 keys.
    package var otherAccounts: [String: String] = [:]

    package init() {}
}
