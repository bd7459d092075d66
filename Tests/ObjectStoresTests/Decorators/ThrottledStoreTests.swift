import ObjectStores
import ReplicationModel
import Synchronization
import Testing

@Suite struct ThrottledStoreTests {
    private let time = ManualTime()

    private func capabilities(concurrency: Int) -> StoreCapabilities {
        var capabilities = MemoryStore.standardCapabilities
        capabilities.maxConcurrency = concurrency
        return capabilities
    }

    /// How many calls are under way at once.
    private final class Crowd: Sendable {
        private let state = Mutex<(inside: Int, most: Int)>((0, 0))

        var most: Int { state.withLock { $0.most } }

        func forget() { state.withLock { $0.most = 0 } }

        func pass() async {
            state.withLock {
                $0.inside += 1
                $0.most = max($0.most, $0.inside)
            }
            for _ in 0..<20 { await Task.yield() }
            state.withLock { $0.inside -= 1 }
        }
    }

    private func callAtOnce(_ count: Int, _ store: any ObjectStore) async {
        await withTaskGroup(of: Void.self) { group in
            for number in 0..<count {
                group.addTask { _ = try? await store.head(ObjectKey("\(number)")) }
            }
        }
    }

    @Test func noMoreCallsAtOnceThanTheStoreTakes() async {
        let crowd = Crowd()
        let base = HookedStore(capabilities: capabilities(concurrency: 5)) { (_, _, _) throws(StoreError) in
            await crowd.pass()
        }
        let store = ThrottledStore(base, time: time)
        await callAtOnce(200, store)
        #expect(crowd.most <= 5 && crowd.most > 1)
        #expect(base.count(.head) == 200)
    }

    @Test func slowDownMakesFewerCallsAtOnceAndSuccessMoreAgain() async throws {
        let crowd = Crowd()
        let base = HookedStore(capabilities: capabilities(concurrency: 20)) { (operation, key, _) throws(StoreError) in
            if key == "throttle" { throw StoreError(.throttled, operation, message: "slow down", retry: .transient) }
            await crowd.pass()
        }
        let store = ThrottledStore(base, time: time)
        for _ in 0..<4 {
            _ = try await failure { _ = try await store.head("throttle") }
            // One decrease a second: replies that are already under way tell nothing new.
            _ = try await failure { _ = try await store.head("throttle") }
            time.advance(.seconds(2))
        }
        // 20 × 0.7⁴ is 4.8; each success adds a little.
        await callAtOnce(4, store)
        #expect(crowd.most <= 5)
        crowd.forget()
        await callAtOnce(600, store)
        #expect(crowd.most > 8 && crowd.most <= 20)
    }

    @Test func aStoreThatRefusesEverythingIsLeftAloneEverLonger() async throws {
        let base = HookedStore { (operation, _, number) throws(StoreError) in
            if number != 6 { throw StoreError(.throttled, operation, message: "slow down", retry: .transient) }
        }
        let store = ThrottledStore(base, time: time)
        for _ in 0..<5 { _ = try await failure { _ = try await store.head("k") } }
        #expect(time.sleeps == [.milliseconds(250)])
        // One success, and the patience is back.
        _ = try await failure { _ = try await store.head("k") }
        #expect(time.sleeps == [.milliseconds(250), .milliseconds(500)])
        for _ in 0..<4 { _ = try await failure { _ = try await store.head("k") } }
        #expect(time.sleeps.count == 2)
        for _ in 0..<20 { _ = try await failure { _ = try await store.head("k") } }
        #expect(time.sleeps.last == .seconds(20))
    }

    @Test func nothingIsAskedBeforeTheTimeThatTheStoreNames() async throws {
        let base = HookedStore { (operation, _, number) throws(StoreError) in
            if number == 1 { throw .busy(operation, .after(.seconds(30))) }
        }
        let store = ThrottledStore(base, time: time)
        _ = try await failure { _ = try await store.head("a") }
        #expect(time.sleeps.isEmpty)
        _ = try await failure { _ = try await store.head("b") }
        #expect(time.sleeps == [.seconds(30)])
        _ = try await failure { _ = try await store.head("c") }
        #expect(time.sleeps.count == 1)
    }

    @Test func aBatchOfDeletesIsHeardToo() async throws {
        let base = HookedStore { (operation, key, _) throws(StoreError) in
            if key == "slow" { throw .busy(operation, .after(.seconds(9))) }
        }
        let store = ThrottledStore(base, time: time)
        _ = await store.delete([DeleteRequest(key: "a", version: nil), DeleteRequest(key: "slow", version: nil)])
        _ = try await store.list(ListRequest())
        #expect(time.sleeps == [.seconds(9)])
    }

    @Test func theByteRateHoldsForAllReadersTogether() async throws {
        let base = MemoryStore()
        try await base.write([UInt8](repeating: 1, count: 1000), to: "key")
        let rate = ByteRateLimit(bytesPerSecond: 500, time: time)
        let stores = [ThrottledStore(base, rate: rate, time: time), ThrottledStore(base, rate: rate, time: time)]
        let started = time.monotonic()
        for number in 0..<10 { _ = try await stores[number % 2].bytes(of: "key") }
        // The last read starts when the nine before have had two seconds each.
        #expect(time.monotonic() - started == 18_000_000_000)
    }
}
