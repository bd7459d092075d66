import Synchronization

/// How often and how long a failed call is tried again: exponential back-off with full jitter, and a budget that all calls share.
///
/// The budget keeps a store in trouble from being asked ever more often: retries may be at most half of the calls that succeed, which
/// outlasts any storm that lets two of three calls through, plus a reserve (as in the retry quota of the AWS SDKs, "standard retry mode").
package struct RetryPolicy: Sendable {
    package var maxAttempts: Int
    /// Attempts of a call that the store refuses because it is busy: minutes, for it will not be busy for ever.
    package var maxRefusals: Int
    /// Attempts of a call while there is no host of the service's name, and there never was one: a typo does not go away by itself.
    package var maxLookups: Int
    package var base: Duration
    package var cap: Duration
    /// Retries that may be spent before any call has succeeded.
    package var reserve: Double
    /// Retries earned by each call that succeeds.
    package var earned: Double

    package init(
        maxAttempts: Int = 8, maxRefusals: Int = 20, maxLookups: Int = 3,
        base: Duration = .milliseconds(150), cap: Duration = .seconds(20), reserve: Double = 200,
        earned: Double = 0.5
    ) {
        self.maxAttempts = maxAttempts
        self.maxRefusals = maxRefusals
        self.maxLookups = maxLookups
        self.base = base
        self.cap = cap
        self.reserve = reserve
        self.earned = earned
    }

    /// The longest wait before attempt `attempt + 1`; the wait itself is a random share of it.
    package func ceiling(afterAttempt attempt: Int) -> Duration {
        min(cap, base * (1 << min(attempt - 1, 20)))
    }

    package func delay(afterAttempt attempt: Int, random: Double) -> Duration {
        ceiling(afterAttempt: attempt) * random
    }
}

/// The retries that the calls of one store may still spend.
package final class RetryBudget: Sendable {
    private let policy: RetryPolicy
    private let available: Mutex<Double>
    private let answered = Atomic(false)

    package init(_ policy: RetryPolicy) {
        self.policy = policy
        available = Mutex(policy.reserve)
    }

    /// The service has been reached.
    var hasAnswered: Bool { answered.load(ordering: .relaxed) }

    func noteAnswer() { answered.store(true, ordering: .relaxed) }

    func earn() {
        noteAnswer()
        available.withLock { $0 = min(policy.reserve, $0 + policy.earned) }
    }

    func spend() -> Bool {
        available.withLock { available in
            guard available >= 1 else { return false }
            available -= 1
            return true
        }
    }
}
