import Configuration
import Manifests
import ReplicationModel

/// Everything that one run over a pair is asked to do, whoever asks: flags of `sync` or the configuration file.
struct PairRequest: Sendable {
    /// One place and how it is reached.
    struct Place: Sendable, Hashable {
        var location: ObjectLocation
        var connection: Connection
    }

    var source: Place
    var target: Place
    /// Where the manifest is published; nil: at the target.
    var control: Place?
    var settings: PairSettings
    /// When the pair runs at which rate; nil: at the rate of the settings.
    var windows: RateWindows?
    var keys = KeySelection.all
    var dryRun = false
    /// Continue after whatever manifest is there.
    var adoptsManifest = false
    var state = StateRequest()
}

/// Where a pair's ledger is, and what happens when another run holds it.
struct StateRequest: Sendable, Hashable {
    /// nil: the standard directory.
    var path: String?
    var waits: Bool
    var lease: Duration

    init(path: String? = nil, waits: Bool = false, _ lease: LeaseSettings = LeaseSettings()) {
        self.path = path
        self.waits = waits
        self.lease = lease.length?.duration ?? PairLease.standardLength
    }
}

/// Everything that one check is asked to do.
struct CheckRequest: Sendable {
    /// What is the truth.
    enum Source: Sendable {
        case place(PairRequest.Place)
        /// What was published last stands for the source.
        case manifest(PublishedPlace)
    }

    /// Where a manifest is, and who must have signed it.
    struct PublishedPlace: Sendable, Hashable {
        /// nil: at the target.
        var control: PairRequest.Place?
        /// Path of a public key; nil: the one of the state directory.
        var trustKey: String?
    }

    var source: Source
    var target: PairRequest.Place
    var settings: CheckSettings
    /// When the pair runs at which rate; nil: at the rate of the settings.
    var windows: RateWindows?
    var keys = KeySelection.all
    /// Of the ledgers; nil: the standard directory.
    var state: String?
}
