package import HTTPStores
package import HTTPTransport
package import ObjectStores

/// What credential providers find around them: variables, files, services, a clock.
package struct AWSSurroundings: Sendable {
    package typealias Files = @Sendable () throws(AWSSharedFileError) -> AWSSharedFiles

    let environment: [String: String]
    /// Read at each load, so that what was rotated is found; nil: where the environment says.
    private let files: Files?
    let transport: any HTTPTransport
    /// Seconds since 1970.
    let now: @Sendable () -> Int64
    /// The profile that somebody named: the environment's keys do not count then.
    let profile: String?
    /// Said by somebody; nil: not at all.
    private let givenRegion: String?
    private let stsEndpoint: String?
    let metadata: InstanceMetadata

    package init(
        profile: String? = nil, region: String? = nil, stsEndpoint: String? = nil, environment: [String: String],
        transport: any HTTPTransport, now: @escaping @Sendable () -> Int64, files: Files? = nil
    ) {
        self.profile = profile
        self.environment = environment
        self.files = files
        self.transport = transport
        self.now = now
        givenRegion = region
        self.stsEndpoint = stsEndpoint
        metadata = InstanceMetadata(environment: environment, transport: transport)
    }

    /// The variable's value; nil when it is unset or empty.
    func variable(_ name: String) -> String? { environment.nonempty(name) }

    var profileName: String { profile ?? variable("AWS_PROFILE") ?? "default" }

    /// Whether somebody asked for that profile, so that its absence is an error.
    var isProfileNamed: Bool { profile != nil || variable("AWS_PROFILE") != nil }

    func loadFiles() throws(StoreError) -> AWSSharedFiles {
        do throws(AWSSharedFileError) {
            if let files { return try files() }
            return try AWSSharedFiles.load(environment: environment)
        } catch {
            throw .credentials(error.description)
        }
    }

    /// The properties of a profile; empty for one that nobody named and that does not exist.
    func properties(of name: String) throws(StoreError) -> AWSSharedFiles.Profile {
        let files = try loadFiles()
        do throws(AWSSharedFileError) {
            return isProfileNamed || name != "default" ? try files.namedProfile(name) : files.profile(name) ?? [:]
        } catch {
            throw .credentials(error.description)
        }
    }

    /// Where requests to a service that hands out credentials go, and the region that they are signed for.
    ///
    /// The region is what somebody said, the environment's or the profile's, that of the machine when it has handed out credentials
    /// before, or `us-east-1`.
    func service(_ name: AWSServiceName, region: String? = nil) async throws(StoreError) -> AWSServiceAddress {
        let files = try loadFiles()
        let profile = files.profile(profileName) ?? [:]
        var region = region ?? AWSRegion.configured(givenRegion, environment: environment, profile: profile)
        if region == nil { region = await metadata.regionIfItServes() }
        let given =
            name == .sts && stsEndpoint != nil
            ? stsEndpoint.map { ($0, "the endpoint of the token service") }
            : files.endpoint(of: name, profile: profileName, environment: environment)
        let address = try AWSServiceAddress(name, region: region ?? "us-east-1", endpoint: given)
        guard address.endpoint.scheme == "https" || address.endpoint.isLoopback else {
            throw .credentials(
                "\(given?.origin ?? "the endpoint") is \(address.endpoint.origin): credentials must not travel unencrypted; use https"
            )
        }
        return address
    }
}

/// The names that a service has in variables and files.
package struct AWSServiceName: Sendable, Hashable {
    /// First label of its hosts.
    let host: String
    /// After `AWS_ENDPOINT_URL_`; in lower case, the name in a `services` section.
    let setting: String

    package static let s3 = AWSServiceName(host: "s3", setting: "S3")
    package static let sts = AWSServiceName(host: "sts", setting: "STS")
    package static let kms = AWSServiceName(host: "kms", setting: "KMS")
    package static let sqs = AWSServiceName(host: "sqs", setting: "SQS")
    static let ssoPortal = AWSServiceName(host: "portal.sso", setting: "SSO")
    static let ssoTokens = AWSServiceName(host: "oidc", setting: "SSO_OIDC")
}

/// Where one service of a region is.
package struct AWSServiceAddress: Sendable {
    package var endpoint: Endpoint
    package var region: String

    /// - Parameter endpoint: what somebody wrote, and where.
    package init(
        _ name: AWSServiceName, region: String, endpoint given: (value: String, origin: String)?
    ) throws(StoreError) {
        guard AWSHost.isRegion(region) else {
            throw .credentials(
                "a region is letters, digits and hyphens, such as eu-west-1; correct the one that is set")
        }
        self.region = region
        guard let given else {
            endpoint = Endpoint(host: AWSHost.standard(name.host, in: region))
            return
        }
        guard let endpoint = Endpoint(given.value) else {
            throw .credentials(
                "\(given.origin) is not a URL: write https://host or http://host:port, without user and query")
        }
        self.endpoint = endpoint
    }
}

extension AWSServiceAddress {
    /// What somebody has set for a service that is asked directly; nil for what is not set.
    ///
    /// - Parameter profile: nil is `AWS_PROFILE` or the default one.
    package static func configured(
        _ service: AWSServiceName, environment: [String: String], profile: String? = nil
    ) throws(StoreError) -> (endpoint: Endpoint?, region: String?) {
        let files: AWSSharedFiles
        do throws(AWSSharedFileError) {
            files = try AWSSharedFiles.load(environment: environment)
        } catch {
            throw .credentials(error.description)
        }
        let name = profile ?? environment.nonempty("AWS_PROFILE") ?? "default"
        let region = AWSRegion.configured(nil, environment: environment, profile: files.profile(name) ?? [:])
        guard let given = files.endpoint(of: service, profile: name, environment: environment) else {
            return (nil, region)
        }
        return (try AWSServiceAddress(service, region: region ?? "us-east-1", endpoint: given).endpoint, region)
    }
}

/// The region that somebody has set.
package enum AWSRegion {
    /// The argument, `AWS_REGION`, `AWS_DEFAULT_REGION`, the profile's; nil when none is set.
    package static func configured(
        _ given: String?, environment: [String: String], profile: AWSSharedFiles.Profile
    ) -> String? {
        given ?? environment.nonempty("AWS_REGION") ?? environment.nonempty("AWS_DEFAULT_REGION")
            ?? profile.nonempty("region")
    }
}

extension [String: String] {
    func nonempty(_ name: String) -> String? { self[name].flatMap { $0.isEmpty ? nil : $0 } }
}
