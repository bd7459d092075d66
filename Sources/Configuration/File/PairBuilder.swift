import Foundation
import Manifests
import Replication
import ReplicationModel

/// Makes one pair of its fields.
struct PairBuilder {
    private let name: String
    private let fields: Fields
    private let clouds: [String: CloudSettings]
    private let vaults: [String: VaultSettings]
    private(set) var problems: [ConfigurationProblem] = []

    init(_ name: String, _ fields: Fields, clouds: [String: CloudSettings], vaults: [String: VaultSettings]) {
        self.name = name
        self.fields = fields
        self.clouds = clouds
        self.vaults = vaults
    }

    private mutating func problem(_ key: String, _ message: String, suggestion: String? = nil) {
        let place = fields.place(of: key)
        problems.append(ConfigurationProblem(place.position, place.path, message, suggestion: suggestion))
    }

    mutating func build() -> PairConfiguration? {
        let settings = settings()
        let check = checkSettings(settings)
        for found in settings.problems(\.keyName) + check.problems(\.keyName) { problem(found.setting.key, found.text) }
        if settings.limits.maxDuration?.duration == .zero || settings.limits.maxTransfer?.bytes == 0 {
            problem("limits", "a run that may take no time or no bytes copies nothing; leave the limit out for none")
        }
        let zone: String = fields.value("time_zone") ?? "UTC"
        let schedule = fields.object("schedule").flatMap { self.schedule($0, "schedule", zone) }
        let checkSchedule = fields.object("check")?.object("schedule").flatMap {
            self.schedule($0, "check.schedule", zone)
        }
        let windows = windows(settings.limits.rate?.bytes, zone)
        let source = place("source")
        let target = place("target")
        let control = fields.object("manifest")?.object("control") == nil ? nil : place("manifest.control")
        guard let source, let target else { return nil }
        checkPlaces(source, target, control)
        return PairConfiguration(
            name: name, source: source, target: target, control: control, settings: settings, check: check,
            schedule: schedule, checkSchedule: checkSchedule, windows: windows, events: events(source),
            fields: fields)
    }

    private func settings() -> PairSettings {
        var settings = PairSettings()
        settings.filter = ObjectFilter(
            fields.objects("filters").compactMap { rule in
                if let pattern: GlobPattern = rule.value("include") {
                    return ObjectFilter.Rule(includes: true, pattern: pattern)
                }
                return rule.value("exclude").map { ObjectFilter.Rule(includes: false, pattern: $0) }
            })
        if let pointers = fields.object("pointers") {
            settings.pointers = PointerSettings(
                patterns: pointers.list("patterns"), setDepth: pointers.value("set_depth"),
                folders: pointers.list("sets"))
        }
        settings.comparison = fields.value("comparison") ?? settings.comparison
        if let policy: String = fields.value("on_conflict") {
            settings.onConflict = ReplicationOptions.ConflictPolicy(rawValue: policy)!
        }
        settings.delta = fields.value("delta") ?? false
        if let deletion = fields.object("delete") {
            settings.deletion = DeletionSettings(
                isEnabled: deletion.value("enabled") ?? false, limits: deletion.list("max"),
                backupPrefix: deletion.value("backup_prefix") ?? settings.deletion.backupPrefix,
                isPermanent: deletion.value("permanent") ?? false)
        }
        if let manifest = fields.object("manifest") {
            settings.manifest = ManifestSettings(
                isEnabled: manifest.value("enabled") ?? true,
                control: manifest.has("control") ? manifest.path : nil, signingKey: manifest.value("signing_key"),
                kept: manifest.value("keep") ?? ManifestSettings.standardKept)
        }
        if let limits = fields.object("limits") {
            settings.limits = LimitSettings(
                rate: limits.value("rate"), maxTransfer: limits.value("max_transfer"),
                maxDuration: limits.value("max_duration"), memory: limits.value("memory"),
                concurrency: limits.value("concurrency"), partSize: limits.value("part_size"))
        }
        settings.lease = LeaseSettings(length: fields.value("lease"))
        return settings
    }

    private func checkSettings(_ settings: PairSettings) -> CheckSettings {
        var check = CheckSettings()
        check.filter = settings.filter
        check.limits = LimitSettings(
            rate: settings.limits.rate, memory: settings.limits.memory, concurrency: settings.limits.concurrency)
        guard let fields = fields.object("check") else { return check }
        check.level = fields.value("evidence", as: EvidenceLevel.self)
        check.sample = fields.value("sample")
        check.seed = fields.value("seed", as: Int.self).map { UInt64($0) }
        check.isOneWay = fields.value("one_way") ?? false
        check.mayRead = fields.value("read") ?? true
        check.comparesAttributes = fields.value("attributes") ?? true
        check.usesLedger = fields.value("ledger") ?? true
        check.sets = CheckedSetSettings(depth: fields.value("set_depth"), folder: fields.value("set"))
        return check
    }

    // MARK: When

    private mutating func schedule(_ fields: Fields, _ key: String, _ pairZone: String) -> Schedule? {
        let jitter: TimeQuantity? = fields.value("jitter")
        let timing: Schedule.Timing
        do throws(ScheduleError) {
            if let cron: String = fields.value("cron") {
                timing = .cron(try CronSchedule(cron, timeZone: fields.value("time_zone") ?? pairZone))
            } else if let every: TimeQuantity = fields.value("every") {
                timing = try Schedule.every(every.duration)
            } else {
                return nil
            }
        } catch {
            problem("\(key).\(fields.has("cron") ? "cron" : "every")", error.description)
            return nil
        }
        if fields.has("every"), fields.has("time_zone") {
            problem("\(key).time_zone", "an interval is the same in every time zone: the key is for 'cron'")
        }
        return Schedule(
            timing, jitter: jitter.map { $0.duration.components.seconds } ?? 0,
            catchesUp: fields.value("catch_up") ?? true)
    }

    private mutating func windows(_ rate: Int64?, _ zone: String) -> RateWindows {
        var windows: [RateWindow] = []
        let all = fields.objects("windows")
        do throws(ScheduleError) {
            for fields in all {
                guard let from: String = fields.value("from"), let to: String = fields.value("to"),
                    let rate: ByteQuantity = fields.value("rate")
                else { continue }
                let days = fields.has("days") ? fields.list("days", of: String.self).joined(separator: ",") : "*"
                do throws(ScheduleError) {
                    windows.append(try RateWindow(days: days, from: from, to: to, rate: rate.bytes))
                } catch {
                    let place = fields.place(of: "from")
                    problems.append(ConfigurationProblem(place.position, place.path, error.description))
                }
            }
            let result = try RateWindows(windows, otherwise: rate, timeZone: zone)
            if windows.count == all.count, let (first, second) = result.overlap {
                let text = "overlaps with the window in line \(all[first].position.line)"
                problems.append(ConfigurationProblem(all[second].position, all[second].path, text))
            }
            if result.isAlwaysClosed {
                problem("windows", "windows with rate 0 fill the whole week: the pair would never run")
            }
            return result
        } catch {
            preconditionFailure("a time zone was checked when it was read: \(error)")
        }
    }

    // MARK: Where

    private mutating func place(_ key: String) -> PlaceSettings? {
        let parts = key.split(separator: ".").map(String.init)
        let owner = parts.count == 2 ? fields.object(parts[0]) : fields
        guard let place = owner?.object(parts.last!) else { return nil }
        guard let name: String = place.value("vault") else {
            if place.has("folder") { problem("\(key).folder", "goes with 'vault'; write it behind the location") }
            guard let location: ObjectLocation = place.value("location") else { return nil }
            problems += CloudReference(place, clouds: clouds).problems(location.service)
            return PlaceSettings(
                location: location, cloud: place.value("cloud"), vault: location.isVault ? vault(of: location) : nil,
                snapshot: optional(place, "snapshot"), encryption: optional(place, "encryption"), fields: place)
        }
        if place.has("cloud") { problem("\(key).cloud", "the vault names its cloud: leave it out here") }
        guard let vault = vaults[name] else {
            problem(
                "\(key).vault", "there is no vault of that name in vaults",
                suggestion: Nearest.of(name, in: vaults.keys))
            return nil
        }
        var location = vault.location
        if let folder: String = place.value("folder") {
            do throws(LocationError) {
                let text = vault.location.description
                location = try ObjectLocation(
                    parsing: (text.hasSuffix("/") ? text : text + "/") + folder, directory: "/")
            } catch {
                problem("\(key).folder", "is no folder")
            }
        }
        return PlaceSettings(
            location: location, cloud: vault.cloud, vault: name, snapshot: optional(place, "snapshot"),
            encryption: optional(place, "encryption"), fields: place)
    }

    private func optional(_ fields: Fields, _ key: String) -> String? {
        fields.shape[key] == nil ? nil : fields.value(key)
    }

    /// The innermost vault of the file that the location leads into.
    private func vault(of location: ObjectLocation) -> String? {
        let holders = vaults.values.filter { vault in
            vault.location.overlaps(location) && vault.location.description.count <= location.description.count
        }
        return holders.max { ($0.location.description.count, $0.name) < ($1.location.description.count, $1.name) }?.name
    }

    private mutating func checkPlaces(_ source: PlaceSettings, _ target: PlaceSettings, _ control: PlaceSettings?) {
        if source.location.underlying.overlaps(target.location.underlying),
            source.cloudEndpoint(clouds) == target.cloudEndpoint(clouds)
        {
            problem("target", "source and target overlap: what is written would be read again")
        }
        if let control, control.location.underlying.overlaps(source.location.underlying),
            control.cloudEndpoint(clouds) == source.cloudEndpoint(clouds)
        {
            problem("manifest.control", "the manifest's place is in the source, and nothing is written there")
        }
        if !target.location.isVault,
            let vault = vaults.values.sorted(by: { $0.name < $1.name }).first(where: {
                $0.location.underlying.overlaps(target.location)
                    && $0.cloudEndpoint(clouds) == target.cloudEndpoint(clouds)
            })
        {
            problem(
                "target",
                "the vault '\(vault.name)' is there: plain objects must not come between its own, nor delete them; "
                    + "write {vault: \(vault.name)} to sync into it, or choose another place")
        }
        if source.snapshot != nil, !source.location.isVault {
            problem("source.snapshot", "only vaults have snapshots")
        }
        if let layout: String = fields.value("layout") {
            let isVault = target.location.isVault
            if layout == PairLayout.vault.rawValue, !isVault {
                problem("layout", "the target is no vault: write vault+ before its location, or name one by 'vault'")
            }
            if layout == PairLayout.mirror.rawValue, isVault {
                problem("layout", "the target is a vault, which holds sealed chunks and no mirror")
            }
        }
        if let control, control.location.isVault {
            problem("manifest.control", "a manifest is read without a key: name a location outside of vaults")
        }
        if target.encryption != nil, target.location.service == .file {
            problem("target.encryption", "a directory encrypts nothing")
        }
    }

    private mutating func events(_ source: PlaceSettings) -> EventSettings? {
        guard let fields = fields.object("events"), let queue: String = fields.value("queue") else { return nil }
        let wait: TimeQuantity? = fields.value("batch_wait")
        let kind = EventQueueKind(queue)
        if kind == nil {
            problem(
                "events.queue",
                "must be an SQS queue's URL, projects/PROJECT/subscriptions/NAME, or https://ACCOUNT.queue.core.windows.net/QUEUE"
            )
        }
        if let name: String = fields.value("cloud") {
            problems += CloudReference(fields, clouds: clouds).problems(clouds[name]?.service ?? .memory)
            if let kind, let cloud = clouds[name], cloud.service != kind.service {
                problem(
                    "events.cloud",
                    "the cloud is of type \(cloud.service.rawValue), the queue of \(kind.service.rawValue)")
            }
        } else if let kind, source.location.service != kind.service {
            problem("events", "the queue is of another cloud than the source: name its cloud by 'cloud'")
        }
        if source.location.isVault { problem("events", "a vault tells of no changes: events are for plain sources") }
        return EventSettings(
            queue: queue, cloud: fields.value("cloud") ?? source.cloud,
            batchWait: wait?.duration ?? EventSettings.standardBatchWait)
    }
}

extension PlaceSettings {
    /// See `CloudSettings.address`.
    func cloudEndpoint(_ clouds: [String: CloudSettings]) -> String? { cloud.flatMap { clouds[$0]?.address } }
}

extension VaultSettings {
    /// See `CloudSettings.address`.
    func cloudEndpoint(_ clouds: [String: CloudSettings]) -> String? { cloud.flatMap { clouds[$0]?.address } }
}

extension CloudSettings {
    /// Tells equal names at two services apart; one service however its URL is written: scheme and host in lower case, without a slash
    /// at the end and without the port that the scheme has anyway.
    fileprivate var address: String? {
        guard let text = endpoint else { return nil }
        guard let url = URLComponents(string: text), let scheme = url.scheme?.lowercased(),
            let host = url.host?.lowercased()
        else { return text }
        let port = url.port ?? (scheme == "https" ? 443 : 80)
        let path = String(url.path.reversed().drop { $0 == "/" }.reversed())
        return "\(scheme)://\(host):\(port)\(path)"
    }
}
