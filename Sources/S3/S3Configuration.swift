package import AWS
package import HTTPStores

/// Where a bucket is and how its server is spoken to; no credentials.
package struct S3Configuration: Sendable, Hashable {
    package enum Addressing: String, Sendable, CaseIterable {
        /// The bucket in the host name at Amazon when its name has no dots, in the path everywhere else.
        case automatic
        case path
        case virtualHost
    }

    /// Given by somebody; nil means Amazon's host of the region.
    package var endpoint: Endpoint?
    /// For the signature. Amazon corrects a wrong one, see `S3ServerFacts`.
    package var region: String
    package var addressing: Addressing
    /// Of what is written; nil leaves it to the bucket.
    package var encryption: S3Encryption?

    package init(
        endpoint: Endpoint? = nil, region: String = "us-east-1", addressing: Addressing = .automatic,
        encryption: S3Encryption? = nil
    ) {
        self.encryption = encryption
        self.endpoint = endpoint
        self.region = region
        self.addressing = addressing
    }

    /// Whether the server is Amazon's own, whose documented behaviour is relied on.
    package var isAWS: Bool { endpoint.map { AWSHost($0.host) != nil } ?? true }

    /// The endpoint for requests that are signed for `region`. A custom endpoint serves every region.
    package func endpoint(in region: String) -> Endpoint {
        guard var endpoint else { return Endpoint(host: AWSHost.standard("s3", in: region)) }
        guard let aws = AWSHost(endpoint.host), region != self.region, let host = aws.host(in: region) else {
            return endpoint
        }
        endpoint.host = host
        return endpoint
    }

    /// Settles the configuration; the first that says something counts, in this order.
    ///
    /// - endpoint: the argument, `AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL`, the profile's `services` section and
    ///   `endpoint_url`.
    /// - region: the argument, `AWS_REGION`, `AWS_DEFAULT_REGION`, the profile's `region`, the region in an Amazon
    ///   endpoint, `us-east-1`.
    /// - profile: the argument, `AWS_PROFILE`, `default`. A profile that the first two name must exist.
    package static func resolve(
        endpoint: String? = nil, region: String? = nil, profile: String? = nil, addressing: Addressing = .automatic,
        environment: [String: String], files: AWSSharedFiles
    ) throws(SettingError) -> S3Configuration {
        let properties: AWSSharedFiles.Profile
        let name = profile ?? environment["AWS_PROFILE"].flatMap { $0.isEmpty ? nil : $0 }
        do throws(AWSSharedFileError) {
            properties = if let name { try files.namedProfile(name) } else { files.profile("default") ?? [:] }
        } catch {
            throw SettingError(profile == nil ? nil : "profile", message: error.description, dependsOnMachine: true)
        }
        let given: (value: String, origin: String)? =
            endpoint.map { ($0, "it") }
            ?? files.endpoint(of: .s3, profile: name ?? "default", environment: environment)
        var parsed: Endpoint?
        if let given {
            guard let url = Endpoint(given.value) else {
                throw SettingError(
                    endpoint == nil ? nil : "endpoint", message: "\(given.origin) \(Endpoint.advice)")
            }
            parsed = url
        }
        let found =
            AWSRegion.configured(region, environment: environment, profile: properties)
            ?? parsed.flatMap { AWSHost($0.host)?.region } ?? "us-east-1"
        guard AWSHost.isRegion(found) else {
            throw SettingError(
                region == nil ? nil : "region",
                message: "the region must be letters, digits and hyphens, such as eu-west-1")
        }
        guard parsed != nil || AWSHost.looksLikeRegion(found) else {
            throw SettingError(
                region == nil ? nil : "region",
                message: "Amazon has no region of that form: write one such as eu-west-1, or an endpoint beside it")
        }
        return S3Configuration(endpoint: parsed, region: found, addressing: addressing)
    }
}
