import Buffers
import CloudSim
import Digests
import ObjectStores
import ReplicationModel
import S3
import Testing

/// One attempt of the store against each fault that the simulator can make: never wrong bytes, never a false success,
/// and a verdict that says whether trying again can help.
@Suite(.serialized) struct S3FaultTests {
    static let size = 200_000
    static let pool = BufferPool(limit: 8 << 20)

    /// A simulator of its own: rules concern every request.
    static let simulation = Task { () -> CloudSim in
        let sim = try await CloudSim.start()
        try await sim.createBucket(.s3, "faults")
        return sim
    }

    func withFault<Reply>(
        _ rule: FaultRule, _ body: (S3Store) async throws(StoreError) -> Reply
    ) async throws -> Result<Reply, StoreError> {
        let sim = try await Self.simulation.value
        let store = S3ConformanceTests.store(sim, bucket: "faults")
        let id = sim.faults.add(rule)
        defer { sim.faults.clear() }
        let result: Result<Reply, StoreError>
        do throws(StoreError) {
            result = .success(try await body(store))
        } catch {
            result = .failure(error)
        }
        #expect(sim.faults.fired(id) > 0, "the fault did not fire")
        return result
    }

    /// Stores an object and reads a range of it, or all of it, under a fault.
    func read(_ rule: FaultRule, key: ObjectKey, whole: Bool) async throws -> Result<ReadReply, StoreError> {
        let sim = try await Self.simulation.value
        let bytes = (0..<Self.size).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        try await sim.put(.s3, bucket: "faults", key: key.text, bytes: bytes)
        let version = try await S3ConformanceTests.store(sim, bucket: "faults").head(key).object.version
        let range = whole ? ByteRange(offset: 0, length: Int64(Self.size)) : ByteRange(offset: 1000, length: 50_000)
        let buffer = try await Self.pool.acquire(Self.size)
        return try await withFault(rule) { store throws(StoreError) in
            try await store.read(
                ReadRequest(key: key, range: range, version: version, objectSize: Int64(Self.size)), into: buffer)
        }
    }

    /// More bytes than the range, and a Content-Length that says so.
    private static var longBody: FaultRule {
        var rule = FaultRule(.longBody)
        rule.matchingLength = true
        return rule
    }

    static let readFaults: [(FaultRule, Set<StoreError.Code>)] = [
        (.status(503, code: "SlowDown"), [.throttled]), (.status(500, code: "InternalError"), [.unavailable]),
        (.afterBytes(.resetAfterBytes, 10_000, .response), [.network]),
        (FaultRule(.shortBody), [.network, .invalidResponse]),
        (longBody, [.invalidResponse, .network]), (FaultRule(.missingETag), [.invalidResponse]),
        (FaultRule(.wrongETag), [.versionChanged]),
        (FaultRule(.replaceObjectBetweenRanges), [.versionChanged]),
        (FaultRule(.deleteObjectBetweenRanges), [.notFound]),
    ]

    @Test(arguments: readFaults.indices, [true, false])
    func brokenReadsAreErrors(index: Int, whole: Bool) async throws {
        let (rule, codes) = Self.readFaults[index]
        let result = try await read(
            rule.on(.s3, operation: "GetObject"), key: ObjectKey("read-\(index)-\(whole)"), whole: whole)
        guard case .failure(let error) = result else { return #expect(Bool(false), "\(rule.action) was not noticed") }
        #expect(codes.contains(error.code), "\(rule.action): \(error)")
        let isRetryable = error.retry != .never
        #expect(isRetryable == ![.versionChanged, .notFound].contains(error.code))
    }

    @Test(arguments: [FaultAction.wrongContentRange, .ignoreRange])
    func rangesThatAreNotTheOnesAskedForAreErrors(action: FaultAction) async throws {
        let result = try await read(
            FaultRule(action).on(.s3, operation: "GetObject"), key: ObjectKey("range-\(action.rawValue)"), whole: false)
        guard case .failure(let error) = result else { return #expect(Bool(false), "not noticed") }
        #expect([.invalidResponse, .network].contains(error.code))
        #expect(error.retry == .transient)
    }

    @Test(arguments: [FaultRule(.flipBit), FaultRule(.wrongChecksum)])
    func aWholeObjectThatDiffersFromItsChecksumIsAnError(rule: FaultRule) async throws {
        let sim = try await Self.simulation.value
        let store = S3ConformanceTests.store(sim, bucket: "faults")
        let key = ObjectKey("whole-\(rule.action.rawValue)")
        let buffer = try await Self.pool.acquire(Self.size)
        buffer.base.initializeMemory(as: UInt8.self, repeating: 3, count: Self.size)
        let body = buffer.slice(Self.size)
        let digest = body.withUnsafeBytes { ContentDigest(of: $0) }
        let version = try await store.put(
            PutRequest(key: key, body: body, digest: digest, attributes: ObjectAttributes(), condition: .unconditional)
        ).version
        var rule = rule.on(.s3, operation: "GetObject")
        if rule.action == .flipBit { rule.direction = .response }
        let result = try await withFault(rule) { store throws(StoreError) in
            try await store.read(
                ReadRequest(
                    key: key, range: ByteRange(offset: 0, length: Int64(Self.size)), version: version,
                    objectSize: Int64(Self.size)), into: buffer)
        }
        guard case .failure(let error) = result else { return #expect(Bool(false), "not noticed") }
        #expect(error.code == .checksumMismatch)
        #expect(error.retry == .transient)
    }

    static let writeFaults: [(FaultRule, StoreError.Retry)] = [
        (.status(503, code: "SlowDown"), .transient),
        (.status(503, code: "SlowDown", retryAfter: "3"), .after(.seconds(3))),
        (.status(500, code: "InternalError"), .unknownOutcome),
        (FaultRule(.dropReplyAfterCommit), .unknownOutcome),
        (.afterBytes(.resetAfterBytes, 10_000, .request), .unknownOutcome),
        (FaultRule(.missingETag), .unknownOutcome),
    ]

    @Test(arguments: writeFaults.indices)
    func brokenWritesSayWhetherTheyMayHaveHappened(index: Int) async throws {
        let (rule, retry) = Self.writeFaults[index]
        let buffer = try await Self.pool.acquire(Self.size)
        buffer.base.initializeMemory(as: UInt8.self, repeating: 5, count: Self.size)
        let body = buffer.slice(Self.size)
        let digest = body.withUnsafeBytes { ContentDigest(of: $0) }
        let result = try await withFault(rule.on(.s3, operation: "PutObject")) { store throws(StoreError) in
            try await store.put(
                PutRequest(
                    key: ObjectKey("write-\(index)"), body: body, digest: digest, attributes: ObjectAttributes(),
                    condition: .absent))
        }
        guard case .failure(let error) = result else { return #expect(Bool(false), "\(rule.action) was not noticed") }
        #expect(error.retry == retry, "\(rule.action): \(error)")
    }

    @Test func aBitThatFlipsOnTheWayUpIsRefused() async throws {
        let buffer = try await Self.pool.acquire(Self.size)
        buffer.base.initializeMemory(as: UInt8.self, repeating: 6, count: Self.size)
        let body = buffer.slice(Self.size)
        let digest = body.withUnsafeBytes { ContentDigest(of: $0) }
        var rule = FaultRule(.flipBit).on(.s3, operation: "PutObject")
        rule.direction = .request
        let result = try await withFault(rule) { store throws(StoreError) in
            try await store.put(
                PutRequest(
                    key: "flipped", body: body, digest: digest, attributes: ObjectAttributes(), condition: .absent))
        }
        guard case .failure(let error) = result else { return #expect(Bool(false), "not noticed") }
        #expect(error.code == .checksumMismatch)
        #expect(error.retry == .transient)
    }

    @Test func expiredCredentialsAreRefreshable() async throws {
        let result = try await withFault(FaultRule(.expireCredentials).on(.s3, operation: "ListObjectsV2")) {
            store throws(StoreError) in
            try await store.list(ListRequest())
        }
        guard case .failure(let error) = result else { return #expect(Bool(false), "not noticed") }
        #expect(error.code == .unauthenticated)
        #expect(error.retry == .transient)
    }

    @Test func aListingThatNamesNoContinuationIsAnError() async throws {
        let sim = try await Self.simulation.value
        try await sim.populate(.s3, bucket: "faults", prefix: "list/", count: 5, size: 1)
        let result = try await withFault(FaultRule(.listNoToken).on(.s3)) { store throws(StoreError) in
            try await store.list(ListRequest(prefix: "list/", limit: 2))
        }
        guard case .failure(let error) = result else { return #expect(Bool(false), "not noticed") }
        #expect(error.code == .invalidResponse)
    }

    @Test func redirectsToOtherHostsAreNotFollowed() async throws {
        var rule = FaultRule(.redirectTo).on(.s3, operation: "HeadObject")
        rule.location = "http://127.0.0.1:9/elsewhere"
        let result = try await withFault(rule) { store throws(StoreError) in try await store.head("k") }
        guard case .failure(let error) = result else { return #expect(Bool(false), "not noticed") }
        #expect(error.retry == .never)
    }

    @Test func aClockThatDiffersIsLearned() async throws {
        let sim = try await Self.simulation.value
        let store = S3ConformanceTests.store(sim, bucket: "faults")
        try await sim.setClockOffset(seconds: 3600)
        _ = try await store.list(ListRequest(limit: 1))
        #expect(store.learned.contains { $0.contains("clock") })
        try await sim.setClockOffset(seconds: 0)
    }
}
