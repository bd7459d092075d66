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

    /// Throws what is wrong as far as this machine alone can tell: reads files, waits for nothing and asks nobody.
    func check() throws(SettingError)
}

extension CredentialProvider {
    package func check() throws(SettingError) {}
}

/// The credentials that all requests of one store share: fetched once, refreshed once, however many requests wait.
///
/// A refresh belongs to nobody: it goes on when those who wait for it are cancelled.
package final class SharedCredentials<Value: Sendable & Equatable>: Sendable {
    private typealias Loading = Task<Result<ExpiringCredentials<Value>, StoreError>, Never>

    private struct Current {
        var value: Value
        /// Fresh ones are fetched in the background from this time on; nil when they do not expire.
        var advisory: Int64?
        /// From this time on nobody gets these any more.
        var mandatory: Int64?
    }

    private struct State {
        var current: Current?
        var loading: Loading?
        /// A refresh in the background begins no earlier.
        var nextAttempt = Int64.min
        /// The first that the service refused since it last accepted any.
        var refused: Value?
        /// Somebody has given credentials.
        var wasGiven = false
    }

    private let provider: any CredentialProvider<Value>
    private let margin: Int64
    private let advisory: Int64
    private let now: @Sendable () -> Int64
    private let state = Mutex(State())

    /// Seconds between refreshes in the background, after failures too.
    private static var pause: Int64 { 60 }
    /// Seconds for all that one load does; helpers that are processes have limits of their own below it.
    private static var patience: Int64 { 180 }

    /// - Parameters:
    ///   - margin: everybody waits for fresh ones when less than this is left, in seconds. At most a third of the time for which they
    ///     were valid when they came, so that short-lived ones are used at all.
    ///   - advisory: fresh ones are fetched in the background, and nobody waits, when less than this is left. At most half of that
    ///     time. While it fails, the old ones are used until the margin.
    ///   - now: seconds since 1970.
    package init(
        _ provider: any CredentialProvider<Value>, margin: Int64 = 300, advisory: Int64 = 0,
        now: @escaping @Sendable () -> Int64
    ) {
        self.provider = provider
        self.margin = margin
        self.advisory = max(advisory, margin)
        self.now = now
    }

    /// See `CredentialProvider.check`.
    package func check() throws(SettingError) { try provider.check() }

    /// Valid credentials; waits for the one refresh under way when there are none.
    package func current() async throws(StoreError) -> Value {
        let time = now()
        let (ready, loading): (Value?, Loading?) = state.withLock { state in
            guard let current = state.current, current.mandatory.map({ time < $0 }) ?? true else {
                return (nil, state.loading ?? begin(&state, time))
            }
            if let advisory = current.advisory, advisory <= time, state.nextAttempt <= time, state.loading == nil {
                begin(&state, time)
            }
            return (current.value, nil)
        }
        if let ready { return ready }
        return try await Self.outcome(of: loading!).get().value
    }

    /// A waiter that is cancelled goes, the refresh goes on.
    private static func outcome(of loading: Loading) async -> Result<ExpiringCredentials<Value>, StoreError> {
        let (results, continuation) = AsyncStream.makeStream(of: Result<ExpiringCredentials<Value>, StoreError>.self)
        Task {
            continuation.yield(await loading.value)
            continuation.finish()
        }
        // Ends without a result when the waiter is cancelled.
        for await result in results { return result }
        return .failure(StoreError(.cancelled, .head, message: "cancelled while waiting for credentials"))
    }

    @discardableResult
    private func begin(_ state: inout State, _ time: Int64) -> Loading {
        let provider = provider
        let task = Loading {
            do throws(StoreError) {
                let fresh = try await Self.load(provider).get()
                self.finish(fresh)
                return .success(fresh)
            } catch {
                self.finish(nil)
                return .failure(self.asked(error))
            }
        }
        state.nextAttempt = time + Self.pause
        state.loading = task
        return task
    }

    /// Who sends an answer byte by byte does not hold everybody up for ever.
    private static func load(
        _ provider: any CredentialProvider<Value>
    ) async -> Result<ExpiringCredentials<Value>, StoreError> {
        await withTaskGroup(of: Result<ExpiringCredentials<Value>, StoreError>?.self) { group in
            group.addTask {
                do throws(StoreError) { return .success(try await provider.load()) } catch { return .failure(error) }
            }
            group.addTask {
                try? await Task.sleep(for: .seconds(patience))
                return nil
            }
            let first = await group.next() ?? nil
            group.cancelAll()
            return first
                ?? .failure(
                    StoreError(
                        .unavailable, .head, message: "no credentials within \(patience) seconds", retry: .transient))
        }
    }

    /// Who answers nonsense when asked for credentials is the wrong one to ask, and will be the next time: that is a matter of the
    /// configuration, not of the object that needed them.
    private func asked(_ error: StoreError) -> StoreError {
        var error = error
        if error.isUnknownHost {
            // Not the store's own host, and unless it was there before a typo that does not go away.
            error.isUnknownHost = false
            if !state.withLock({ $0.wasGiven }) { error.retry = .never }
        }
        switch error.code {
        case .unauthenticated, .forbidden, .throttled, .unavailable, .unreachable, .network, .cancelled: return error
        default:
            let passes = error.retry == .transient
            error.code = passes ? .unavailable : .unauthenticated
            if !passes { error.retry = .never }
            return error
        }
    }

    private func finish(_ fresh: ExpiringCredentials<Value>?) {
        let time = now()
        state.withLock { state in
            state.loading = nil
            guard let fresh else { return }
            state.wasGiven = true
            guard let expiration = fresh.expiration else {
                state.current = Current(value: fresh.value)
                return
            }
            let lifetime = expiration - time
            // Expired on arrival: this machine's clock is wrong, or their source is. The service decides; not every request asks again.
            state.current =
                lifetime > 0
                ? Current(
                    value: fresh.value, advisory: expiration - min(advisory, lifetime / 2),
                    mandatory: expiration - min(margin, lifetime / 3))
                : Current(value: fresh.value, mandatory: time + Self.pause)
        }
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
}
