import Azure
import Configuration
import Cryptography
import HTTPStores
import HTTPTransport
import ObjectStores
import ReplicationModel

/// Looks for what the runs of a configuration would be refused for: makes the stores, identities, keys and queues that they make, and
/// sends nothing.
struct ConfigurationCheck {
    /// What is wrong on every machine.
    private(set) var problems: [ConfigurationProblem] = []
    /// What is not on this machine, and must be on the one that runs the pairs.
    private(set) var warnings: [ConfigurationProblem] = []

    private let configuration: Configuration
    private let environment: [String: String]
    private let clouds: CloudAccess
    private let keyServices: KeyServices
    /// Whether files that the configuration names are looked into, rather than only at what it says itself.
    private let readsFiles: Bool

    init(_ file: ConfigurationFile, _ environment: [String: String], readsFiles: Bool) {
        configuration = file.configuration
        self.environment = environment
        self.readsFiles = readsFiles
        let transport = NoTransport()
        let time = SystemTime()
        let credentials = CloudCredentials(environment: environment, transport: transport, time: time)
        clouds = CloudAccess(environment: environment, transport: transport, time: time, credentials: credentials)
        keyServices = KeyServices(
            environment: environment, transport: transport, time: time, credentials: credentials)
        for pair in configuration.pairs { check(ConfiguredPair(pair, in: file)) }
        for vault in configuration.vaults.values { check(vault) }
        for cloud in configuration.clouds.values where !used.contains(cloud.name) { checkUnused(cloud) }
        if readsFiles { checkFiles() }
    }

    private mutating func add(_ error: SettingError, _ fields: Fields, cloud: CloudSettings? = nil) {
        let ofCloud = cloud.map(\.fields).flatMap { all in error.setting.map(all.declares) == true ? all : nil }
        let problem = (ofCloud ?? fields).problem(with: error.setting, error.message)
        // What no key says, a variable does, which is another one elsewhere.
        if error.dependsOnMachine || error.setting == nil { warnings.append(problem) } else { problems.append(problem) }
    }

    // MARK: Pairs

    private mutating func check(_ pair: ConfiguredPair) {
        let settings = pair.pair
        problems += pair.problems
        for (place, isReadOnly) in [(settings.source, true), (settings.target, false)] {
            check(place, of: pair, isReadOnly: isReadOnly)
        }
        if let control = settings.control { check(control, of: pair, isReadOnly: false) }
        guard let events = settings.events, let fields = settings.fields.object("events") else { return }
        let cloud = events.cloud.flatMap { configuration.clouds[$0] }
        do throws(SettingError) {
            _ = try clouds.queue(events.queue, pair.eventConnection)
        } catch {
            add(error, fields, cloud: cloud)
        }
    }

    private mutating func check(_ place: PlaceSettings, of pair: ConfiguredPair, isReadOnly: Bool) {
        // What a vault has is looked at where the vault is written.
        guard !place.fields.has("vault") else { return }
        let place = (settings: place, request: pair.place(place))
        let cloud = place.settings.cloud.flatMap { configuration.clouds[$0] }
        check(
            place.request.location.underlying, place.request.connection, isReadOnly: isReadOnly, place.settings.fields,
            cloud)
        if place.settings.location.isVault, place.settings.vault == nil { checkKeyless(place.settings.fields) }
    }

    private mutating func check(
        _ location: ObjectLocation, _ connection: Connection, isReadOnly: Bool, _ fields: Fields,
        _ cloud: CloudSettings?
    ) {
        var connection = connection
        // Has been looked at as the pair's own.
        connection.encryption = nil
        do throws(CommandFailure) {
            let base = try clouds.base(location, connection, isReadOnly: isReadOnly)
            guard readsFiles else { return }
            do throws(SettingError) { try base.checkCredentials() } catch { add(error, fields, cloud: cloud) }
        } catch {
            add(error.setting ?? SettingError("location", message: error.description), fields, cloud: cloud)
        }
    }

    // MARK: Vaults

    private mutating func check(_ vault: VaultSettings) {
        let cloud = vault.cloud.flatMap { configuration.clouds[$0] }
        check(vault.location.underlying, connection(to: cloud), isReadOnly: false, vault.fields, cloud)
        if let kms = vault.kms {
            guard let address = KeyServiceAddress(argument: kms) else {
                problems.append(vault.problem(with: "kms", KeyServiceAddress.usage))
                return
            }
            let cloud = vault.kmsCloud.flatMap { configuration.clouds[$0] } ?? cloud
            do throws(CommandFailure) {
                _ = try keyServices.wrapper(address, as: configuration.identity(forKeyOf: vault))
            } catch {
                add(
                    error.setting ?? SettingError("kms", message: error.description), vault.fields,
                    cloud: cloud)
            }
        }
        let files = [
            vault.passwordFile.map { VaultKeyFile(path: $0, kind: .password) },
            vault.keyFile.map { VaultKeyFile(path: $0, kind: .key) },
        ].compactMap { $0 }
        if readsFiles {
            for file in files {
                do throws(SettingError) { try file.check() } catch { add(error, vault.fields) }
            }
        }
        if vault.kms == nil, files.isEmpty { checkKeyless(vault.fields) }
    }

    /// - Parameter fields: of a vault for which the configuration says nothing that opens it.
    private mutating func checkKeyless(_ fields: Fields) {
        let variables = ["LOCKSTEP_VAULT_KEY_FILE", "LOCKSTEP_VAULT_PASSWORD_FILE", "LOCKSTEP_VAULT_KMS"]
        guard variables.allSatisfy({ (environment[$0] ?? "").isEmpty }) else { return }
        add(
            SettingError(
                message:
                    "nothing opens the vault where nobody is there to type a passphrase: write password_file, key_file or kms in vaults"
            ), fields)
    }

    // MARK: Clouds

    /// Those that some place or vault has been looked at in.
    private var used: Set<String> {
        let places = configuration.pairs.flatMap { [$0.source, $0.target, $0.control].compactMap { $0 } }
        let vaults = configuration.vaults.values.compactMap(\.cloud)
        return Set(places.filter { !$0.fields.has("vault") }.compactMap(\.cloud) + vaults)
    }

    /// An identity that nothing uses yet is looked at as if some bucket was asked.
    private mutating func checkUnused(_ cloud: CloudSettings) {
        var location = ObjectLocation(service: cloud.service, bucket: "bucket")
        if cloud.service == .az { location.account = cloud.account }
        check(location, connection(to: cloud), isReadOnly: true, cloud.fields, cloud)
    }

    /// nil: as the environment has it.
    private func connection(to cloud: CloudSettings?) -> Connection {
        var connection = Connection()
        if let cloud { connection.take(cloud) }
        return connection
    }

    // MARK: Files

    private mutating func checkFiles() {
        let root = configuration.fields
        var machine = MachineCheck(environment: environment)
        if let state = configuration.state { machine.state(state, root) }
        if let directory = configuration.metricsTextfile, let fields = root.object("metrics") {
            machine.directory(directory, "textfile", fields)
        }
        for pair in configuration.pairs {
            let source = pair.source
            if source.location.service == .file, !source.location.isVault {
                machine.source(source.location.bucket, "location", source.fields)
            }
            guard let path = pair.settings.manifest.signingKey, let fields = pair.fields.object("manifest") else {
                continue
            }
            machine.signingKey(path, "signing_key", fields)
        }
        for notification in configuration.notifications {
            guard case .command(let arguments) = notification.means else { continue }
            machine.program(arguments[0], "command", notification.fields)
        }
        for (error, fields) in machine.findings { add(error, fields) }
    }
}

extension CloudSettings {
    /// Some account that what is written here can be for.
    fileprivate var account: String {
        if let named = endpoint.flatMap({ Endpoint($0) }).flatMap({ AzureHost.account(in: $0) }) { return named }
        let string = CloudIdentity(self).azure?.connectionString
        return string.flatMap { AzureConnectionString.account(in: $0.revealed()) } ?? "account"
    }
}
