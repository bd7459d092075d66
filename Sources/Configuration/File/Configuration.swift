package import Cryptography
import Replication
package import ReplicationModel

/// What one configuration file says: typed, and without contradictions that can be seen without asking a cloud.
package struct Configuration: Sendable {
    /// Directory of ledgers and records; nil: the standard one.
    package var state: String?
    package let log: LogSettings
    /// Directory of metrics after each run.
    package let metricsTextfile: String?
    package let serve: ServeSettings
    /// By name.
    package let clouds: [String: CloudSettings]
    /// By name.
    package let vaults: [String: VaultSettings]
    /// In the order of the file.
    package let pairs: [PairConfiguration]
    package let notifications: [NotificationSettings]
    package let fields: Fields

    package func pair(_ name: String) -> PairConfiguration? { pairs.first { $0.name == name } }

    /// Source and target in one text that changes when either becomes another place: a name at another service is one.
    package func places(of pair: PairConfiguration) -> String {
        [pair.source, pair.target].map { place in
            let parts = [
                place.location.description, place.cloudEndpoint(clouds).map { "at \($0)" },
                place.snapshot.map { "snapshot \($0)" },
            ]
            return parts.compactMap(\.self).joined(separator: " ")
        }.joined(separator: " to ")
    }
}

package struct LogSettings: Sendable, Hashable {
    package enum Format: String, Sendable { case text, json }
    package enum Level: String, Sendable, CaseIterable { case debug, info, warning, error }

    package var format = Format.text
    package var level = Level.info
}

package struct ServeSettings: Sendable, Hashable {
    package var listen = ListenAddress(host: "127.0.0.1", port: 9464)
    package var parallelPairs = 2
}

/// A service and the identity that it is asked as.
package struct CloudSettings: Sendable {
    package let name: String
    package let service: ObjectLocation.Service
    package let endpoint: String?
    package let region: String?
    package let profile: String?
    package let isAnonymous: Bool
    /// What the identity consists of, by the keys of its kind of cloud.
    package let fields: Fields
}

/// A vault and what opens it.
package struct VaultSettings: Sendable {
    package let name: String
    /// Marked as a vault, whether or not the file does.
    package let location: ObjectLocation
    package let cloud: String?
    package let passwordFile: String?
    package let keyFile: String?
    /// `aws-kms:ARN` and the like.
    package let kms: String?
    /// As whom the key service is asked, if that is another cloud than the vault's.
    package let kmsCloud: String?
    package let fields: Fields

    /// Where a key of the vault is written, for problems that are found later.
    package func problem(with key: String, _ message: String) -> ConfigurationProblem {
        let place = fields.place(of: key)
        return ConfigurationProblem(place.position, place.path, message)
    }
}

/// Where objects are: a location, and as whom it is asked.
package struct PlaceSettings: Sendable {
    package let location: ObjectLocation
    /// The name of a cloud; nil: what the environment says.
    package let cloud: String?
    /// The name of the vault that it is in, if the file names that vault.
    package let vault: String?
    /// Of a vault: the state to read.
    package let snapshot: String?
    /// What the target encrypts new objects with.
    package let encryption: String?
    package let fields: Fields
}

/// What a target must be.
package enum PairLayout: String, Sendable, CaseIterable {
    case mirror, vault
}

/// A queue of changes at the source.
package struct EventSettings: Sendable, Hashable {
    package let queue: String
    package let cloud: String?
    package let batchWait: Duration

    package static let standardBatchWait = Duration.seconds(10)
}

/// One pair of the file, with what `defaults` adds to it.
package struct PairConfiguration: Sendable {
    package let name: String
    package let source: PlaceSettings
    package let target: PlaceSettings
    /// Where the manifest is published; nil: at the target.
    package let control: PlaceSettings?
    package let settings: PairSettings
    package let check: CheckSettings
    package let schedule: Schedule?
    package let checkSchedule: Schedule?
    /// The rate of `limits` outside of them.
    package let windows: RateWindows
    package let events: EventSettings?
    package let fields: Fields

    /// Where a key of the pair is written, for problems that are found later.
    package func problem(with key: String, _ message: String) -> ConfigurationProblem {
        let place = fields.place(of: key)
        return ConfigurationProblem(place.position, place.path, message)
    }
}

/// What somebody is told of.
package enum NotificationEvent: String, Sendable, CaseIterable {
    case failure, drift, recovery
}

package struct NotificationSettings: Sendable {
    package enum Means: Sendable {
        /// A URL.
        case webhook(Secret)
        /// A program and its arguments.
        case command([String])
    }

    package let name: String
    package let means: Means
    package let events: Set<NotificationEvent>
    /// nil: all pairs.
    package let pairs: Set<String>?
    package let fields: Fields
}
