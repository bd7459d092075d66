import Cryptography
import Manifests
import Replication
import ReplicationModel

/// Makes a configuration of fields that are right one by one, and looks for what does not go together.
struct ConfigurationBuilder {
    private let root: Fields
    private(set) var problems: [ConfigurationProblem] = []

    init(_ root: Fields) {
        self.root = root
    }

    mutating func problem(_ fields: Fields, _ key: String, _ message: String, suggestion: String? = nil) {
        let place = fields.place(of: key)
        problems.append(ConfigurationProblem(place.position, place.path, message, suggestion: suggestion))
    }

    mutating func build() -> Configuration {
        var clouds: [String: CloudSettings] = [:]
        for (name, fields) in root.named("clouds") { clouds[name] = cloud(name, fields) }
        var vaults: [String: VaultSettings] = [:]
        for (name, fields) in root.named("vaults") { vaults[name] = vault(name, fields, clouds) }
        let defaults = root.object("defaults")
        var pairs: [PairConfiguration] = []
        let named = root.named("pairs")
        if root.has("pairs"), named.isEmpty { problem(root, "pairs", "names no pair") }
        for (name, fields) in named {
            var pair = PairBuilder(
                name, defaults.map { fields.merged(with: $0) } ?? fields, clouds: clouds, vaults: vaults)
            if let built = pair.build() { pairs.append(built) }
            problems += pair.problems
        }
        problems += PairsCheck(pairs, clouds: clouds).problems
        let notifications = notifications(pairs: Set(named.map(\.name)))
        return Configuration(
            state: root.value("state"), log: log, metricsTextfile: root.object("metrics")?.value("textfile"),
            serve: serve, clouds: clouds, vaults: vaults, pairs: pairs, notifications: notifications,
            fields: root)
    }

    private var log: LogSettings {
        var settings = LogSettings()
        guard let fields = root.object("log") else { return settings }
        if let format: String = fields.value("format") { settings.format = LogSettings.Format(rawValue: format)! }
        if let level: String = fields.value("level") { settings.level = LogSettings.Level(rawValue: level)! }
        return settings
    }

    private var serve: ServeSettings {
        var settings = ServeSettings()
        guard let fields = root.object("serve") else { return settings }
        if let listen: ListenAddress = fields.value("listen") { settings.listen = listen }
        if let parallel: Int = fields.value("parallel_pairs") { settings.parallelPairs = parallel }
        return settings
    }

    private mutating func cloud(_ name: String, _ fields: Fields) -> CloudSettings {
        let service = ObjectLocation.Service(rawValue: fields.value("type") ?? fields.shape.name)!
        let isAnonymous = fields.value("anonymous") ?? false
        let common: Set = ["type", "endpoint", "region", "anonymous"]
        if isAnonymous, let other = fields.items.keys.sorted().first(where: { !common.contains($0) }) {
            problem(fields, other, "'anonymous' excludes an identity")
        }
        return CloudSettings(
            name: name, service: service, endpoint: fields.value("endpoint"),
            region: service == .s3 ? fields.value("region") : nil, profile: fields.value("profile"),
            isAnonymous: isAnonymous, fields: fields)
    }

    private mutating func vault(
        _ name: String, _ fields: Fields, _ clouds: [String: CloudSettings]
    ) -> VaultSettings? {
        let means = ["password_file", "key_file", "kms"].filter { fields.has($0) }
        if means.count > 1 {
            problem(fields, means[1], "either 'password_file', 'key_file' or 'kms' opens a vault: write one of them")
        }
        guard var location: ObjectLocation = fields.value("location") else { return nil }
        location.isVault = true
        problems += CloudReference(fields, clouds: clouds).problems(location.service)
        problems += CloudReference(fields, clouds: clouds).problems("kms_cloud")
        return VaultSettings(
            name: name, location: location, cloud: fields.value("cloud"), passwordFile: fields.value("password_file"),
            keyFile: fields.value("key_file"), kms: fields.value("kms"), kmsCloud: fields.value("kms_cloud"),
            fields: fields)
    }

    private mutating func notifications(pairs: Set<String>) -> [NotificationSettings] {
        var names: Set<String> = []
        var settings: [NotificationSettings] = []
        for fields in root.objects("notifications") {
            guard let name: String = fields.value("name") else { continue }
            if !Name.isValid(name) {
                problem(fields, "name", "must have 1 to 64 letters, digits, '.', '_' or '-'")
            }
            if !names.insert(name).inserted { problem(fields, "name", "another notification has that name") }
            for (index, pair) in fields.list("pairs", of: String.self).enumerated() where !pairs.contains(pair) {
                let place = fields.elements("pairs")[index]
                problems.append(
                    ConfigurationProblem(
                        place.position, place.path, "there is no pair of that name",
                        suggestion: Nearest.of(pair, in: pairs)))
            }
            let means: NotificationSettings.Means
            if let webhook: Secret = fields.value("webhook") {
                means = .webhook(webhook)
            } else if fields.has("command") {
                means = .command(fields.list("command"))
            } else {
                continue
            }
            let events =
                fields.has("on")
                ? Set(fields.list("on", of: String.self).compactMap { NotificationEvent(rawValue: $0) })
                : Set(NotificationEvent.allCases)
            settings.append(
                NotificationSettings(
                    name: name, means: means, events: events,
                    pairs: fields.has("pairs") ? Set(fields.list("pairs")) : nil, fields: fields))
        }
        return settings
    }
}

/// The key `cloud` of something that is in a cloud.
struct CloudReference {
    private let fields: Fields
    private let clouds: [String: CloudSettings]

    init(_ fields: Fields, clouds: [String: CloudSettings]) {
        self.fields = fields
        self.clouds = clouds
    }

    /// - Parameter service: what the location is served by.
    func problems(_ service: ObjectLocation.Service) -> [ConfigurationProblem] {
        let unknown = problems("cloud")
        guard unknown.isEmpty, let cloud = fields.value("cloud", as: String.self).flatMap({ clouds[$0] }),
            cloud.service != service
        else { return unknown }
        let place = fields.place(of: "cloud")
        let advice =
            service == .file
            ? "the location is a directory, which is in no cloud"
            : "the cloud is of type \(cloud.service.rawValue), and the location begins with \(service.rawValue)://"
        return [ConfigurationProblem(place.position, place.path, advice)]
    }

    /// That a key names a cloud that there is.
    func problems(_ key: String) -> [ConfigurationProblem] {
        guard let name: String = fields.value(key), clouds[name] == nil else { return [] }
        let place = fields.place(of: key)
        return [
            ConfigurationProblem(
                place.position, place.path, "there is no cloud of that name in clouds",
                suggestion: Nearest.of(name, in: clouds.keys))
        ]
    }
}
