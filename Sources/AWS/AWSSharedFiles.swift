import HTTPStores

/// The profiles of the shared credentials and configuration files, taken together.
///
/// Where both files set a property of a profile, the credentials file counts. A file may be absent; a profile that
/// somebody named may not.
package struct AWSSharedFiles: Sendable {
    package typealias Profile = [String: String]

    package let credentialsPath: String
    package let configPath: String
    private let profiles: [String: Profile]
    private let services: [String: Profile]
    private let sessions: [String: Profile]

    /// Larger files are refused: nobody writes so many profiles.
    static let sizeLimit = 1 << 20

    /// Reads both files where the environment says (`AWS_SHARED_CREDENTIALS_FILE`, `AWS_CONFIG_FILE`), else under
    /// `$HOME/.aws`.
    package static func load(environment: [String: String]) throws(AWSSharedFileError) -> AWSSharedFiles {
        let home = environment["HOME"] ?? ""
        func path(_ variable: String, _ standard: String) -> String {
            guard let given = environment[variable], !given.isEmpty else { return "\(home)/.aws/\(standard)" }
            return given.hasPrefix("~/") ? home + given.dropFirst() : given
        }
        let credentialsPath = path("AWS_SHARED_CREDENTIALS_FILE", "credentials")
        let configPath = path("AWS_CONFIG_FILE", "config")
        return try AWSSharedFiles(
            credentials: contents(credentialsPath), config: contents(configPath), credentialsPath: credentialsPath,
            configPath: configPath)
    }

    /// - Parameters:
    ///   - credentials: text of the credentials file, nil when there is none.
    ///   - config: text of the configuration file, nil when there is none.
    package init(
        credentials: String?, config: String?, credentialsPath: String = "~/.aws/credentials",
        configPath: String = "~/.aws/config"
    ) throws(AWSSharedFileError) {
        var profiles: [String: Profile] = [:]
        var services: [String: Profile] = [:]
        var sessions: [String: Profile] = [:]
        if let config {
            for (header, properties) in try AWSSharedFileParser(config, path: configPath).sections {
                if header == "default" {
                    // `[profile default]` is the same profile and counts more, as in the reference clients.
                    profiles["default", default: [:]].merge(properties) { explicit, _ in explicit }
                } else if header.hasPrefix("profile ") {
                    profiles[String(header.dropFirst(8)), default: [:]].merge(properties) { _, explicit in explicit }
                } else if header.hasPrefix("services ") {
                    services[String(header.dropFirst(9))] = properties
                } else if header.hasPrefix("sso-session ") {
                    sessions[String(header.dropFirst(12))] = properties
                }
            }
        }
        if let credentials {
            for (name, properties) in try AWSSharedFileParser(credentials, path: credentialsPath).sections {
                profiles[name, default: [:]].merge(properties) { _, secret in secret }
            }
        }
        self.profiles = profiles
        self.services = services
        self.sessions = sessions
        self.credentialsPath = credentialsPath
        self.configPath = configPath
    }

    /// The profile of that name, nil when neither file has it.
    package func profile(_ name: String) -> Profile? { profiles[name] }

    /// The profile that somebody named; its absence is an error that says where it was looked for.
    package func namedProfile(_ name: String) throws(AWSSharedFileError) -> Profile {
        guard let profile = profiles[name] else {
            throw AWSSharedFileError(
                path: credentialsPath, line: 0,
                message:
                    "there is no profile \"\(name)\", nor [profile \(name)] in \(configPath); check the name or add it")
        }
        return profile
    }

    /// The `sso-session` section of that name.
    func session(_ name: String) -> Profile? { sessions[name] }

    /// The endpoint that somebody has set for a service, and where: the service's variable, the one for all, the profile's `services`
    /// section and its own `endpoint_url`.
    package func endpoint(
        of service: AWSServiceName, profile name: String, environment: [String: String]
    ) -> (value: String, origin: String)? {
        let profile = profiles[name]
        let ignored =
            environment.nonempty("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS") ?? profile?["ignore_configured_endpoint_urls"]
        if ignored?.lowercased() == "true" { return nil }
        for variable in ["AWS_ENDPOINT_URL_\(service.setting)", "AWS_ENDPOINT_URL"] {
            if let value = environment.nonempty(variable) { return (value, variable) }
        }
        guard let profile else { return nil }
        let key = "\(service.setting.lowercased()).endpoint_url"
        let section = profile["services"].flatMap { services[$0]?[key] }
        return (section ?? profile[key] ?? profile["endpoint_url"]).map { ($0, "endpoint_url of profile \(name)") }
    }

    /// The file's text, or nil when it does not exist.
    private static func contents(_ path: String) throws(AWSSharedFileError) -> String? {
        let bytes: [UInt8]?
        do throws(CredentialFile.Unreadable) { bytes = try CredentialFile.bytes(of: path, limit: sizeLimit) } catch {
            throw AWSSharedFileError(path: path, line: 0, message: error.reason)
        }
        guard let bytes else { return nil }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw AWSSharedFileError(path: path, line: 0, message: "is not UTF-8 text")
        }
        return text
    }
}
