import Buffers
import CloudSim
import Cryptography
import Digests
import GCS
import Google
import HTTPStores
import HTTPTransport
import ObjectStores
import ReplicationModel
import TestFixtures
import Testing

/// What the Cloud Storage store makes of lost replies, damaged bytes and refused tokens, against CloudSim.
@Suite struct GCSFaultTests {
    /// The simulator has a type of the same name.
    typealias Attributes = ReplicationModel.ObjectAttributes

    private static let transport = CurlTransport()
    private static let pool = BufferPool(limit: 256 << 20)
    private static let partSize = 5 << 20

    /// A simulator with one bucket for the length of a test. Every fault that is planned must happen.
    private func withStore(
        sequentialPartLimit: Int = 0, _ body: (CloudSim, GCSStore) async throws -> Void
    ) async throws {
        let sim = try await CloudSim.start()
        try await sim.createBucket(.gcs, "b")
        do {
            let store = GCSStore(
                configuration: GCSConfiguration(endpoint: Endpoint(sim.gcs.endpoint)!), bucket: "b",
                transport: Self.transport,
                credentials: nil, sequentialPartLimit: sequentialPartLimit)
            try await body(sim, store)
        } catch {
            try await sim.stop()
            throw error
        }
        #expect(sim.faults.unfired.isEmpty)
        try await sim.stop()
    }

    private func failure<T>(_ body: () async throws(StoreError) -> T) async -> StoreError? {
        await GCSStoreTests.failure(body)
    }

    private func slice(_ count: Int, _ seed: UInt8) async throws -> BufferSlice {
        let buffer = try await Self.pool.acquire(count)
        for index in 0..<count {
            buffer.base.storeBytes(
                of: UInt8(truncatingIfNeeded: index &* 31) ^ seed, toByteOffset: index, as: UInt8.self)
        }
        return buffer.slice(count)
    }

    private func put(_ store: GCSStore, _ key: ObjectKey, _ body: BufferSlice) async throws(StoreError) -> WriteReceipt
    {
        try await store.put(
            PutRequest(
                key: key, body: body, digest: body.withUnsafeBytes { ContentDigest(of: $0) }, attributes: Attributes(),
                condition: .absent))
    }

    /// An upload of three parts that is ready to be completed.
    private func prepare(
        _ store: GCSStore, attributes: Attributes = Attributes()
    ) async throws -> (session: UploadSession, complete: CompleteRequest) {
        let sizes = [Self.partSize, Self.partSize, 300_000]
        let session = try await store.beginUpload(
            UploadRequest(
                key: "k", size: Int64(sizes.reduce(0, +)), partSize: Int64(Self.partSize), attributes: attributes,
                condition: .absent))
        var receipts: [PartReceipt] = []
        var whole = ContentDigest()
        for (index, size) in sizes.enumerated() {
            let body = try await slice(size, UInt8(index))
            let digest = body.withUnsafeBytes { ContentDigest(of: $0) }
            let part = PartRequest(number: index + 1, offset: Int64(index * Self.partSize), body: body, digest: digest)
            receipts.append(try await sent(part, store, session))
            whole = whole.appending(digest)
        }
        return (session, CompleteRequest(parts: receipts, digest: whole, attributes: attributes, condition: .absent))
    }

    /// Sends a part again as long as that can help.
    private func sent(_ part: PartRequest, _ store: GCSStore, _ session: UploadSession) async throws -> PartReceipt {
        for _ in 0..<5 {
            do throws(StoreError) {
                return try await store.uploadPart(part, of: session)
            } catch {
                #expect(error.retry == .transient)
            }
        }
        return try await store.uploadPart(part, of: session)
    }

    private func leftovers(_ store: GCSStore) async throws -> Int {
        var request = ListRequest()
        var count = 0
        repeat {
            let page = try await store.openUploads(request)
            count += page.uploads.count
            request.cursor = page.next
        } while request.cursor != nil
        return count
    }

    @Test(arguments: ["XMLComplete", "Move"])
    func aLostReplyWhileCompletingIsSettledByAnotherAttempt(_ operation: String) async throws {
        try await withStore { sim, store in
            let (session, complete) = try await prepare(store)
            sim.faults.add(FaultRule(.dropReplyAfterCommit).on(.gcs, operation: operation, nth: 1))
            let lost = await failure { () throws(StoreError) in try await store.completeUpload(complete, of: session) }
            #expect(lost?.retry == .unknownOutcome)
            let again = await failure { () throws(StoreError) in try await store.completeUpload(complete, of: session) }
            // After a move the upload is gone and the object is there, which reading back finds out.
            #expect(again == nil || again?.code == .missingUpload)
            let head = try await store.head("k")
            #expect(head.object.checksums.crc32c == complete.digest?.crc32c)
            #expect(try await leftovers(store) == 0)
        }
    }

    @Test func anErrorInASuccessIsAnError() async throws {
        try await withStore { sim, store in
            let (session, complete) = try await prepare(store)
            sim.faults.add(FaultRule(.errorIn200).on(.gcs, operation: "XMLComplete", nth: 1))
            let error = await failure { () throws(StoreError) in try await store.completeUpload(complete, of: session) }
            #expect(error?.retry == .unknownOutcome)
            #expect(try await store.completeUpload(complete, of: session).checksums.crc32c == complete.digest?.crc32c)
        }
    }

    @Test func aServerThatCannotMoveIsLearned() async throws {
        try await withStore { sim, store in
            sim.faults.add(.status(501).on(.gcs, operation: "Move"))
            let attributes = Attributes(
                contentType: "a/b", cacheControl: "no-store", userMetadata: ["Mixed": "grün", "plain": "x"])
            let (session, complete) = try await prepare(store, attributes: attributes)
            let receipt = try await store.completeUpload(complete, of: session)
            let head = try await store.head("k")
            #expect(head.object.version == receipt.version && head.attributes == attributes)
            #expect(store.learned.count == 1)
            #expect(try await leftovers(store) == 0)
        }
    }

    @Test(arguments: [
        Attributes(contentType: "a/b", contentLanguage: "de", userMetadata: ["a": "b"]),
        Attributes(contentType: "a/b", userMetadata: ["A": "ü"]),
    ])
    func attributesSurviveTheMove(_ attributes: Attributes) async throws {
        try await withStore { _, store in
            let (session, complete) = try await prepare(store, attributes: attributes)
            _ = try await store.completeUpload(complete, of: session)
            #expect(try await store.head("k").attributes == attributes)
        }
    }

    @Test func aRacedUploadLeavesNothingBehind() async throws {
        try await withStore { _, store in
            let (session, complete) = try await prepare(store)
            _ = try await put(store, "k", try await slice(10, 9))
            let error = await failure { () throws(StoreError) in try await store.completeUpload(complete, of: session) }
            #expect(error?.code == .preconditionFailed)
            #expect(try await leftovers(store) == 0)
            #expect(try await store.head("k").object.size == 10)
        }
    }

    @Test func sessionsGoOnAfterLostReplies() async throws {
        try await withStore(sequentialPartLimit: 100) { sim, store in
            sim.faults.add(FaultRule(.dropReplyAfterCommit).on(.gcs, operation: "ResumableChunk", nth: 1))
            sim.faults.add(.status(503).on(.gcs, operation: "ResumableChunk", nth: 3))
            let (session, complete) = try await prepare(store)
            let receipt = try await store.completeUpload(complete, of: session)
            #expect(receipt.checksums.crc32c == complete.digest?.crc32c && receipt.bytesVerified)
        }
    }

    @Test func aLostReplyToTheLastChunkIsFoundCompleted() async throws {
        try await withStore(sequentialPartLimit: 100) { sim, store in
            let (session, complete) = try await prepare(store)
            sim.faults.add(FaultRule(.dropReplyAfterCommit).on(.gcs, operation: "ResumableChunk", nth: 1))
            let lost = await failure { () throws(StoreError) in try await store.completeUpload(complete, of: session) }
            #expect(lost?.retry == .unknownOutcome)
            #expect(try await store.completeUpload(complete, of: session).checksums.crc32c == complete.digest?.crc32c)
        }
    }

    @Test(arguments: [0, 100])
    func bytesDamagedOnTheWayAreRefused(_ sequentialPartLimit: Int) async throws {
        try await withStore(sequentialPartLimit: sequentialPartLimit) { sim, store in
            var damage = FaultRule(.flipBit).on(
                .gcs, operation: sequentialPartLimit == 0 ? "XMLPart" : "ResumableChunk", nth: 1)
            damage.direction = .request
            sim.faults.add(damage)
            let body = try await slice(Self.partSize, 1)
            let session = try await store.beginUpload(
                UploadRequest(
                    key: "k", size: Int64(3 * Self.partSize), partSize: Int64(Self.partSize), attributes: Attributes(),
                    condition: .absent))
            let part = PartRequest(
                number: 1, offset: 0, body: body, digest: body.withUnsafeBytes { ContentDigest(of: $0) })
            let error = await failure { () throws(StoreError) in try await store.uploadPart(part, of: session) }
            #expect(error?.code == .checksumMismatch)
            try await store.abortUpload(session)
            #expect(try await leftovers(store) == 0)
        }
    }

    @Test func readsNoticeDamageAndReplacement() async throws {
        try await withStore { sim, store in
            let body = try await slice(100_000, 1)
            let receipt = try await put(store, "k", body)
            let buffer = try await Self.pool.acquire(100_000)
            let whole = ReadRequest(
                key: "k", range: ByteRange(offset: 0, length: 100_000), version: receipt.version, objectSize: 100_000)
            var damage = FaultRule(.flipBit).on(.gcs, operation: "GetObject", nth: 1)
            damage.direction = .response
            for (fault, code) in [
                (damage, StoreError.Code.checksumMismatch),
                (FaultRule(.wrongChecksum).on(.gcs, operation: "GetObject", nth: 1), .checksumMismatch),
                (FaultRule(.shortBody).on(.gcs, operation: "GetObject", nth: 1), .network),
                (FaultRule(.longBody).on(.gcs, operation: "GetObject", nth: 1), .invalidResponse),
            ] {
                sim.faults.clear()
                var fault = fault
                fault.matchingLength = fault.action == .longBody ? true : nil
                let id = sim.faults.add(fault)
                let error = await failure { () throws(StoreError) in try await store.read(whole, into: buffer) }
                #expect(error?.code == code && error?.retry == .transient)
                #expect(sim.faults.fired(id) == 1)
            }
            sim.faults.clear()
            var part = whole
            part.range = ByteRange(offset: 5, length: 10)
            for action in [FaultAction.wrongContentRange, .ignoreRange] {
                sim.faults.add(FaultRule(action).on(.gcs, operation: "GetObject", nth: 1))
                let error = await failure { () throws(StoreError) in try await store.read(part, into: buffer) }
                #expect(error?.code == .invalidResponse)
                sim.faults.clear()
            }
            sim.faults.add(FaultRule(.replaceObjectBetweenRanges).on(.gcs, operation: "GetObject", nth: 1))
            let replaced = await failure { () throws(StoreError) in try await store.read(part, into: buffer) }
            #expect(replaced?.code == .versionChanged)
        }
    }

    @Test func throttlingIsObeyed() async throws {
        try await withStore { sim, store in
            sim.faults.add(.status(429, retryAfter: "7").on(.gcs, operation: "ListObjects", nth: 1))
            let error = await failure { () throws(StoreError) in try await store.list(ListRequest()) }
            #expect(error?.code == .throttled && error?.retry == .after(.seconds(7)))
        }
    }

    @Test(arguments: [false, true])
    func aServiceAccountIsLetInAndAnExpiredTokenReplaced(_ selfSigned: Bool) async throws {
        var configuration = SimConfiguration()
        configuration.gcs.allowsAnonymous = false
        let sim = try await CloudSim.start(configuration)
        try await sim.createBucket(.gcs, "b")
        let file = try await Self.transport.send(
            HTTPRequest(.get, "\(sim.gcs.endpoint)/_/service-account.json"), into: .collect(limit: 1 << 20))
        let account = try GoogleServiceAccount(json: file.body, path: "robot.json")
        let now = { @Sendable in SystemTime().nowSeconds() }
        let credentials =
            selfSigned
            ? SharedCredentials(SelfSignedGoogleToken(account, scope: .objects, now: now), now: now)
            : SharedCredentials(
                ExchangedGoogleToken(account, scope: .objects, transport: Self.transport, now: now), now: now)
        func store(_ credentials: SharedCredentials<GoogleToken>?) -> GCSStore {
            GCSStore(
                configuration: GCSConfiguration(endpoint: Endpoint(sim.gcs.endpoint)!), bucket: "b",
                transport: Self.transport,
                credentials: credentials)
        }
        let anonymous = await failure { () throws(StoreError) in try await store(nil).list(ListRequest()) }
        #expect(anonymous?.code == .unauthenticated && anonymous?.retry == .never)
        let robot = store(credentials)
        _ = try await put(robot, "k", try await slice(10, 1))
        sim.faults.add(FaultRule(.expireCredentials).on(.gcs, operation: "GetObjectMetadata", nth: 1))
        let expired = await failure { () throws(StoreError) in try await robot.head("k") }
        #expect(expired?.code == .unauthenticated && expired?.retry == .transient)
        #expect(try await robot.head("k").object.size == 10)
        #expect(sim.requests(.gcs)["Token"] == (selfSigned ? nil : 2))
        try await sim.stop()
    }
}
