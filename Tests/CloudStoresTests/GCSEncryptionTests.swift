import Buffers
import CloudSim
import Digests
import FoundationEssentials
import GCS
import HTTPStores
import HTTPTransport
import ObjectStores
import ReplicationModel
import TestFixtures
import Testing

/// Objects that are encrypted with a key of the bucket's owner, against CloudSim.
@Suite struct GCSEncryptionTests {
    private static let key = "projects/p/locations/l/keyRings/r/cryptoKeys/k"
    private static let transport = CurlTransport()
    private static let pool = BufferPool(limit: 64 << 20)
    private static let partSize = 5 << 20

    private struct Resource: Decodable {
        var kmsKeyName: String?
    }

    private func withStore(
        key: String?, sequentialPartLimit: Int = 0, _ body: (CloudSim, GCSStore) async throws -> Void
    ) async throws {
        let sim = try await CloudSim.start()
        try await sim.createBucket(.gcs, "b")
        let store = GCSStore(
            configuration: GCSConfiguration(endpoint: Endpoint(sim.gcs.endpoint)!, kmsKeyName: key), bucket: "b",
            transport: Self.transport, credentials: nil, sequentialPartLimit: sequentialPartLimit)
        do {
            try await body(sim, store)
        } catch {
            try await sim.stop()
            throw error
        }
        try await sim.stop()
    }

    private func keyName(_ sim: CloudSim, _ name: String) async throws -> String? {
        let reply = try await Self.transport.send(
            HTTPRequest(.get, "\(sim.gcs.endpoint)/storage/v1/b/b/o/\(name)"), into: .collect(limit: 1 << 20))
        #expect(reply.status == 200)
        return try JSONDecoder().decode(Resource.self, from: Data(reply.body)).kmsKeyName
    }

    private func part(_ number: Int, _ size: Int) async throws -> PartRequest {
        let buffer = try await Self.pool.acquire(size)
        buffer.base.initializeMemory(as: UInt8.self, repeating: UInt8(number), count: size)
        let slice = buffer.slice(size)
        return PartRequest(
            number: number, offset: Int64((number - 1) * Self.partSize), body: slice,
            digest: slice.withUnsafeBytes { ContentDigest(of: $0) })
    }

    private func put(_ store: GCSStore, _ key: ObjectKey) async throws -> WriteReceipt {
        let part = try await part(1, 100)
        return try await store.put(
            PutRequest(
                key: key, body: part.body, digest: part.digest, attributes: ReplicationModel.ObjectAttributes(),
                condition: .absent))
    }

    @Test func smallObjectsAndCopiesAreEncryptedWithTheKey() async throws {
        try await withStore(key: Self.key) { sim, store in
            let receipt = try await put(store, "small")
            _ = try await store.copy(
                CopyRequest(
                    source: "small", sourceVersion: receipt.version, size: 100, destination: "copy", condition: .absent)
            )
            #expect(try await keyName(sim, "small") == "\(Self.key)/cryptoKeyVersions/1")
            #expect(try await keyName(sim, "copy") == "\(Self.key)/cryptoKeyVersions/1")
        }
    }

    /// By resumable sessions and by the XML API.
    @Test(arguments: [Int.max, 0])
    func largeObjectsAreEncryptedWithTheKey(_ sequentialPartLimit: Int) async throws {
        try await withStore(key: Self.key, sequentialPartLimit: sequentialPartLimit) { sim, store in
            let session = try await store.beginUpload(
                UploadRequest(
                    key: "large", size: Int64(Self.partSize + 1000), partSize: Int64(Self.partSize),
                    attributes: ReplicationModel.ObjectAttributes(), condition: .absent))
            var receipts: [PartReceipt] = []
            var digest = ContentDigest()
            for (number, size) in [(1, Self.partSize), (2, 1000)] {
                let part = try await part(number, size)
                receipts.append(try await store.uploadPart(part, of: session))
                digest = digest.appending(part.digest)
            }
            _ = try await store.completeUpload(
                CompleteRequest(
                    parts: receipts, digest: digest, attributes: ReplicationModel.ObjectAttributes(),
                    condition: .absent), of: session)
            #expect(try await keyName(sim, "large") == "\(Self.key)/cryptoKeyVersions/1")
        }
    }

    @Test func withoutAKeyTheBucketDecides() async throws {
        try await withStore(key: nil) { sim, store in
            _ = try await put(store, "small")
            #expect(try await keyName(sim, "small") == nil)
        }
    }

    @Test func whatIsNoKeyIsRefused() async throws {
        try await withStore(key: "alias/mine") { _, store in
            let error = await #expect(throws: StoreError.self) { _ = try await put(store, "small") }
            #expect(error?.code == .invalidRequest && error?.message.contains("crypto key") == true)
        }
    }
}
