import AzureBlob
import Buffers
import CloudSim
import Digests
import ObjectStores
import ReplicationModel
import Testing

/// What only a server can show: whose checksum a blob reports, clocks, archives, and bytes that arrive damaged.
@Suite struct AzureBlobSimulatorTests {
    static let container = "simulated"
    static let pool = BufferPool(limit: 32 << 20)

    private static let prepared = Task {
        let sim = try await SimulatedClouds.running()
        try await sim.createBucket(.azure, container)
        return sim
    }

    func store() async throws -> (AzureBlobStore, CloudSim) {
        let sim = try await Self.prepared.value
        return (try AzureBlobConformanceTests.store(sim, container: Self.container), sim)
    }

    func content(_ count: Int) async throws -> (BufferSlice, ContentDigest) {
        let buffer = try await Self.pool.acquire(count)
        for index in 0..<count {
            buffer.base.storeBytes(of: UInt8(truncatingIfNeeded: index &* 31 >> 3), toByteOffset: index, as: UInt8.self)
        }
        let slice = buffer.slice(count)
        return (slice, slice.withUnsafeBytes { ContentDigest(of: $0) })
    }

    @discardableResult
    func put(_ store: AzureBlobStore, _ key: ObjectKey, _ count: Int) async throws -> (WriteReceipt, ContentDigest) {
        let (body, digest) = try await content(count)
        let request = PutRequest(
            key: key, body: body, digest: digest, attributes: ObjectAttributes(), condition: .unconditional)
        return (try await store.put(request), digest)
    }

    func failure<T>(_ body: () async throws -> T) async throws -> StoreError? {
        do {
            _ = try await body()
            return nil
        } catch let error as StoreError {
            return error
        }
    }

    @Test func aBlobOfOneRequestReportsTheServicesMD5() async throws {
        let (store, _) = try await store()
        try await put(store, "one", 9)
        let checksums = try await store.head("one").object.checksums
        #expect(checksums.md5?.count == 16 && checksums.crc64nvme == nil)
    }

    @Test func aBlobOfBlocksReportsTheCRC64ThatTheyProve() async throws {
        let (store, _) = try await store()
        let (body, digest) = try await content(100_000)
        let session = try await store.beginUpload(
            UploadRequest(
                key: "blocks", size: 100_000, partSize: 40_000, attributes: ObjectAttributes(), condition: .absent))
        var parts: [PartReceipt] = []
        for (number, offset) in [(1, 0), (2, 40_000), (3, 80_000)] {
            let part = body.slice(offset, min(40_000, 100_000 - offset))
            let sum = part.withUnsafeBytes { ContentDigest(of: $0) }
            parts.append(
                try await store.uploadPart(
                    PartRequest(number: number, offset: Int64(offset), body: part, digest: sum), of: session))
        }
        let receipt = try await store.completeUpload(
            CompleteRequest(parts: parts, digest: digest, attributes: ObjectAttributes(), condition: .unconditional),
            of: session)
        let found = try await store.head("blocks").object
        #expect(found.version == receipt.version)
        #expect(found.checksums == ObjectChecksums(crc64nvme: digest.crc64nvme))
    }

    @Test func aClockTwentyMinutesOffIsCorrected() async throws {
        let sim = try await CloudSim.start()
        try await sim.createBucket(.azure, Self.container)
        let store = try AzureBlobConformanceTests.store(sim, container: Self.container)
        for seconds in [-1200, 1200] {
            try await sim.setClockOffset(seconds: seconds)
            try await put(store, "k", 10)
        }
        #expect(store.learned.count == 2)
        // Signatures for copies are dated by the server's clock too.
        let version = try await store.head("k").object.version
        _ = try await store.copy(
            CopyRequest(source: "k", sourceVersion: version, size: 10, destination: "copy", condition: .absent))
        try await sim.stop()
    }

    @Test func wrongKeysAndContainersAreNamed() async throws {
        let sim = try await Self.prepared.value
        let wrong = try AzureBlobConformanceTests.store(
            sim, container: Self.container, key: "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")
        #expect(try await failure { try await wrong.list(ListRequest()) }?.code == .unauthenticated)
        let missing = try AzureBlobConformanceTests.store(sim, container: "no-such-container")
        for error in [
            try await failure { try await missing.list(ListRequest()) },
            try await failure { try await missing.head("k") },
            try await failure { try await put(missing, "k", 1) },
        ] {
            #expect(error?.code == .missingContainer)
            #expect(error?.message.contains("no-such-container") == true)
        }
    }

    @Test func archivedBlobsAreListedAndNotRead() async throws {
        let (store, sim) = try await store()
        let (receipt, _) = try await put(store, "archived", 10)
        try await sim.setStorageClass(
            .azure, bucket: Self.container, key: "archived", storageClass: "Archive", archived: true)
        let listed = try await store.list(ListRequest(prefix: "archived")).objects
        #expect(listed.map(\.archiveTier) == ["Archive"])
        #expect(try await store.head("archived").object.archiveTier == "Archive")
        let buffer = try await Self.pool.acquire(10)
        let error = try await failure {
            try await store.read(
                ReadRequest(key: "archived", range: ByteRange(offset: 0, length: 10), version: nil, objectSize: 10),
                into: buffer)
        }
        #expect(error?.code == .archived || error?.code == .versionChanged, "\(String(describing: error)) \(receipt)")
    }

    @Test func damagedBytesAreNoticedInBothDirections() async throws {
        let (store, sim) = try await store()
        try await put(store, "flipped-down", 1 << 20)
        sim.faults.add(
            FaultRule.afterBytes(.flipBit, 77_777, .response).on(
                .azure, operation: "GetBlob", key: "flipped-down", nth: 1))
        let buffer = try await Self.pool.acquire(1 << 20)
        let read = ReadRequest(
            key: "flipped-down", range: ByteRange(offset: 0, length: 1 << 20), version: nil, objectSize: 1 << 20)
        #expect(try await failure { try await store.read(read, into: buffer) }?.code == .checksumMismatch)
        #expect(try await failure { try await store.read(read, into: buffer) } == nil)

        sim.faults.add(
            FaultRule.afterBytes(.flipBit, 5, .request).on(.azure, operation: "PutBlob", key: "flipped-up", nth: 1))
        let error = try await failure { try await put(store, "flipped-up", 1000) }
        #expect(error?.code == .checksumMismatch && error?.retry == .transient)
        #expect(try await failure { try await store.head("flipped-up") }?.code == .notFound)
    }

    @Test func lostRepliesOfWritesAreOfUnknownOutcome() async throws {
        let (store, sim) = try await store()
        sim.faults.add(FaultRule(.dropReplyAfterCommit).on(.azure, operation: "PutBlob", key: "lost", nth: 1))
        let error = try await failure { try await put(store, "lost", 1000) }
        #expect(error?.retry == .unknownOutcome)
        #expect(try await store.head("lost").object.size == 1000)
    }
}
