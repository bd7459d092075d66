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
        /// What each side was asked for each key, and what came of it.
        var trace: [String: [String]] = [:]
    }

    let source: MemoryStore
    let target: MemoryStore
    private let state = Mutex(State())

    init(source: MemoryStore, target: MemoryStore) {
        self.source = source
        self.target = target
    }

    func putSource(_ bytes: [UInt8], _ key: ObjectKey) async {
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

    func note(_ subject: String, _ text: String) {
        state.withLock { $0.trace[subject, default: []].append(text) }
    }

    var trace: [String: [String]] { state.withLock { $0.trace } }
}
