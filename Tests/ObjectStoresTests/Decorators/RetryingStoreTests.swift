import ObjectStores
import ReplicationModel
import Synchronization
import Testing

@Suite struct RetryingStoreTests {
    private let time = ManualTime()

    /// Fails the first calls of every kind.
    private func failing(_ times: Int, _ retry: StoreError.Retry = .transient) -> HookedStore {
        HookedStore { (operation, _, number) throws(StoreError) in
            if number <= times { throw .busy(operation, retry) }
        }
    }

    @Test func transientFailuresAreTriedAgainWithGrowingWaits() async throws {
        let base = failing(5)
        let told = Mutex<[Int]>([])
        let store = RetryingStore(base, time: time) { error, attempt, wait in
            #expect(error.code == .unavailable)
            told.withLock { $0.append(attempt) }
        }
        try await store.write("x", to: "key")
        #expect(base.count(.put) == 6)
        #expect(told.withLock { $0 } == [1, 2, 3, 4, 5])
        let ceilings: [Duration] = [
            .milliseconds(150), .milliseconds(300), .milliseconds(600), .milliseconds(1200), .milliseconds(2400),
        ]
        for (slept, ceiling) in zip(time.sleeps, ceilings) { #expect(slept >= .zero && slept <= ceiling) }
        #expect(try await base.base.text(of: "key") == "x")
    }

    @Test func waitsAreJittered() async throws {
        let store = RetryingStore(failing(1), policy: RetryPolicy(base: .seconds(1)), time: time)
        for number in 0..<20 { _ = try await failure { _ = try await store.head(ObjectKey("\(number)")) } }
        let again = RetryingStore(failing(7), policy: RetryPolicy(base: .seconds(1)), time: time)
        _ = try await failure { _ = try await again.head("x") }
        #expect(Set(time.sleeps).count == time.sleeps.count)
    }

    @Test func theCeilingStopsGrowing() {
        let policy = RetryPolicy()
        #expect(policy.ceiling(afterAttempt: 1) == .milliseconds(150))
        #expect(policy.ceiling(afterAttempt: 2) == .milliseconds(300))
        #expect(policy.ceiling(afterAttempt: 8) == .milliseconds(19_200))
        for attempt in [9, 20, 64, 1000] { #expect(policy.ceiling(afterAttempt: attempt) == .seconds(20)) }
    }

    @Test func aCallIsGivenUpAfterItsLastAttempt() async throws {
        let base = failing(.max)
        let store = RetryingStore(base, policy: RetryPolicy(maxAttempts: 4), time: time)
        let error = try await failure { _ = try await store.list(ListRequest()) }
        #expect(error?.code == .unavailable)
        #expect(base.count(.list) == 4)
        #expect(time.sleeps.count == 3)
    }

    @Test func lastingFailuresAreNotTriedAgain() async throws {
        let base = failing(.max, .never)
        let store = RetryingStore(base, time: time)
        #expect(try await failure { _ = try await store.head("x") } != nil)
        #expect(base.count(.head) == 1)
        #expect(time.sleeps.isEmpty)
    }

    @Test func aHostThatNeverWasThereIsSoonGivenUp() async throws {
        let base = HookedStore { (operation, _, _) throws(StoreError) in throw .unknownHost(operation) }
        let store = RetryingStore(base, time: time, addressName: "clouds.prod.endpoint")
        let error = try await failure { _ = try await store.list(ListRequest()) }
        #expect(base.count(.list) == 3 && time.sleeps.count == 2)
        #expect(error?.message == "there is no host; check clouds.prod.endpoint")
    }

    @Test func aHostThatHasAnsweredComesBack() async throws {
        for answer in [StoreError?.none, .busy(.head, .never)] {
            let base = HookedStore { (operation, _, number) throws(StoreError) in
                if operation == .list, number <= 6 { throw .unknownHost(operation) }
                if operation == .head, let answer { throw answer }
            }
            let store = RetryingStore(base, time: time)
            _ = try await failure { _ = try await store.head("x") }
            _ = try await store.list(ListRequest())
            #expect(base.count(.list) == 7)
        }
    }

    @Test func theStoresOwnWaitIsTheLeast() async throws {
        let store = RetryingStore(failing(1, .after(.seconds(7))), time: time)
        try await store.write("x", to: "key")
        #expect(time.sleeps.count == 1)
        #expect(time.sleeps[0] >= .seconds(7) && time.sleeps[0] <= .seconds(7) + .milliseconds(150))
    }

    @Test func writesOfUnknownOutcomeAreNotRepeated() async throws {
        let base = failing(1, .unknownOutcome)
        let store = RetryingStore(base, time: time)
        #expect(try await failure { try await store.write("x", to: "key") }?.retry == .unknownOutcome)
        #expect(base.count(.put) == 1)
        let version = try await base.base.write("x", to: "key").version
        let copy = CopyRequest(source: "key", sourceVersion: version, size: 1, destination: "copy", condition: .absent)
        #expect(try await failure { _ = try await store.copy(copy) }?.retry == .unknownOutcome)
        #expect(base.count(.copy) == 1)
        let session = try await base.base.upload([[1], [2]], to: "object", complete: false)
        #expect(try await failure { try await store.finish(session, []) }?.retry == .unknownOutcome)
        #expect(base.count(.completeUpload) == 1)
        #expect(time.sleeps.isEmpty)
    }

    @Test func callsThatGiveTheSameTwiceAreRepeatedAfterALostReply() async throws {
        let base = failing(1, .unknownOutcome)
        try await base.base.write("x", to: "key")
        let store = RetryingStore(base, time: time)
        _ = try await store.head("key")
        _ = try await store.bytes(of: "key")
        _ = try await store.list(ListRequest())
        let session = try await store.upload([[1], [2]], to: "object", complete: false)
        _ = try await store.listParts(of: session)
        _ = try await store.openUploads(ListRequest())
        try await store.abortUpload(session)
        for result in await store.delete([DeleteRequest(key: "key", version: nil)]) { try result.get() }
        #expect(base.count(.beginUpload) == 2 && base.count(.uploadPart) == 3 && base.count(.delete) == 2)
        #expect(time.sleeps.count == 9)
    }

    @Test func theBudgetIsSharedAndEarnedBack() async throws {
        let isBroken = Mutex(true)
        let base = HookedStore { (operation, _, _) throws(StoreError) in
            if isBroken.withLock({ $0 }) { throw .busy(operation) }
        }
        let store = RetryingStore(base, policy: RetryPolicy(maxAttempts: 100, reserve: 10, earned: 0.5), time: time)
        for _ in 0..<20 { _ = try await failure { _ = try await store.list(ListRequest()) } }
        // Twenty calls and ten retries, not two thousand.
        #expect(base.count(.list) == 30)
        isBroken.withLock { $0 = false }
        for _ in 0..<8 { _ = try await store.list(ListRequest()) }
        isBroken.withLock { $0 = true }
        _ = try await failure { _ = try await store.list(ListRequest()) }
        #expect(base.count(.list) == 30 + 8 + 1 + 4)
    }

    @Test func aBatchRepeatsOnlyWhatFailed() async throws {
        let base = HookedStore { (operation, key, _) throws(StoreError) in
            if key == "never" { throw .busy(operation, .never) }
        }
        let flaky = HookedStore(base) { (operation, key, number) throws(StoreError) in
            if key == "flaky", number <= 4 { throw .busy(operation) }
        }
        let store = RetryingStore(flaky, time: time)
        for key in ["a", "flaky", "b"] as [ObjectKey] { try await base.base.write("x", to: key) }
        let keys: [ObjectKey] = ["a", "flaky", "never", "b", "absent"]
        let results = await store.delete(keys.map { DeleteRequest(key: $0, version: nil) })
        let failed = results.map { if case .failure(let error) = $0 { error.retry == .never } else { false } }
        #expect(failed == [false, false, true, false, false])
        // Five the first time, then only the flaky one.
        #expect(flaky.count(.delete) == 6)
        #expect(try await base.base.everything().keys.isEmpty)
    }

    @Test func cancellationEndsTheWait() async throws {
        let base = failing(.max)
        // The machine's clock: the wait would last for a minute.
        let store = RetryingStore(base, policy: RetryPolicy(base: .seconds(60), cap: .seconds(60)), time: SystemTime())
        let call = Task {
            do throws(StoreError) {
                _ = try await store.head("key")
                return nil as StoreError?
            } catch {
                return error
            }
        }
        while base.count(.head) == 0 { await Task.yield() }
        call.cancel()
        let error = await call.value
        #expect(error?.code == .cancelled)
        #expect(error?.operation == .head)
    }
}

extension StoreError {
    fileprivate static func unknownHost(_ operation: StoreOperation) -> StoreError {
        var error = StoreError(.unreachable, operation, message: "there is no host", retry: .transient)
        error.isUnknownHost = true
        return error
    }
}
