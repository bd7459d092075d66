import Buffers
import CloudSim
import Digests
import GCS
import HTTPStores
import HTTPTransport
import ObjectStores
import ReplicationModel
import Synchronization
import TestFixtures
import Testing

/// Resumable sessions that end in the middle of a part and are continued by another process, against CloudSim.
@Suite struct GCSContinuationTests {
    /// The simulator has a type of the same name.
    typealias Attributes = ReplicationModel.ObjectAttributes

    private static let quantum = 256 << 10
    private static let partSize = 4 * quantum
    private static let size = 2 * partSize + 300_000
    private static let pool = BufferPool(limit: 16 << 20)
    private static let bucket = Task {
        let sim = try await SimulatedClouds.running()
        try await sim.createBucket(.gcs, "continuation")
        return sim
    }

    /// Remembers which bytes were sent.
    private final class Recorder: HTTPTransport {
        private let ranges = Mutex<[String]>([])
        var sent: [String] { ranges.withLock { $0 } }

        func send(_ request: HTTPRequest, into sink: HTTPSink) async throws(HTTPFailure) -> HTTPResponse {
            if request.body.count > 0, let range = request.headers["content-range"] {
                ranges.withLock { $0.append(range) }
            }
            return try await SimulatedClouds.transport.send(request, into: sink)
        }
    }

    private func process(_ transport: any HTTPTransport = SimulatedClouds.transport) async throws -> GCSStore {
        GCSStore(
            configuration: GCSConfiguration(endpoint: Endpoint(try await Self.bucket.value.gcs.endpoint)!),
            bucket: "continuation", transport: transport, credentials: nil, sequentialPartLimit: .max)
    }

    private func begin(_ key: ObjectKey) async throws -> UploadSession {
        try await process().beginUpload(
            UploadRequest(
                key: key, size: Int64(Self.size), partSize: Int64(Self.partSize), attributes: Attributes(),
                condition: .absent))
    }

    /// The bytes of the object from `offset`, with another seed other bytes.
    private func part(_ number: Int, _ offset: Int, _ count: Int, seed: Int = 0) async throws -> PartRequest {
        let buffer = try await Self.pool.acquire(count)
        for index in 0..<count {
            let byte = UInt8(truncatingIfNeeded: ((offset + index) &* 2_654_435_761) >> 7 &+ seed)
            buffer.base.storeBytes(of: byte, toByteOffset: index, as: UInt8.self)
        }
        let body = buffer.slice(count)
        return PartRequest(
            number: number, offset: Int64(offset), body: body, digest: body.withUnsafeBytes { ContentDigest(of: $0) })
    }

    private func part(_ number: Int) async throws -> PartRequest {
        let offset = (number - 1) * Self.partSize
        return try await part(number, offset, min(Self.partSize, Self.size - offset))
    }

    /// Sends these parts with the receipts of earlier ones, and completes.
    private func finish(
        _ session: UploadSession, _ store: GCSStore, _ earlier: [PartReceipt], from number: Int
    ) async throws -> WriteReceipt {
        var receipts = earlier
        for number in number...3 { receipts.append(try await store.uploadPart(try await part(number), of: session)) }
        let whole = receipts.reduce(ContentDigest()) { $0.appending($1.digest!) }
        return try await store.completeUpload(
            CompleteRequest(parts: receipts, digest: whole, attributes: Attributes(), condition: .absent), of: session)
    }

    @Test(arguments: [1, 2, 3]) func aPartThatWasCutIsContinuedWhereItWasCut(_ quanta: Int) async throws {
        let key = ObjectKey("cut-\(quanta)")
        let session = try await begin(key)
        let first = try await process().uploadPart(try await part(1), of: session)
        // What a process had sent of the second part when it was killed.
        let cut = try await part(2, Self.partSize, quanta * Self.quantum)
        _ = try await process().uploadPart(cut, of: session)

        let recorder = Recorder()
        let store = try await process(recorder)
        #expect(try await store.listParts(of: session).map(\.number) == [1])
        let receipt = try await finish(session, store, [first], from: 2)
        #expect(receipt.bytesVerified)
        let from = Self.partSize + quanta * Self.quantum
        #expect(recorder.sent.first == "bytes \(from)-\(2 * Self.partSize - 1)/\(Self.size)")
        let found = try await store.head(key).object
        #expect(found.checksums.crc32c == receipt.checksums.crc32c && found.size == Int64(Self.size))
    }

    @Test func otherBytesThanTheCutPartBeganWithAreNoticed() async throws {
        let session = try await begin("other")
        let first = try await process().uploadPart(try await part(1), of: session)
        _ = try await process().uploadPart(
            try await part(2, Self.partSize, 2 * Self.quantum, seed: 1), of: session)
        let store = try await process()
        #expect(try await store.listParts(of: session).map(\.number) == [1])
        let error = await #expect(throws: StoreError.self) {
            _ = try await finish(session, store, [first], from: 2)
        }
        #expect(error?.code == .checksumMismatch)
        let absent = await #expect(throws: StoreError.self) { _ = try await store.head("other") }
        #expect(absent?.code == .notFound)
    }

    @Test func otherBytesAtTheStartAreNoticedAtOnce() async throws {
        let session = try await begin("start")
        _ = try await process().uploadPart(try await part(1, 0, Self.quantum, seed: 1), of: session)
        let store = try await process()
        #expect(try await store.listParts(of: session).isEmpty)
        let error = await #expect(throws: StoreError.self) {
            _ = try await store.uploadPart(try await part(1), of: session)
        }
        #expect(error?.code == .checksumMismatch && error?.retry == .never)
        try await store.abortUpload(session)
    }
}
