import Configuration
import ObjectStores
import Operations
import Replication
import ReplicationModel

extension ServiceSetup {
    /// What a configuration asks of the daemon. Throws when a queue cannot be what it says.
    init(_ file: ConfigurationFile, context: CommandContext, log: ServiceLog, host: String) throws {
        let configuration = file.configuration
        let pairs = try file.pairs([])
        let reread = RereadConfiguration(file, environment: context.environment)
        self.init(
            plans: configuration.pairs.map { pair in
                PairPlan(
                    name: pair.name, schedule: pair.schedule, check: pair.checkSchedule, windows: pair.windows,
                    seed: "\(host)/\(pair.name)")
            },
            places: Dictionary(
                configuration.pairs.map { pair in
                    let memory = pair.settings.limits.memory.map { Int($0.bytes) } ?? ReplicationOptions().memory
                    return (
                        pair.name,
                        Place(
                            source: pair.source.location.description, target: pair.target.location.description,
                            identity: configuration.places(of: pair), memory: memory)
                    )
                }, uniquingKeysWith: { first, _ in first }),
            parallel: configuration.serve.parallelPairs,
            runner: PairService(reread, context: context, log: log),
            events: try pairs.compactMap { try EventSource($0, configuration: reread, context: context) })
    }
}

extension NotificationChannel {
    init(_ settings: NotificationSettings) {
        let destination: Destination =
            switch settings.means {
            case .webhook(let url): .webhook(url)
            case .command(let arguments): .command(arguments)
            }
        self.init(
            name: settings.name, destination: destination,
            events: Set(settings.events.compactMap { PairEvent(rawValue: $0.rawValue) }), pairs: settings.pairs)
    }
}

extension ServiceLog {
    init(_ settings: LogSettings, time: any Timekeeper, write: @escaping @Sendable (String) -> Void) {
        self.init(
            format: Format(rawValue: settings.format.rawValue)!, level: Level(rawValue: settings.level.rawValue)!,
            time: time,
            write: write)
    }

    func change(to settings: LogSettings) {
        change(format: Format(rawValue: settings.format.rawValue)!, level: Level(rawValue: settings.level.rawValue)!)
    }
}
