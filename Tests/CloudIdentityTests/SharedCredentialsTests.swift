import HTTPStores
import ObjectStores
import Synchronization
import Testing

@Suite struct SharedCredentialsTests {
    /// Values `0`, `1`, … that each live for so long; a test may hold a load back and make it fail.
    final class Provider: CredentialProvider {
        let clock: TestClock
        let lifetime: Int64
        let loads = Mutex(0)
        let fails = Mutex(false)
        /// Loads wait for a turn of this, when it is set.
        let gate: Gate?

        init(_ clock: TestClock, lifetime: Int64, gate: Gate? = nil) {
            self.clock = clock
            self.lifetime = lifetime
            self.gate = gate
        }

        func load() async throws(StoreError) -> ExpiringCredentials<Int> {
            let number = loads.withLock { count in
                defer { count += 1 }
                return count
            }
            await gate?.pass()
            if fails.withLock({ $0 }) { throw StoreError(.unavailable, .head, message: "no") }
            return ExpiringCredentials(number, expiration: clock.value + lifetime)
        }
    }

    /// Holds loads back until the test lets them go.
    actor Gate {
        private var isOpen = false
        private var waiting: [CheckedContinuation<Void, Never>] = []
        private var watchers: [CheckedContinuation<Void, Never>] = []

        func pass() async {
            if isOpen { return }
            await withCheckedContinuation { continuation in
                waiting.append(continuation)
                for watcher in watchers { watcher.resume() }
                watchers = []
            }
        }

        /// Returns once a load waits.
        func someoneWaits() async {
            if !waiting.isEmpty { return }
            await withCheckedContinuation { watchers.append($0) }
        }

        func open() {
            isOpen = true
            for continuation in waiting { continuation.resume() }
            waiting = []
        }
    }

    func shared(_ provider: Provider, _ clock: TestClock) -> SharedCredentials<Int> {
        SharedCredentials(provider, margin: 600, advisory: 900, now: { clock.value })
    }

    /// Asks until the answer is the one; a background refresh has no other sign.
    func wait(for value: Int, _ shared: SharedCredentials<Int>) async throws {
        while try await shared.current() != value { await Task.yield() }
    }

    /// Asks, too: a load begins only when the one before it has ended, which has no sign when it fails.
    func waitForLoads(_ count: Int, _ provider: Provider, _ shared: SharedCredentials<Int>) async throws {
        while provider.loads.withLock({ $0 }) < count {
            _ = try await shared.current()
            await Task.yield()
        }
    }

    @Test func nobodyWaitsForARefreshInTheBackground() async throws {
        let clock = TestClock()
        let gate = Gate()
        let provider = Provider(clock, lifetime: 3600, gate: gate)
        let shared = shared(provider, clock)
        async let first = shared.current()
        await gate.someoneWaits()
        await gate.open()
        #expect(try await first == 0)
        clock.advance(3600 - 901)
        #expect(try await shared.current() == 0)
        #expect(provider.loads.withLock { $0 } == 1)
        clock.advance(2)
        #expect(try await shared.current() == 0)
        try await wait(for: 1, shared)
        #expect(provider.loads.withLock { $0 } == 2)
    }

    @Test func aFailedRefreshKeepsTheOldOnesAndIsTriedAgainAMinuteLater() async throws {
        let clock = TestClock()
        let provider = Provider(clock, lifetime: 3600)
        let shared = shared(provider, clock)
        #expect(try await shared.current() == 0)
        provider.fails.withLock { $0 = true }
        clock.advance(3600 - 800)
        #expect(try await shared.current() == 0)
        try await waitForLoads(2, provider, shared)
        for _ in 0..<100 { #expect(try await shared.current() == 0) }
        clock.advance(59)
        #expect(try await shared.current() == 0)
        #expect(provider.loads.withLock { $0 } == 2)
        clock.advance(1)
        #expect(try await shared.current() == 0)
        try await waitForLoads(3, provider, shared)
        // From the margin on it is an error.
        clock.advance(140)
        await #expect(throws: StoreError.self) { try await shared.current() }
        provider.fails.withLock { $0 = false }
        #expect(try await shared.current() > 2)
    }

    @Test func manyWaitForOneAndACancelledOneTakesNothingAway() async throws {
        let clock = TestClock()
        let gate = Gate()
        let provider = Provider(clock, lifetime: 3600, gate: gate)
        let shared = shared(provider, clock)
        let first = Task { try await shared.current() }
        await gate.someoneWaits()
        let others = (0..<16).map { _ in Task { try await shared.current() } }
        first.cancel()
        let cancelled = await #expect(throws: StoreError.self) { try await first.value }
        #expect(cancelled?.code == .cancelled)
        await gate.open()
        for other in others { #expect(try await other.value == 0) }
        #expect(provider.loads.withLock { $0 } == 1)
    }

    @Test func shortLivedOnesAreUsedForMostOfTheirLife() async throws {
        let clock = TestClock()
        let provider = Provider(clock, lifetime: 300)
        let shared = shared(provider, clock)
        #expect(try await shared.current() == 0)
        clock.advance(149)
        #expect(try await shared.current() == 0)
        #expect(provider.loads.withLock { $0 } == 1)
        clock.advance(52)
        #expect(try await shared.current() == 1)
    }

    @Test func whatHasExpiredOnArrivalIsLeftToTheServiceForAMinute() async throws {
        let clock = TestClock()
        let provider = Provider(clock, lifetime: -3600)
        let shared = shared(provider, clock)
        for _ in 0..<10 { #expect(try await shared.current() == 0) }
        clock.advance(60)
        #expect(try await shared.current() == 1)
    }

    @Test func whatHelpsAfterAWhileIsNoMatterOfTheConfiguration() async {
        struct Garbled: CredentialProvider {
            let retry: StoreError.Retry
            func load() async throws(StoreError) -> ExpiringCredentials<Int> {
                throw StoreError(.invalidResponse, .head, message: "nonsense", retry: retry)
            }
        }
        for (retry, code) in [(StoreError.Retry.transient, StoreError.Code.unavailable), (.never, .unauthenticated)] {
            let shared = SharedCredentials(Garbled(retry: retry), now: { 0 })
            let error = await #expect(throws: StoreError.self) { try await shared.current() }
            #expect(error?.code == code && error?.retry == retry)
        }
    }

    @Test func whatDoesNotExpireIsAskedForOnce() async throws {
        struct Fixed: CredentialProvider {
            let loads = Counter()
            func load() async throws(StoreError) -> ExpiringCredentials<Int> {
                loads.increment()
                return ExpiringCredentials(7)
            }
        }
        final class Counter: Sendable {
            private let count = Mutex(0)
            func increment() { count.withLock { $0 += 1 } }
            var value: Int { count.withLock { $0 } }
        }
        let clock = TestClock()
        let provider = Fixed()
        let shared = SharedCredentials(provider, now: { clock.value })
        #expect(try await shared.current() == 7)
        clock.advance(1 << 40)
        #expect(try await shared.current() == 7)
        #expect(provider.loads.value == 1)
    }
}
