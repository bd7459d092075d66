import HTTPStores
import Manifests
import ObjectStores
import Replication
import ReplicationModel
import Vault

/// The exit codes of every command.
enum ExitStatus: Int32 {
    case ok = 0
    case internalError = 1
    case usage = 2
    /// Named objects failed or were skipped.
    case partial = 3
    /// A check found differences, or the doctor a server that endangers data.
    case drift = 4
    /// A check found none, and could not prove that there are none.
    case unproven = 5
    case refused = 6
    case locked = 7
    /// A limit of time or bytes was reached.
    case limit = 8
    /// Try again later.
    case temporary = 75
    case configuration = 78

    init(_ summary: RunSummary) {
        if let failure = summary.failure {
            self = ExitStatus(failure)
        } else if summary.stop != nil {
            self = .limit
        } else if summary.counts.failedObjects > 0 || summary.counts.skippedObjects > 0 || summary.counts.conflicts > 0
        {
            self = .partial
        } else {
            self = .ok
        }
    }

    init(_ summary: CheckSummary) {
        if let failure = summary.failure {
            self = ExitStatus(failure)
        } else {
            switch summary.verdict {
            case .inSync: self = .ok
            case .drift: self = .drift
            case .unproven: self = .unproven
            }
        }
    }

    init(_ failure: TransferFailure) {
        switch failure.code {
        case .store(let code): self = ExitStatus(code)
        case .ledger(let code): self = ExitStatus(code)
        case .refused: self = .refused
        case .badListing, .corrupted, .keepsChanging, .conflict: self = .partial
        case .cancelled: self = .temporary
        }
    }

    init(_ code: StoreError.Code) {
        switch code {
        case .unauthenticated, .forbidden, .missingContainer: self = .configuration
        case .throttled, .unavailable, .unreachable, .network: self = .temporary
        default: self = .partial
        }
    }

    init(_ error: VaultError) {
        switch error.code {
        case .notAVault, .wrongKey, .newerFormat, .local, .exists, .singleWriter: self = .configuration
        case .damaged, .missing: self = .partial
        case .rolledBack: self = .refused
        case .fenced, .conflict, .cancelled: self = .temporary
        case .notFound, .invalid: self = .usage
        case .store: self = error.store.map { ExitStatus($0.code) } ?? .partial
        }
    }

    init(_ error: ManifestError) {
        switch error.code {
        case _ where error.isDrift: self = .drift
        case .conflict: self = .temporary
        case .foreignHead: self = .refused
        case .tooLarge: self = .partial
        default: self = .configuration
        }
    }

    init(_ code: LedgerError.Code) {
        switch code {
        case .inaccessible, .otherPair, .newerFormat: self = .configuration
        case .noSpace, .busy: self = .temporary
        case .fenced: self = .locked
        case .damaged, .failed: self = .internalError
        }
    }
}

/// An error that ends a command with a message on standard error and an exit code.
struct CommandFailure: Error, CustomStringConvertible {
    let status: ExitStatus
    let description: String
    /// What is wrong with the vault that it is about.
    var vault: VaultError.Code?
    /// What is to be corrected in a configuration.
    var setting: SettingError?

    init(_ status: ExitStatus, _ description: String) {
        self.status = status
        self.description = description
    }

    /// A location that cannot be one is not quoted: a signature may have been pasted into it.
    init(_ error: SettingError, at location: ObjectLocation) {
        self.init(.configuration, error.setting == "location" ? error.description : "\(location): \(error)")
        setting = error
    }

    init(_ error: VaultError, at location: ObjectLocation) {
        self.init(ExitStatus(error), "\(location): \(error)")
        vault = error.code
    }
}
