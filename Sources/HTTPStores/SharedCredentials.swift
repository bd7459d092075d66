package import ObjectStores
import Synchronization

/// Credentials and when they stop to be valid.
package struct ExpiringCredentials<Value: Sendable>: Sendable {
    package var value: Value
    /// Seconds since 1970; nil when they do not expire.
    package var expiration: Int64?

    package init(_ value: Value, expiration: Int64? = nil) {
        self.value = value
        self.expiration = expiration
    }
}

/// One source of credentials: an environment, a file, a token service. A chain is a provider that asks others in turn.
package protocol CredentialProvider<Value>: Sendable {
    associatedtype Value: Sendable, Equatable
    /// Fetches fresh credentials. Called by one refresher at a time.
    func load() async throws(StoreError) -> ExpiringCredentials<Value>
}

/// The credentials that all requests of one store share: fetched once, refreshed once, however many requests wait.
package final class SharedCredentials<Value: Sendable & Equatable>: Sendable {
    private typealias Loading = Task<Result<ExpiringCredentials<Value>, StoreError>, Never>

    private struct State {
        var current: ExpiringCredentials<Value>?
        var loading: Loading?
        /// The first that the service refused since it last accepted any.
        var refused: Value?
    }

    private let provider: any CredentialProvider<Value>
    /// Fresh ones are fetched when less than this is left, in seconds.
    private let margin: Int64
    private let now: @Sendable () -> Int64
    private let state = Mutex(State())

    /// - Parameter now: seconds since 1970.
    package init(_ provider: any CredentialProvider<Value>, margin: Int64 = 300, now: @escaping @Sendable () -> Int64) {
        self.provider = provider
        self.margin = margin
        self.now = now
    }

    /// Valid credentials; waits for the one refresh under way when there are none.
    package func current() async throws(StoreError) -> Value {
        let (ready, loading): (Value?, Loading?) = state.withLock { state in
            if let current = state.current, current.expiration.map({ $0 - margin > now() }) ?? true {
                return (current.value, nil)
            }
            if let loading = state.loading { return (nil, loading) }
            let provider = provider
            let task = Loading {
                do throws(StoreError) {
                    let fresh = try await provider.load()
                    self.finish(fresh)
                    return .success(fresh)
                } catch {
                    self.finish(nil)
                    return .failure(error)
                }
            }
            state.loading = task
            return (nil, task)
        }
        if let ready { return ready }
        return try await loading!.value.get().value
    }

    /// Forgets these credentials because the service called them expired, so that the next request fetches fresh ones. True when that
    /// can help: false once those that were fetched after a refusal are refused too, be they the same or others. Of many requests that
    /// are refused together only the first makes a refresh.
    package func refuse(_ value: Value) -> Bool {
        state.withLock { state in
            let isCurrent = state.current?.value == value
            guard let refused = state.refused else {
                state.refused = value
                if isCurrent { state.current = nil }
                return true
            }
            return refused == value && !isCurrent
        }
    }

    /// Notes that the service took credentials, so that a later refusal is again the first.
    package func accept() {
        state.withLock { $0.refused = nil }
    }

    private func finish(_ fresh: ExpiringCredentials<Value>?) {
        state.withLock { state in
            state.loading = nil
            if let fresh { state.current = fresh }
        }
    }
}
