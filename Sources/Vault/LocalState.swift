import Synchronization

/// What a machine remembers of one vault between runs.
package protocol VaultLocalState: Sendable {
    /// The newest root that was seen here; nil before the first.
    func rememberedRoot() throws(VaultError) -> RememberedRoot?
    /// Keeps the newer one of this root and the remembered one.
    func remember(_ root: RememberedRoot) throws(VaultError)
    /// How to make this machine forget the root, for people: what to delete.
    var forgetting: String { get }

    /// Sessions that were begun here and whose outcome is not known.
    func openSessions() throws(VaultError) -> [SessionName]
    /// Written before the session's first pack.
    func noteSession(_ session: SessionName) throws(VaultError)
    /// Called after the session's commit; also for one that was never noted.
    func forgetSession(_ session: SessionName) throws(VaultError)

    /// A directory for decrypted index segments; nil: they are kept in memory.
    var cacheDirectory: String? { get }
}

package struct RememberedRoot: Sendable, Hashable, Codable {
    package var sequence: UInt64
    /// BLAKE3 of the object as stored, hex.
    package var hash: String

    package init(sequence: UInt64, hash: String) {
        self.sequence = sequence
        self.hash = hash
    }
}

/// Gives the state that a machine keeps of the vault with this repository id.
package typealias VaultLocalStateSource = @Sendable (_ repository: [UInt8]) throws(VaultError) -> any VaultLocalState

/// A state that ends with the process.
package final class MemoryVaultState: VaultLocalState {
    private struct State {
        var root: RememberedRoot?
        var sessions: Set<SessionName> = []
    }

    private let state = Mutex(State())
    package let cacheDirectory: String?

    package init(cacheDirectory: String? = nil) {
        self.cacheDirectory = cacheDirectory
    }

    package func rememberedRoot() -> RememberedRoot? { state.withLock { $0.root } }

    package func remember(_ root: RememberedRoot) {
        state.withLock { state in
            if state.root.map({ $0.sequence <= root.sequence }) ?? true { state.root = root }
        }
    }

    package var forgetting: String { "start again" }

    package func openSessions() -> [SessionName] {
        state.withLock { $0.sessions.sorted { $0.text < $1.text } }
    }

    package func noteSession(_ session: SessionName) { state.withLock { _ = $0.sessions.insert(session) } }

    package func forgetSession(_ session: SessionName) { state.withLock { _ = $0.sessions.remove(session) } }
}
