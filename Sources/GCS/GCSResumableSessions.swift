import Digests
import Synchronization

/// What this process knows about the resumable sessions it sends to: how far they are, and the bytes it holds back of
/// each.
///
/// A session that another process opened is asked for its progress; its reserve comes with its last part, which is
/// sent again.
final class GCSResumableSessions: Sendable {
    private struct Entry {
        var held: Int64?
        /// Of all bytes before the next part, where this process sent them all.
        var digest: ContentDigest?
        var reserve: [UInt8]?
        /// For throwing out the oldest.
        var number: UInt64
    }

    private struct State {
        var entries: [String: Entry] = [:]
        var counter: UInt64 = 0
    }

    /// Sessions at most; each holds at most one quantum of bytes. The one that was opened first goes, and must then
    /// be begun again.
    private static let limit = 256

    private let state = Mutex(State())

    func open(_ path: String) {
        change(path) {
            $0.held = 0
            $0.digest = ContentDigest()
        }
    }

    /// Takes the progress out: an attempt that fails leaves none, and the next one asks the server.
    func takeProgress(_ path: String) -> Int64? {
        state.withLock { state in
            let held = state.entries[path]?.held
            state.entries[path]?.held = nil
            return held
        }
    }

    func setProgress(_ path: String, _ held: Int64?) {
        change(path) { $0.held = held }
    }

    /// The digest of everything before this offset, if it is known.
    func digest(_ path: String, before offset: Int64) -> ContentDigest? {
        offset == 0
            ? ContentDigest()
            : state.withLock { $0.entries[path]?.digest }.flatMap { $0.length == offset ? $0 : nil }
    }

    func setDigest(_ path: String, _ digest: ContentDigest?) {
        change(path) { $0.digest = digest }
    }

    func setReserve(_ path: String, _ bytes: [UInt8]) {
        change(path) { $0.reserve = bytes }
    }

    func reserve(_ path: String) -> [UInt8]? {
        state.withLock { $0.entries[path]?.reserve }
    }

    func close(_ path: String) {
        state.withLock { $0.entries[path] = nil }
    }

    private func change(_ path: String, _ change: (inout Entry) -> Void) {
        state.withLock { state in
            if state.entries[path] == nil {
                if state.entries.count >= Self.limit,
                    let oldest = state.entries.min(by: { $0.value.number < $1.value.number })
                {
                    state.entries[oldest.key] = nil
                }
                state.counter += 1
                state.entries[path] = Entry(number: state.counter)
            }
            change(&state.entries[path]!)
        }
    }
}
