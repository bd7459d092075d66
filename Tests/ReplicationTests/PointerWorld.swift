import Buffers
import ObjectStores
import Replication
import ReplicationModel
import Synchronization

/// Sets as they are published: shards under a name per version, then the version's index, then `latest`, which names the index.
///
/// Every pointer says in its lines which objects must be there, and the CRC of each: what a reader checks.
enum PublishedSet {
    static let patterns = ["**/*.index.json", "**/latest"]

    static func sets(_ extent: ArtifactSets.Extent = .folder) throws -> ArtifactSets {
        ArtifactSets(pointers: try patterns.map { try GlobPattern($0) }, extent: extent)
    }

    static func index(_ set: String, _ version: Int) -> ObjectKey { ObjectKey("\(set)/v\(version)/x.index.json") }
    static func latest(_ set: String) -> ObjectKey { ObjectKey("\(set)/latest") }

    static func shards(_ set: String, _ version: Int, count: Int, size: Int = 40) -> [(ObjectKey, [UInt8])] {
        (0..<count).map { number in
            // The version in front, so that no two shards are alike.
            let salt = Array("\(set) \(version) \(number) ".utf8)
            return (
                ObjectKey("\(set)/v\(version)/shard-\(number)"),
                salt + EngineFixture.pattern(size, seed: UInt8(truncatingIfNeeded: number &+ version))
            )
        }
    }

    static func naming(_ objects: [(ObjectKey, [UInt8])]) -> [UInt8] {
        Array(objects.map { "\($0.0.text) \(crc($0.1))\n" }.joined().utf8)
    }

    static func crc(_ bytes: [UInt8]) -> UInt32 { bytes.withUnsafeBytes { EngineFixture.crc32c($0) } }

    /// Everything of one version, in the order of writing.
    static func version(_ set: String, _ version: Int, count: Int = 3, size: Int = 40) -> [(ObjectKey, [UInt8])] {
        let shards = shards(set, version, count: count, size: size)
        let index = (index(set, version), naming(shards))
        return shards + [index, (latest(set), naming([index]))]
    }
}

/// One writer of the source, who changes it one object at a time and always in the right order.
final class SetWriter: Sendable {
    enum Step: Sendable {
        case put(ObjectKey, [UInt8])
        case delete(ObjectKey)
    }

    private let source: MemoryStore
    private let steps = Mutex<[Step]>([])
    private let turn = ConcurrencyLimit(1)

    init(_ source: MemoryStore) {
        self.source = source
    }

    func publish(_ set: String, _ version: Int, count: Int = 3) {
        plan(PublishedSet.version(set, version, count: count).map { .put($0.0, $0.1) })
    }

    /// Removes what no pointer names any more.
    func retire(_ set: String, _ version: Int, count: Int = 3) {
        plan(
            [.delete(PublishedSet.index(set, version))]
                + PublishedSet.shards(set, version, count: count).map { .delete($0.0) })
    }

    /// Removes a whole set, what readers look at first.
    func remove(_ set: String, _ version: Int, count: Int = 3) {
        plan([.delete(PublishedSet.latest(set))])
        retire(set, version, count: count)
    }

    func plan(_ more: [Step]) { steps.withLock { $0 += more } }

    /// Does the next so many steps.
    func advance(_ count: Int = .max) async {
        await turn.withPermit {
            for _ in 0..<count {
                let step = steps.withLock { $0.isEmpty ? nil : $0.removeFirst() }
                switch step {
                case .put(let key, let bytes): await EngineFixture.store(bytes, key, source)
                case .delete(let key): _ = await source.delete([DeleteRequest(key: key, version: nil)])
                case nil: return
                }
            }
        }
    }
}

extension EngineFixture {
    /// - Parameter version: nil for the one that is there now.
    static func bytes(
        of key: ObjectKey, _ version: VersionToken?, in store: MemoryStore
    ) async throws(StoreError) -> [UInt8] {
        let found = try await store.head(key).object
        let pool = BufferPool(limit: max(1 << 20, BufferPool.footprint(Int(found.size))))
        guard let buffer = try? await pool.acquire(Int(found.size)) else {
            preconditionFailure("an empty pool has room for one buffer")
        }
        let range = ByteRange(offset: 0, length: found.size)
        _ = try await store.read(
            ReadRequest(key: key, range: range, version: version ?? found.version, objectSize: found.size), into: buffer
        )
        return buffer.slice(Int(found.size)).withUnsafeBytes { Array($0) }
    }
}

extension ConcurrencyLimit {
    /// For tasks that nobody cancels, or that have nothing to undo when somebody does.
    func withPermit(_ body: () async -> Void) async {
        do { try await acquire() } catch { return }
        defer { release() }
        await body()
    }
}

/// A reader who trusts pointers: whatever a pointer names must be there, with the right bytes, for as long as the pointer stands.
final class SetReader: Sendable {
    private let store: MemoryStore
    private let sets: ArtifactSets
    private let found = Mutex<Set<String>>([])
    private let looked = Atomic(0)

    init(_ store: MemoryStore) throws {
        self.store = store
        sets = try PublishedSet.sets()
    }

    var problems: [String] { found.withLock { $0.sorted() } }
    /// Pointers that were followed.
    var checks: Int { looked.load(ordering: .relaxed) }

    func look() async {
        do {
            let page = try await store.list(ListRequest(limit: .max))
            for object in page.objects where sets.isPointer(object.key) && !ReservedKeys.contains(object.key) {
                try await follow(object)
            }
        } catch {
            found.withLock { _ = $0.insert("\(error)") }
        }
    }

    private func follow(_ pointer: ListedObject) async throws {
        guard let bytes = try await read(pointer.key, pointer.version) else { return }
        looked.wrappingAdd(1, ordering: .relaxed)
        for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") {
            let fields = line.split(separator: " ")
            let named = ObjectKey(String(fields[0]))
            if let content = try await read(named, nil), "\(PublishedSet.crc(content))" == fields[1] { continue }
            // Only if the pointer still stands has the reader been misled: it may have been switched in the meantime.
            guard try await read(pointer.key, pointer.version) != nil else { return }
            found.withLock { _ = $0.insert("\(pointer.key) stands, and \(named) is not what it names") }
        }
    }

    /// nil when the object is not there in that version.
    private func read(_ key: ObjectKey, _ version: VersionToken?) async throws -> [UInt8]? {
        do throws(StoreError) {
            return try await EngineFixture.bytes(of: key, version, in: store)
        } catch {
            guard error.code == .notFound || error.code == .versionChanged else { throw error }
            return nil
        }
    }
}
