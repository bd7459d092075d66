import ReplicationModel
import Synchronization

/// The attributes that recent listings told, for the reads that follow them.
///
/// A reply with an object's bytes carries neither its user metadata nor its exact headers (Cloud Storage sends
/// default ones too), and a listing does. What is not here any more costs the reader one request, so nothing depends
/// on it.
final class GCSListedAttributes: Sendable {
    struct Entry: Sendable {
        var version: GCSVersion
        var attributes: ObjectAttributes
        /// Nanoseconds since 1970.
        var modified: Int64
    }

    /// Two halves: when the newer one is full, the older one goes.
    private struct State {
        var newer: [ObjectKey: Entry] = [:]
        var older: [ObjectKey: Entry] = [:]
        var newerBytes = 0
    }

    /// Of one half.
    private static let entryLimit = 8192
    private static let byteLimit = 4 << 20

    private let state = Mutex(State())

    func remember(_ page: [(key: ObjectKey, resource: GCSResource)]) {
        state.withLock { state in
            for (key, resource) in page {
                if state.newer.count >= Self.entryLimit || state.newerBytes >= Self.byteLimit {
                    state.older = state.newer
                    state.newer = [:]
                    state.newerBytes = 0
                }
                state.newerBytes += resource.attributes.footprint + key.bytes.count
                state.newer[key] = Entry(
                    version: resource.version, attributes: resource.attributes, modified: resource.modified)
            }
        }
    }

    /// What was told of that version, if it is known.
    func entry(of key: ObjectKey, _ version: GCSVersion) -> Entry? {
        state.withLock { state in
            guard let entry = state.newer[key] ?? state.older[key], entry.version == version else { return nil }
            return entry
        }
    }
}

extension ObjectAttributes {
    /// Bytes of its texts.
    fileprivate var footprint: Int {
        let texts = [contentType, contentEncoding, contentLanguage, contentDisposition, cacheControl]
        return texts.reduce(0) { $0 + ($1?.utf8.count ?? 0) }
            + userMetadata.reduce(0) { $0 + $1.key.utf8.count + $1.value.utf8.count }
    }
}
