package import HTTPStores

/// Where the service is; no credentials.
package struct GCSConfiguration: Sendable, Hashable {
    package var endpoint: Endpoint
    /// Whether requests are sent without credentials because an emulator was named.
    package var isEmulator: Bool
    /// The key of Cloud KMS that what is written is encrypted with; nil leaves that to the bucket.
    package var kmsKeyName: String?

    package static let standardEndpoint = Endpoint(host: "storage.googleapis.com")

    package init(endpoint: Endpoint = standardEndpoint, isEmulator: Bool = false, kmsKeyName: String? = nil) {
        self.endpoint = endpoint
        self.isEmulator = isEmulator
        self.kmsKeyName = kmsKeyName
    }

    /// Whether the server is Google's own, whose documented behaviour is relied on.
    package var isGoogle: Bool { endpoint.host == "googleapis.com" || endpoint.host.hasSuffix(".googleapis.com") }

    /// Settles the endpoint; the first that says something counts: the argument, `STORAGE_EMULATOR_HOST` (with or
    /// without a scheme), Google's own.
    package static func resolve(
        endpoint: String? = nil, environment: [String: String]
    ) throws(SettingError) -> GCSConfiguration {
        if let endpoint {
            return GCSConfiguration(endpoint: try parse(endpoint, "endpoint", origin: "it"))
        }
        guard let emulator = environment["STORAGE_EMULATOR_HOST"], !emulator.isEmpty else { return GCSConfiguration() }
        let url = emulator.contains("://") ? emulator : "http://\(emulator)"
        return GCSConfiguration(endpoint: try parse(url, nil, origin: "STORAGE_EMULATOR_HOST"), isEmulator: true)
    }

    private static func parse(
        _ text: String, _ setting: String?, origin: String
    ) throws(SettingError) -> Endpoint {
        guard let endpoint = Endpoint(text) else {
            throw SettingError(setting, message: "\(origin) \(Endpoint.advice)")
        }
        return endpoint
    }
}
