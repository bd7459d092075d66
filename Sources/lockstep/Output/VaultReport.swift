import Vault

/// What a run has brought into a vault, and what that costs there.
struct VaultReport: Encodable {
    /// The snapshot that was committed last; nil when nothing has changed.
    var snapshot: UInt64?
    var isPartial: Bool
    /// Chunks of all objects that were written, and those that the vault did not have.
    var chunks: Int
    var newChunks: Int
    /// The same in bytes of the objects.
    var plainBytes: Int64
    var newPlainBytes: Int64
    /// Bytes of the packs that were stored.
    var storedBytes: Int64

    /// - Parameter before: the sequence of the root that the run began from.
    init(_ store: VaultStore, before: UInt64?) {
        let committed = store.rootSequence == before ? nil : store.committedSnapshot
        snapshot = committed?.id
        isPartial = committed?.isPartial ?? false
        let statistics = store.statistics
        chunks = statistics.chunks
        newChunks = statistics.newChunks
        plainBytes = statistics.plainBytes
        newPlainBytes = statistics.newPlainBytes
        storedBytes = statistics.storedBytes
    }

    var lines: [String] {
        var lines: [String] = []
        if let snapshot {
            lines.append(
                isPartial
                    ? "snapshot \(snapshot) committed, partial: the run did not end" : "snapshot \(snapshot) committed")
        } else {
            lines.append(chunks == 0 ? "no new snapshot: nothing has changed" : "no new snapshot was committed")
        }
        if chunks > 0 {
            lines.append(
                "sealed \(Format.bytes(plainBytes)) in \(Format.count(chunks)) chunks; "
                    + "\(Format.count(newChunks)) of them new (\(Format.bytes(newPlainBytes))), stored as \(Format.bytes(storedBytes))"
            )
        }
        return lines
    }
}
