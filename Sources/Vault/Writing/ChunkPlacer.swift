import Buffers
import ChunkPipeline
import Cryptography
import ReplicationModel
import Synchronization

/// Brings chunks into a vault, each once: what the index or this process knows is not stored again.
///
/// Every known chunk is reused, however short the run of known ones is: chunks are large enough, and blocks of packs are cached when they
/// are read, so that storing a chunk again for a straighter restore costs more than it gives.
final class ChunkPlacer: Sendable {
    private enum Claim {
        /// Somebody is storing it.
        case pending(PackSession)
        case stored(ChunkLocation, in: PackSession?)
    }

    private struct State {
        var session: PackSession?
        /// Chunks that are not in the index yet.
        var claims: [ChunkID: Claim] = [:]
        var statistics = VaultStatistics()
    }

    private let vault: VaultHandle
    private let hasher: ChunkHasher
    private let memory: PackMemory
    private let state = Mutex(State())

    init(_ vault: VaultHandle, memory: PackMemory) {
        self.vault = vault
        self.memory = memory
        hasher = ChunkHasher(key: vault.keys.chunkIDKey)
    }

    var statistics: VaultStatistics {
        state.withLock { state in
            var result = state.statistics
            if let session = state.session { result.storedBytes += session.storedBytes }
            return result
        }
    }

    /// Stores a chunk that the vault does not hold.
    /// - Parameters:
    ///   - index: what is committed.
    ///   - base: the root from which a session begins when this is its first chunk.
    func place(
        _ chunk: UnsafeRawBufferPointer, elementWidth: Int, lane: PackLane, isMetadata: Bool = false, index: ChunkIndex,
        base: UInt64
    ) async throws(VaultError) -> ChunkReference {
        let id = hasher.id(of: chunk)
        let reference = ChunkReference(id: id, length: UInt32(chunk.count))
        let isCommitted = index.findLive(id) != nil
        let session: PackSession? = try claim(
            id, isMetadata ? nil : chunk.count, isCommitted: isCommitted, base: base)
        guard let session else { return reference }
        defer { session.leave() }
        do throws(VaultError) {
            let location = try await session.add(
                id, chunk, elementWidth: elementWidth, lane: lane, isMetadata: isMetadata)
            state.withLock { $0.claims[id] = .stored(location, in: session) }
        } catch {
            // Whoever relied on it finds it missing when the commit looks.
            state.withLock { $0.claims[id] = nil }
            throw error
        }
        return reference
    }

    /// The session that has to store the chunk, entered; nil when it is known.
    /// - Parameter counted: plain bytes of an object, for the statistics.
    private func claim(
        _ id: ChunkID, _ counted: Int?, isCommitted: Bool, base: UInt64
    ) throws(VaultError) -> PackSession? {
        let result: Result<PackSession?, VaultError> = state.withLock { state -> Result<PackSession?, VaultError> in
            if let counted {
                state.statistics.chunks += 1
                state.statistics.plainBytes += Int64(counted)
            }
            guard !isCommitted, state.claims[id] == nil else { return .success(nil) }
            do throws(VaultError) {
                let session: PackSession
                if let current = state.session { session = current } else { session = try makeSession(base: base) }
                state.session = session
                session.enter()
                state.claims[id] = .pending(session)
                if let counted {
                    state.statistics.newChunks += 1
                    state.statistics.newPlainBytes += Int64(counted)
                }
                return .success(session)
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    private func makeSession(base: UInt64) throws(VaultError) -> PackSession {
        let name = SessionName(base: base, random: SecureRandom.bytes(8))
        // Before its first pack: whoever comes after a crash knows where to look for what was stored.
        try vault.local.noteSession(name)
        func writer(isMetadata: Bool) -> PackWriter {
            PackWriter(
                store: vault.store, keys: vault.keys, chunker: vault.format.chunker,
                compression: vault.format.compression,
                session: name, kind: isMetadata ? .metadata : .data, memory: memory, time: vault.time)
        }
        return PackSession(name: name, data: writer(isMetadata: false), metadata: writer(isMetadata: true))
    }

    /// Where a chunk is that is not committed yet; made durable first. nil when it is not one of them.
    func location(of id: ChunkID) async throws(VaultError) -> ChunkLocation? {
        let claim = state.withLock { $0.claims[id] }
        guard case .stored(let location, let session) = claim else { return nil }
        try await session?.flush()
        return location
    }

    /// Chunks that an earlier run stored and did not live to commit.
    func adopt(_ rows: [PackSession.Row]) {
        state.withLock { state in
            for row in rows where state.claims[row.id] == nil { state.claims[row.id] = .stored(row.location, in: nil) }
        }
    }

    /// Ends the session that is filled now, for a commit; the next chunk begins another. nil when nothing was stored since.
    func takeSession() -> PackSession? {
        state.withLock { state in
            defer { state.session = nil }
            if let session = state.session { state.statistics.storedBytes += session.storedBytes }
            return state.session
        }
    }

    /// Counts what a taken session has written since it was taken.
    func settle(_ session: PackSession, takenAt stored: Int64) {
        state.withLock { $0.statistics.storedBytes += session.storedBytes - stored }
    }

    /// These are in the index now.
    func forget(_ rows: [PackSession.Row]) {
        state.withLock { state in for row in rows { state.claims[row.id] = nil } }
    }
}

/// What one writer has brought into a vault.
package struct VaultStatistics: Sendable, Hashable {
    /// Chunks of all objects written, and how many of them the vault did not hold.
    package var chunks = 0
    package var newChunks = 0
    package var plainBytes: Int64 = 0
    package var newPlainBytes: Int64 = 0
    /// Bytes of the packs that were uploaded.
    package var storedBytes: Int64 = 0

    package init() {}
}
