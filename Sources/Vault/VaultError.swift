package import ObjectStores
import ReplicationModel

/// What is wrong with a vault, or with an attempt to use it.
package struct VaultError: Error, Sendable, CustomStringConvertible {
    package enum Code: String, Sendable, CaseIterable {
        /// There is no vault at the location.
        case notAVault
        /// There is one already, where one should be made.
        case exists
        /// Written by a newer version of the program, or with a feature that this one does not know.
        case newerFormat
        /// None of the credentials opens the vault.
        case wrongKey
        /// An object of the vault is there and fails its checks: changed, cut short, or not what its name says.
        case damaged
        /// An object of the vault that others refer to is not there.
        case missing
        /// The newest root is older than one that was seen before.
        case rolledBack
        /// Garbage collection has ended the session: what it wrote cannot be committed any more.
        case fenced
        /// Another writer has changed the same.
        case conflict
        /// The location's conditional writes do not work, and somebody else may be writing.
        case singleWriter
        /// No such snapshot, key slot, …
        case notFound
        /// A request that makes no sense.
        case invalid
        /// The store behind the vault failed: see `store`.
        case store
        /// The files that this machine keeps of the vault cannot be used.
        case local
        case cancelled
    }

    package var code: Code
    /// The name inside the vault, e.g. `pack/…`; nil when it is about the vault as a whole.
    package var object: String?
    /// What happened and what to do; never a secret.
    package var message: String
    package var store: StoreError?

    package init(_ code: Code, object: String? = nil, _ message: String) {
        self.code = code
        self.object = object
        self.message = message
    }

    /// What the store said, with what that means for an object of the vault.
    package init(_ error: StoreError) {
        code = error.code == .cancelled ? .cancelled : error.code == .notFound ? .missing : .store
        object = error.key?.text
        message = error.message
        store = error
    }

    package var description: String { object.map { "\($0): \(message)" } ?? message }
}
