import Buffers
import Cryptography
import Digests
import Manifests
import ObjectStores
import ReplicationModel
import SQLiteManifests

/// A clock that is set by hand and never waits.
struct FixedTime: Timekeeper {
    var seconds: Int64 = 1_700_000_000
    func now() -> Int64 { seconds * 1_000_000_000 }
    func monotonic() -> Int64 { 0 }
    func sleep(for duration: Duration) async throws { try Task.checkCancellation() }
}

/// A ledger, a control location in memory, and who publishes there.
final class PublishedFixture: Sendable {
    let files: LedgerFixture
    let ledger: SQLiteLedger
    let control = MemoryStore()
    let pool = BufferPool(limit: 8 << 20)
    /// For looking at files and changing them.
    private let room = BufferPool(limit: 64 << 20)
    let key: Ed25519PrivateKey
    let folder: ManifestFolder

    init(rows: Int = 0) async throws {
        files = try LedgerFixture()
        ledger = try files.open()
        key = try Ed25519PrivateKey(seed: Array(1...32))
        folder = ManifestFolder(control: control, pool: pool)
        try await record((0..<rows).map { Self.row($0) })
    }

    static func row(_ number: Int) -> LedgerRow {
        let digits = String(number)
        return LedgerFixture.row(
            ObjectKey("k" + String(repeating: "0", count: 9 - digits.count) + digits), number: number + 1)
    }

    func record(_ rows: [LedgerRow]) async throws {
        var rest = rows[...]
        while !rest.isEmpty {
            try await ledger.apply(rest.prefix(10_000).map { .record($0) })
            rest = rest.dropFirst(10_000)
        }
    }

    func publisher(
        _ control: (any ObjectStore)? = nil, key: Ed25519PrivateKey? = nil, source: String = "s3://a/@aws",
        keep: Int = 30
    ) -> ManifestPublisher {
        ManifestPublisher(
            control: control ?? self.control, key: key ?? self.key, pool: pool, sourceIdentity: source,
            targetIdentity: "gs://b/@https://storage.googleapis.com", time: FixedTime(), keep: keep)
    }

    @discardableResult
    func publish(_ publisher: ManifestPublisher? = nil) async throws -> ManifestPublisher.Publication {
        let before = try await PublishedState.load(from: ledger)
        let done = try await (publisher ?? self.publisher()).publish(ledger, after: before?.anchor)
        try await done.state.save(in: ledger)
        return done
    }

    func verifier(anchor: PublishedHeadAnchor? = nil) -> ManifestVerifier {
        ManifestVerifier(folder, trusted: [key.publicKey], anchor: anchor)
    }

    func rows(of head: PublishedHead, after: ObjectKey? = nil) async throws -> [LedgerRow] {
        var pages = PublishedRows(head, in: folder, after: after)
        var rows: [LedgerRow] = []
        while let page = try await pages.nextPage() { rows += page }
        return rows
    }

    // MARK: What is in the control location

    static let prefix = ".lockstep/manifest/"

    func names(_ part: String) async throws -> [ObjectKey] {
        try await control.list(ListRequest(prefix: ObjectKey(Self.prefix + part), limit: 1000)).objects.map(\.key)
    }

    func content(_ key: ObjectKey) async throws -> [UInt8] {
        let size = try await control.head(key).object.size
        let buffer = try await room.acquire(Int(size))
        _ = try await control.read(
            ReadRequest(key: key, range: ByteRange(offset: 0, length: size), version: nil), into: buffer)
        return buffer.slice(Int(size)).withUnsafeBytes { Array($0) }
    }

    func replace(_ key: ObjectKey, _ bytes: [UInt8]) async throws {
        let buffer = try await room.acquire(bytes.count)
        bytes.withUnsafeBytes { bytes in
            if let base = bytes.baseAddress { buffer.base.copyMemory(from: base, byteCount: bytes.count) }
        }
        _ = try await control.put(
            PutRequest(
                key: key, body: bytes.isEmpty ? nil : buffer.slice(bytes.count),
                digest: bytes.withUnsafeBytes { ContentDigest(of: $0) }, attributes: ObjectAttributes(),
                condition: .unconditional))
    }

    func remove(_ key: ObjectKey) async throws {
        for result in await control.delete([DeleteRequest(key: key, version: nil)]) { try result.get() }
    }

    static func headKey(_ sequence: Int) -> ObjectKey {
        ObjectKey(prefix + "heads/" + String(repeating: "0", count: 16 - String(sequence).count) + "\(sequence).json")
    }

    /// The error that the body throws, if it is one of manifests.
    static func code(_ body: () async throws -> some Any) async throws -> ManifestError.Code? {
        do {
            _ = try await body()
            return nil
        } catch let error as ManifestError {
            return error.code
        }
    }
}
