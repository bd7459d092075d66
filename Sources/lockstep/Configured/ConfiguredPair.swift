import Configuration
import ReplicationModel

/// A pair of the configuration, ready to be run as often as somebody likes: by hand, by a timer, by the daemon.
struct ConfiguredPair: Sendable {
    let pair: PairConfiguration
    private let file: ConfigurationFile

    init(_ pair: PairConfiguration, in file: ConfigurationFile) {
        self.pair = pair
        self.file = file
    }

    var name: String { pair.name }
    private var configuration: Configuration { file.configuration }

    /// What the configuration cannot know: how this program names states of vaults and encryption.
    var problems: [ConfigurationProblem] {
        var problems: [ConfigurationProblem] = []
        if let snapshot = pair.source.snapshot, SnapshotArgument(argument: snapshot) == nil {
            problems.append(
                pair.problem(
                    with: "source.snapshot", "must be a snapshot's number, latest, or a time such as 2026-11-01"))
        }
        if let text = pair.target.encryption, let problem = StoreFactory.problem(text, pair.target.location.service) {
            problems.append(pair.problem(with: "target.encryption", problem))
        }
        return problems
    }

    func request(keys: KeySelection = .all, dryRun: Bool = false, waits: Bool = false) -> PairRequest {
        var request = PairRequest(source: place(pair.source), target: place(pair.target), settings: pair.settings)
        request.control = pair.control.map { place($0) }
        request.windows = pair.windows
        request.keys = keys
        request.dryRun = dryRun
        request.state = StateRequest(path: configuration.state, waits: waits, pair.settings.lease)
        return request
    }

    func checkRequest() -> CheckRequest {
        var request = CheckRequest(
            source: .place(place(pair.source)), target: place(pair.target), settings: pair.check)
        request.windows = pair.windows
        request.state = configuration.state
        return request
    }

    /// How the source's queue of changes is asked.
    var eventConnection: Connection {
        var connection = Connection()
        if let cloud = (pair.events?.cloud ?? pair.source.cloud).flatMap({ configuration.clouds[$0] }) {
            connection.take(cloud)
        }
        return connection
    }

    func place(_ settings: PlaceSettings) -> PairRequest.Place {
        var connection = Connection(encryption: settings.encryption)
        if let name = settings.cloud, let cloud = configuration.clouds[name] {
            connection.take(cloud)
            connection.origin = ConfiguredOrigin(file: file.path, name: .cloud(name))
        }
        connection.vault.state = configuration.state
        if let name = settings.vault, let vault = configuration.vaults[name] {
            connection.vault.take(vault)
            connection.vault.kmsIdentity = configuration.identity(forKeyOf: vault)
            connection.origin = ConfiguredOrigin(
                file: file.path, name: .vault(name, cloud: vault.cloud), root: vault.location)
        }
        connection.vault.snapshot = settings.snapshot.flatMap { SnapshotArgument(argument: $0) }
        return PairRequest.Place(location: settings.location, connection: connection)
    }
}
