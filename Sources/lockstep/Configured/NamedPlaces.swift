import ChildProcesses
import Configuration
import ReplicationModel

/// Places as one command line names them: by locations and flags, by a cloud of the configuration file, or as one of its vaults.
///
/// The file is read when something of it is named, or when `--config` is given; then its `state` holds where no option says otherwise.
struct NamedPlaces {
    /// What the name of a vault of the file begins with; a directory of such a name is written `./vault:…`.
    static let vaultMark = "vault:"

    private let file: ConfigurationFile?
    private let context: CommandContext

    /// - Parameters:
    ///   - clouds: names of clouds, where options give any.
    ///   - texts: locations.
    init(_ options: ConfigurationOptions, clouds: [String?], texts: [String?], _ context: CommandContext) throws {
        let namesVault = texts.contains { $0?.hasPrefix(Self.vaultMark) ?? false }
        let isAsked = options.config != nil || namesVault || clouds.contains { $0 != nil }
        file = isAsked ? try ConfigurationFile.load(options.config, context.environment) : nil
        self.context = context
    }

    /// Directory of ledgers that the file names.
    var state: String? { file?.configuration.state }

    /// - Parameters:
    ///   - connection: what flags say.
    ///   - cloud: what `--cloud` says, or its likes for sides of a pair, whose names begin with `side`.
    func place(
        _ text: String, as kind: ObjectLocation.Kind = .folder, _ connection: Connection, cloud: String?,
        side: String = ""
    ) throws(CommandFailure) -> PairRequest.Place {
        var connection = connection
        connection.vault.state = connection.vault.state ?? state
        if let file, text.hasPrefix(Self.vaultMark) {
            return try vault(text, as: kind, connection, cloud, side: side, in: file)
        }
        let location = try context.location(text, as: kind)
        guard let file, let cloud else { return PairRequest.Place(location: location, connection: connection) }
        let option = "--\(side)cloud \(cloud)"
        guard let settings = file.configuration.clouds[cloud] else {
            throw unknown(cloud, "cloud", file.configuration.clouds.keys, in: file)
        }
        guard settings.service == location.service else {
            let place = location.service == .file ? "is a directory, which is in no cloud" : "is not"
            throw CommandFailure(.usage, "\(option) is of type \(settings.service.rawValue), and \(location) \(place)")
        }
        guard !connection.isAddressed else {
            throw CommandFailure(
                .usage, "\(option) says where the service is and who asks: not with \(Self.addressing(side))")
        }
        connection.take(settings)
        if location.isVault { connection.vault.kmsIdentity = connection.identity }
        connection.origin = ConfiguredOrigin(file: file.path, name: .cloud(cloud))
        return PairRequest.Place(location: location, connection: connection)
    }

    /// `vault:NAME`, and behind a slash a folder or an object inside.
    private func vault(
        _ text: String, as kind: ObjectLocation.Kind, _ connection: Connection, _ cloud: String?, side: String,
        in file: ConfigurationFile
    ) throws(CommandFailure) -> PairRequest.Place {
        let path = text.dropFirst(Self.vaultMark.count)
        let name = String(path.prefix { $0 != "/" })
        let configuration = file.configuration
        guard let vault = configuration.vaults[name] else {
            throw unknown(name, "vault", configuration.vaults.keys, in: file)
        }
        guard cloud == nil, !connection.isAddressed else {
            throw CommandFailure(
                .usage,
                "\(text): the file says where its vaults are and who asks: not with --\(side)cloud, \(Self.addressing(side))"
            )
        }
        let root = vault.location.description
        let inside = path.dropFirst(name.count + 1)
        let location = try context.location(inside.isEmpty ? root : root.withSlash + inside, as: kind)
        var connection = connection
        if let settings = vault.cloud.flatMap({ configuration.clouds[$0] }) { connection.take(settings) }
        // Another key than the file's opens it when an option names one.
        if !connection.vault.namesKey { connection.vault.take(vault) }
        connection.vault.kmsIdentity = configuration.identity(forKeyOf: vault)
        connection.origin = ConfiguredOrigin(
            file: file.path, name: .vault(name, cloud: vault.cloud), root: vault.location)
        return PairRequest.Place(location: location, connection: connection)
    }

    private func unknown(
        _ name: String, _ kind: String, _ known: some Sequence<String>, in file: ConfigurationFile
    ) -> CommandFailure {
        let names = known.sorted().joined(separator: ", ")
        return CommandFailure(
            .usage,
            "\(file.path) has no \(kind) of the name \(name); it has \(names.isEmpty ? "none" : names)")
    }

    private static func addressing(_ side: String) -> String {
        "--\(side)endpoint, --\(side)region or --\(side)profile"
    }
}

extension String {
    fileprivate var withSlash: String { hasSuffix("/") ? self : self + "/" }
}

/// Where the configuration names a place, so that messages can name it as commands take it.
struct ConfiguredOrigin: Sendable, Hashable {
    enum Name: Sendable, Hashable {
        case cloud(String)
        case vault(String, cloud: String?)
    }

    /// Path of the file.
    var file: String
    var name: Name
    /// Of a vault: all of it, whatever folder inside is named.
    var root: ObjectLocation?
}

extension Connection {
    /// As a cloud of the configuration is asked.
    mutating func take(_ cloud: CloudSettings) {
        endpoint = cloud.endpoint
        region = cloud.region
        profile = cloud.profile
        identity = CloudIdentity(cloud)
    }

    /// What says where the service of `location` is.
    func addressName(of location: ObjectLocation) -> String {
        let cloud: String? =
            switch origin?.name {
            case .cloud(let name): name
            case .vault(_, let name): name
            case nil: nil
            }
        if let cloud, let file = origin?.file, endpoint != nil || region != nil {
            return "clouds.\(cloud).\(endpoint != nil ? "endpoint" : "region") in \(file)"
        }
        if endpoint != nil { return "the URL of its --endpoint option" }
        if location.service == .az { return "the account's name, \(location.account)" }
        return region != nil ? "the region, \(region ?? "")" : "the region, and the variables that name an endpoint"
    }

    /// The arguments by which a command finds `location` as this connection does.
    func arguments(for location: ObjectLocation) -> String {
        var words: [String] = []
        var opensItself = false
        switch origin?.name {
        case .vault(let name, _) where location.isVault:
            words.append(NamedPlaces.vaultMark + name)
            opensItself = true
        case .vault(_, let cloud?), .cloud(let cloud): words += [location.description, "--cloud", cloud]
        case .vault, nil: words.append(location.description)
        }
        if let file = origin?.file, file != ConfigurationFile.standardPath { words += ["--config", file] }
        var options: [(String, String?)] = []
        if origin == nil { options += [("--endpoint", endpoint), ("--region", region), ("--profile", profile)] }
        if location.isVault, !opensItself {
            options += [
                ("--password-file", vault.passwordFile), ("--key-file", vault.keyFile),
                ("--kms", vault.kms?.description),
            ]
        }
        for (option, value) in options { if let value { words += [option, value] } }
        return words.map { CommandWords.quoted($0) }.joined(separator: " ")
    }
}

extension VaultAccess {
    /// Something is named that opens the vault.
    var namesKey: Bool { passwordFile != nil || keyFile != nil || kms != nil }

    /// What opens a vault of the configuration.
    mutating func take(_ vault: VaultSettings) {
        passwordFile = vault.passwordFile
        keyFile = vault.keyFile
        kms = vault.kms.flatMap { KeyServiceAddress(argument: $0) }
    }
}

extension Configuration {
    /// Who asks the service of a vault's key.
    func identity(forKeyOf vault: VaultSettings) -> CloudIdentity? {
        (vault.kmsCloud ?? vault.cloud).flatMap { clouds[$0] }.map { CloudIdentity($0) }
    }
}
