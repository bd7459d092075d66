import Digests
import ObjectStores
import ReplicationModel
import Synchronization

/// What the world outside the engine did in one history: every version of the source with its bytes, every foreign write at the target.
final class HistoryModel: Sendable {
    private struct State {
        var sourceBytes: [ObjectKey: [VersionToken: [UInt8]]] = [:]
        var foreign: [ObjectKey: Set<VersionToken>] = [:]
        /// The last foreign write of each key since the run began.
        var foreignNow: [ObjectKey: VersionToken] = [:]
        /// Source keys that changed since the run began.
        var changing: Set<ObjectKey> = []
        /// The checksums of everything that was ever to be found under a key on either side.
        var whole: [ObjectKey: Set<UInt64>] = [:]
        /// Keys whose bytes the target damaged.
        var damaged: Set<ObjectKey> = []
        /// What the stores were asked, in order, and what came of it.
        var trace: [String] = []
        var problems: [String] = []
    }

    let source: MemoryStore
    let target: MemoryStore
    private let state = Mutex(State())

    init(source: MemoryStore, target: MemoryStore) {
        self.source = source
        self.target = target
    }

    private static func checksum(_ bytes: [UInt8]) -> UInt64 {
        bytes.withUnsafeBytes { ContentDigest(of: $0).crc64nvme }
    }

    func putSource(_ bytes: [UInt8], _ key: ObjectKey) async {
        state.withLock { _ = $0.whole[key, default: []].insert(Self.checksum(bytes)) }
        let version = await EngineFixture.store(bytes, key, source)
        state.withLock {
            $0.sourceBytes[key, default: [:]][version] = bytes
            $0.changing.insert(key)
        }
    }

    func deleteSource(_ key: ObjectKey) async {
        _ = await source.delete([DeleteRequest(key: key, version: nil)])
        state.withLock { _ = $0.changing.insert(key) }
    }

    func putForeign(_ bytes: [UInt8], _ key: ObjectKey) async {
        state.withLock { _ = $0.whole[key, default: []].insert(Self.checksum(bytes)) }
        let version = await EngineFixture.store(bytes, key, target)
        state.withLock {
            $0.foreign[key, default: []].insert(version)
            $0.foreignNow[key] = version
        }
    }

    func beginRun() {
        state.withLock {
            $0.foreignNow = [:]
            $0.changing = []
        }
    }

    func sourceBytes(_ key: ObjectKey, _ version: VersionToken) -> [UInt8]? {
        state.withLock { $0.sourceBytes[key]?[version] }
    }

    func isForeign(_ key: ObjectKey, _ version: VersionToken) -> Bool {
        state.withLock { $0.foreign[key]?.contains(version) == true }
    }

    var foreignNow: [ObjectKey: VersionToken] { state.withLock { $0.foreignNow } }
    var changing: Set<ObjectKey> { state.withLock { $0.changing } }

    /// I3: a reader of the target finds whole objects only. What a store damaged by itself is not meant.
    func look() async {
        for key in state.withLock({ Array($0.whole.keys) }) {
            guard let found = try? await target.head(key).object.checksums.crc64nvme else { continue }
            // After the look: whoever writes names the bytes first.
            state.withLock { state in
                guard !state.damaged.contains(key), state.whole[key]?.contains(found) != true else { return }
                state.problems.append("\(key) was seen with bytes that nobody ever wrote")
            }
        }
    }

    /// The target itself damages what it is given for this key.
    func damage(_ key: ObjectKey) {
        state.withLock { _ = $0.damaged.insert(key) }
    }

    func isDamaged(_ key: ObjectKey) -> Bool { state.withLock { $0.damaged.contains(key) } }

    func note(_ text: String) {
        state.withLock { $0.trace.append(text) }
    }

    var trace: [String] { state.withLock { $0.trace } }
    var problems: [String] { state.withLock { $0.problems } }
}
