import Buffers
import ChunkPipeline
package import ObjectStores
package import ReplicationModel
import Synchronization

/// The objects of a vault as a store: what is sealed is neither seen nor thought of by whoever uses it.
///
/// A store for reading shows one snapshot and refuses writes. A store for writing shows the newest state with this process's own changes
/// over it; others see them after `commit`.
package final class VaultStore: ObjectStore {
    package let vault: VaultHandle
    let shown: VaultState
    /// nil: only for reading.
    let writer: VaultWriter?
    let packs: PackReader
    let uploads = Mutex<[String: VaultUpload]>([:])
    private let contents = Mutex(RecentContents())

    private init(_ vault: VaultHandle, shown: VaultState, writer: VaultWriter?, packs: PackReader) {
        self.vault = vault
        self.shown = shown
        self.writer = writer
        self.packs = packs
    }

    /// - Parameter memory: bytes for blocks of packs.
    package static func reading(
        _ vault: VaultHandle, snapshot choice: SnapshotChoice, memory: Int
    ) async throws(VaultError) -> VaultStore {
        let (root, hash) = try await vault.roots.newest()
        let state = VaultState(
            vault, root: root, hash: hash, snapshot: try choice.find(in: root.snapshots),
            pages: PageStore(store: vault.store, keys: vault.keys))
        return VaultStore(
            vault, shown: state, writer: nil,
            packs: PackReader(
                store: vault.store, keys: vault.keys, memory: max(PackReader.smallestMemory, memory)))
    }

    /// - Parameters:
    ///   - source: what is brought into the vault, for the snapshot's list.
    ///   - host: where this runs, for the same.
    ///   - folder: below what it is written; a snapshot is complete when no folder's run is unfinished.
    ///   - memory: bytes for packs that are filled and uploaded, and a quarter of it for blocks of packs that are read.
    package static func writing(
        _ vault: VaultHandle, source: String, host: String, folder: ObjectKey = ObjectKey([]), memory: Int
    ) async throws(VaultError) -> VaultStore {
        let (root, hash) = try await vault.roots.newest()
        let pages = PageStore(store: vault.store, keys: vault.keys)
        let state = VaultState(
            vault, root: root, hash: hash, snapshot: try SnapshotChoice.newest.find(in: root.snapshots), pages: pages)
        let packs = PackReader(
            store: vault.store, keys: vault.keys, memory: max(PackReader.smallestMemory, memory / 4))
        let writer = VaultWriter(
            vault, base: state, pages: pages, author: VaultWriter.Author(source: source, host: host, folder: folder),
            memory: PackMemory(
                packSize: vault.format.packSize,
                limit: max(memory, PackMemory.smallest(packSize: vault.format.packSize))))
        try await writer.adoptEarlierSessions(packs)
        return VaultStore(vault, shown: state, writer: writer, packs: packs)
    }

    package var name: String { "vault+\(vault.store.name)" }
    package var rules: any ObjectRules { VaultRules() }

    package var statistics: VaultStatistics { writer?.placer.statistics ?? VaultStatistics() }
    /// The state that is shown: of a writer, what it has committed last.
    package var snapshot: Snapshot? { state.snapshot }
    /// The one that the newest root has brought; while another folder is in the middle of its run, not the newest state.
    package var committedSnapshot: Snapshot? {
        state.root.snapshots.first { $0.id == state.root.sequence } ?? state.snapshot
    }
    package var rootSequence: UInt64 { state.root.sequence }
    package var rootHash: String { state.hash }

    var state: VaultState { writer?.base ?? shown }

    package var capabilities: StoreCapabilities {
        StoreCapabilities(
            partSize: 1...(1 << 30), maxParts: 1 << 30, maxObjectSize: 1 << 50, maxPutSize: 1 << 30,
            maxCopySize: 1 << 50, copiesParts: false, conditionalWrites: .enforced, listPageLimit: 1000,
            deleteBatch: 1000, versionCoversAttributes: true, reportsChecksums: true)
    }

    func writable(_ operation: StoreOperation, _ key: ObjectKey?) throws(StoreError) -> VaultWriter {
        guard let writer else {
            throw StoreError(
                .forbidden, operation, key: key, message: "a vault that was opened for reading cannot be changed")
        }
        return writer
    }

    func entry(for key: ObjectKey, _ operation: StoreOperation) async throws(StoreError) -> VaultEntry {
        let found: VaultEntry?
        do throws(VaultError) {
            found = if let writer { try await writer.entry(for: key) } else { try await shown.tree.entry(for: key) }
        } catch {
            throw error.asStoreError(operation, key)
        }
        guard let found else { throw StoreError(.notFound, operation, key: key, message: "no such object") }
        return found
    }

    func locations(of id: ChunkID) async throws(VaultError) -> [ChunkLocation] {
        let found =
            if let writer { try await writer.locations(of: id) } else { try await shown.index().findAll(id) }
        guard !found.isEmpty else {
            throw VaultError(.missing, "a chunk of the object is in no pack that the index knows")
        }
        return found
    }

    /// The chunks of an object; of large ones, from their list.
    func content(of entry: VaultEntry) async throws(VaultError) -> ObjectContent {
        switch entry.content {
        case .chunks(let references): return try ObjectContent(references, of: entry)
        case .list(let list):
            let token = entry.token
            if let known = contents.withLock({ $0[token] }) { return known }
            let references = try await ChunkList(store: self).references(list)
            let content = try ObjectContent(references, of: entry)
            contents.withLock { $0.insert(content, for: token) }
            return content
        }
    }
}

extension VaultStore: StagedWrites {
    package var wantsCheckpoint: Bool { writer?.wantsCheckpoint ?? false }

    package func commit(_ kind: CommitKind) async throws(StoreError) -> CommitOutcome {
        guard let writer else { return CommitOutcome() }
        // Goes on when the caller is interrupted: half a commit would leave its outcome unknown.
        let committing = Task { try await writer.commit(kind) }
        do {
            return try await committing.value
        } catch {
            throw VaultError(caught: error).asStoreError(.completeUpload)
        }
    }
}

/// A vault holds every key and every attribute.
struct VaultRules: ObjectRules {
    /// Bytes of a key, at most: far beyond what any cloud allows.
    private static let maxKey = 4096

    func problem(with key: ObjectKey) -> String? {
        if key.isEmpty { return "an object needs a name" }
        return key.bytes.count > Self.maxKey ? "names in a vault have at most \(Self.maxKey) bytes" : nil
    }

    func fit(_ attributes: ObjectAttributes) -> (kept: ObjectAttributes, dropped: [String]) { (attributes, []) }
}

/// Contents of large objects that were read last: each part of an object asks again.
private struct RecentContents {
    private static let limit = 16
    private var recent: [(token: VersionToken, content: ObjectContent)] = []

    subscript(token: VersionToken) -> ObjectContent? { recent.first { $0.token == token }?.content }

    mutating func insert(_ content: ObjectContent, for token: VersionToken) {
        guard self[token] == nil else { return }
        if recent.count == Self.limit { recent.removeFirst() }
        recent.append((token, content))
    }
}
