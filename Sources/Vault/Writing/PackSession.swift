import ReplicationModel
import Synchronization

/// The packs that one writer fills between two commits, and what they hold.
///
/// Chunks enter under the placer's lock, so that a session that has been taken for a commit gets no more of them; `finish` waits for those
/// that are on their way.
final class PackSession: Sendable {
    typealias Row = (id: ChunkID, location: ChunkLocation)

    let name: SessionName
    private let data: PackWriter
    private let metadata: PackWriter

    private struct State {
        var entered = 0
        var rows: [Row] = []
        var finishing: CheckedContinuation<Void, Never>?
    }
    private let state = Mutex(State())

    init(name: SessionName, data: PackWriter, metadata: PackWriter) {
        self.name = name
        self.data = data
        self.metadata = metadata
    }

    /// Announces one `add`.
    func enter() {
        state.withLock { $0.entered += 1 }
    }

    /// Ends what `enter` announced, whatever came of it.
    func leave() {
        let waiting: CheckedContinuation<Void, Never>? = state.withLock { state in
            state.entered -= 1
            guard state.entered == 0 else { return nil }
            defer { state.finishing = nil }
            return state.finishing
        }
        waiting?.resume()
    }

    func add(
        _ id: ChunkID, _ chunk: UnsafeRawBufferPointer, elementWidth: Int, lane: PackLane, isMetadata: Bool
    ) async throws(VaultError) -> ChunkLocation {
        let location = try await (isMetadata ? metadata : data).add(id, chunk, elementWidth: elementWidth, lane: lane)
        state.withLock { $0.rows.append((id, location)) }
        return location
    }

    /// Makes every chunk durable that has been added; more can follow. Goes on when the caller is interrupted: an interrupted flush is
    /// the end of a writer.
    func flush() async throws(VaultError) {
        let flushing = Task {
            try await data.flush()
            try await metadata.flush()
        }
        do { try await flushing.value } catch { throw VaultError(caught: error) }
    }

    /// Everything that the session holds, durable. Nothing may enter any more.
    func finish() async throws(VaultError) -> [Row] {
        await withCheckedContinuation { continuation in
            let isQuiet = state.withLock { state in
                if state.entered > 0 { state.finishing = continuation }
                return state.entered == 0
            }
            if isQuiet { continuation.resume() }
        }
        try await flush()
        return state.withLock { $0.rows }
    }

    var storedBytes: Int64 { data.storedBytes + metadata.storedBytes }
}
