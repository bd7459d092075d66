package import Manifests
package import ObjectStores
import ReplicationModel

/// Why one object, or the whole run, failed: which side, and what the store or the ledger said.
package struct TransferFailure: Error, Sendable, CustomStringConvertible {
    package enum Side: String, Sendable {
        case source, target, ledger, engine
    }

    package enum Code: Sendable, Hashable {
        case store(StoreError.Code)
        case ledger(LedgerError.Code)
        /// The listing breaks its contract: unordered, repeated, endless.
        case badListing
        /// The bytes at the target are not those of the source.
        case corrupted
        /// The source was replaced again and again while it was read.
        case keepsChanging
        /// Somebody else's object appeared at the target in mid-run.
        case conflict
        /// A guard refused: too many deletions, an empty source.
        case refused
        case cancelled
    }

    package var side: Side
    package var code: Code
    package var message: String
    /// Whether a fresh look at the source's object can cure it, or confirm that it is gone. What a store has found damaged it has read again already.
    var startsAgain: Bool
    /// Whether it is not one object's, whatever the code says.
    var stopsRun = false

    package init(_ side: Side, _ code: Code, _ message: String) {
        self.side = side
        self.code = code
        self.message = message
        startsAgain = code == .store(.versionChanged) || code == .store(.notFound)
    }

    package init(_ side: Side, _ error: StoreError) {
        self.init(side, error.code == .cancelled ? .cancelled : .store(error.code), error.description)
    }

    package init(_ error: LedgerError) {
        self.init(.ledger, .ledger(error.code), error.description)
    }

    /// Any error of the transfer path as a failure; the side it is put to when it does not say so itself.
    package init(_ error: any Error, side: Side = .engine) {
        switch error {
        case let failure as TransferFailure: self = failure
        case let error as StoreError: self.init(side, error)
        case let error as LedgerError: self.init(error)
        case is CancellationError: self.init(.engine, .cancelled, "interrupted")
        default: self.init(side, .store(.local), "\(error)")
        }
    }

    /// Whether the source's object is no longer the version that was asked for.
    var meansMoved: Bool { code == .store(.versionChanged) || code == .store(.notFound) }

    package var description: String {
        switch side {
        case .source, .target: "\(side.rawValue): \(message)"
        case .ledger, .engine: message
        }
    }

    /// Whether every other object would fail the same way, so that going on is pointless.
    var endsRun: Bool {
        if stopsRun { return true }
        return switch code {
        case .store(.unauthenticated), .store(.missingContainer), .store(.noSpace), .store(.quotaExceeded), .ledger:
            true
        default: false
        }
    }

    /// Whether the cause may pass by itself, so that the next run can go on with what this one has sent.
    var mayPass: Bool {
        switch code {
        case .store(.throttled), .store(.unavailable), .store(.unreachable), .store(.network), .store(.unauthenticated),
            .cancelled, .ledger:
            true
        default: false
        }
    }

    /// Whether parts that the target was believed to have may not be there, or not be what they were.
    var meansLostParts: Bool {
        switch code {
        case .store(.missingUpload), .store(.checksumMismatch), .store(.invalidRequest), .store(.notFound):
            side == .target
        default: false
        }
    }
}
