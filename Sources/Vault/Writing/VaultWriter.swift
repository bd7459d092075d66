import Buffers
import ChunkPipeline
import Cryptography
import ObjectStores
import ReplicationModel
import Synchronization

/// The writing side of one process: changes are staged over the newest state until they are committed.
final class VaultWriter: Sendable {
    /// What a commit says of who made it.
    struct Author: Sendable {
        var source: String
        var host: String
        /// What it writes below; empty: anything.
        var folder: ObjectKey
    }

    private struct State {
        var base: VaultState
        var staged = StagedChanges()
        /// Being committed; still shown to this process.
        var committing = StagedChanges()
        /// Stored by sessions that ended, and not in any committed index.
        var rows: [PackSession.Row] = []
        var sessions: [SessionName] = []
        var committedAt: Int64
    }

    let vault: VaultHandle
    let author: Author
    let placer: ChunkPlacer
    let pages: PageStore
    private let state: Mutex<State>
    private let turn = AsyncTurn()

    /// A checkpoint is due after so long.
    private static let interval: Int64 = 60_000_000_000
    /// Chunks of changed objects that are remembered until the next commit, at most about.
    private static let references = 1 << 20
    private static let changes = 100_000

    init(_ vault: VaultHandle, base: VaultState, pages: PageStore, author: Author, memory: PackMemory) {
        self.vault = vault
        self.author = author
        self.pages = pages
        placer = ChunkPlacer(vault, memory: memory)
        state = Mutex(State(base: base, committedAt: vault.time.monotonic()))
    }

    var base: VaultState { state.withLock { $0.base } }

    var wantsCheckpoint: Bool {
        let now = vault.time.monotonic()
        return state.withLock { state in
            guard !state.staged.isEmpty else { return false }
            return now - state.committedAt >= Self.interval || state.staged.references >= Self.references
                || state.staged.count >= Self.changes
        }
    }

    // MARK: The view of this process

    /// What the process sees under a key: its own change, or the committed entry.
    func entry(for key: ObjectKey) async throws(VaultError) -> VaultEntry? {
        let (change, base) = state.withLock { ($0.staged[key] ?? $0.committing[key], $0.base) }
        if let change { return change.entry }
        return try await base.tree.entry(for: key)
    }

    /// Changes within a page of the committed listing, in key order.
    func changes(
        prefix: ObjectKey, after key: ObjectKey?, upTo last: ObjectKey?, limit: Int
    ) -> (base: VaultState, changes: [(ObjectKey, VaultEntry?)]) {
        state.withLock { state in
            let staged = state.staged.keys(prefix: prefix, after: key, upTo: last, limit: limit)
            let committing = state.committing.keys(prefix: prefix, after: key, upTo: last, limit: limit)
            let keys = committing.isEmpty ? Array(staged) : Set(staged).union(committing).sorted()
            return (state.base, keys.map { ($0, (state.staged[$0] ?? state.committing[$0])!.entry) })
        }
    }

    /// Puts a change in place of what `expected` describes; returns false when something else is there by now.
    func stage(
        _ entry: VaultEntry?, references: [ChunkReference], for key: ObjectKey,
        where holds: (VaultEntry?) -> Bool
    ) async throws(VaultError) -> Bool {
        while true {
            let base = base
            let committed = try await base.tree.entry(for: key)
            let outcome: Bool? = state.withLock { state in
                guard state.base === base else { return nil }
                let own = state.staged[key] ?? state.committing[key]
                guard holds(own.map(\.entry) ?? committed) else { return false }
                // What a commit under way brings is what this change will replace.
                let replaced = state.staged[key] == nil ? state.committing[key].map(\.entry) ?? committed : nil
                state.staged.stage(
                    StagedChanges.Change(entry: entry, references: references, replaces: replaced?.token), for: key)
                return true
            }
            if let outcome { return outcome }
        }
    }

    // MARK: Chunks

    func place(
        _ chunk: UnsafeRawBufferPointer, elementWidth: Int, lane: PackLane, isMetadata: Bool = false
    ) async throws(VaultError) -> ChunkReference {
        let base = base
        return try await placer.place(
            chunk, elementWidth: elementWidth, lane: lane, isMetadata: isMetadata, index: base.index(),
            base: base.root.sequence)
    }

    /// Where a chunk lies, stored by this process or before it.
    func locations(of id: ChunkID) async throws(VaultError) -> [ChunkLocation] {
        if let own = try await placer.location(of: id) { return [own] }
        return try await base.index().findAll(id)
    }

    /// Takes over what runs that crashed on this machine had stored already.
    func adoptEarlierSessions(_ reader: PackReader) async throws(VaultError) {
        for session in try vault.local.openSessions() {
            let rows = try await EarlierSession(vault: vault, reader: reader, name: session)
                .rows(above: base.root.fence, known: base.index())
            placer.adopt(rows)
            state.withLock { state in
                state.rows += rows
                state.sessions.append(session)
            }
        }
    }

    // MARK: Committing

    func commit(_ kind: CommitKind) async throws(VaultError) -> CommitOutcome {
        try await turn.withTurn { () async throws(VaultError) in
            let isPending = state.withLock { state in
                precondition(state.committing.isEmpty, "one commit at a time")
                swap(&state.staged, &state.committing)
                return !state.committing.isEmpty
            }
            // What was stored for changes that came to nothing stays in its session until something is committed.
            guard isPending || completesPartial(kind) else { return CommitOutcome() }
            do throws(VaultError) {
                return try await commitTaken(kind)
            } catch {
                // Kept for another try.
                state.withLock { state in
                    var all = state.committing
                    all.append(state.staged)
                    state.staged = all
                    state.committing = StagedChanges()
                }
                throw error
            }
        }
    }

    /// Whether a run without changes still has something to say: that the state which a checkpoint left is complete.
    private func completesPartial(_ kind: CommitKind) -> Bool {
        guard case .complete = kind else { return false }
        guard let snapshot = base.snapshot, snapshot.isPartial else { return false }
        return UnfinishedFolders(snapshot).contains(author.folder)
    }

    private func commitTaken(_ kind: CommitKind) async throws(VaultError) -> CommitOutcome {
        if let session = placer.takeSession() {
            let stored = session.storedBytes
            let rows = try await session.finish()
            placer.settle(session, takenAt: stored)
            state.withLock { state in
                state.rows += rows
                state.sessions.append(session.name)
            }
        }
        let (base, changes, rows, sessions) = state.withLock { ($0.base, $0.committing, $0.rows, $0.sessions) }
        let attempt = Commit(vault: vault, author: author, pages: pages, kind: kind, changes: changes, rows: rows)
        let (committed, rejected) = try await attempt.run(from: base)
        state.withLock { state in
            state.base = committed
            state.committing = StagedChanges()
            // What this process made of it meanwhile was made of a state that never came to be.
            for key in rejected.keys { state.staged.remove(key) }
            state.rows.removeFirst(rows.count)
            state.sessions.removeFirst(sessions.count)
            state.committedAt = vault.time.monotonic()
        }
        placer.forget(rows)
        for session in sessions { try vault.local.forgetSession(session) }
        return CommitOutcome(rejected: rejected, snapshot: "\(committed.root.sequence)")
    }
}

/// One at a time, first come first served.
final class AsyncTurn: Sendable {
    private struct State {
        var isTaken = false
        var waiting: [CheckedContinuation<Void, Never>] = []
    }
    private let state = Mutex(State())

    func withTurn<Result>(_ body: () async throws(VaultError) -> Result) async throws(VaultError) -> Result {
        await withCheckedContinuation { continuation in
            let isMine = state.withLock { state in
                if state.isTaken { state.waiting.append(continuation) }
                defer { state.isTaken = true }
                return !state.isTaken
            }
            if isMine { continuation.resume() }
        }
        defer {
            let next: CheckedContinuation<Void, Never>? = state.withLock { state in
                guard !state.waiting.isEmpty else {
                    state.isTaken = false
                    return nil
                }
                return state.waiting.removeFirst()
            }
            next?.resume()
        }
        return try await body()
    }
}
