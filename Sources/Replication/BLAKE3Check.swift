import Buffers
import Digests
import ObjectStores
import ReplicationModel

/// Compares the bytes of a whole object with the BLAKE3 that its source reports, before the target is told that they are all.
struct BLAKE3Check {
    private let expected: [UInt8]

    /// nil when the source reports none.
    init?(_ reported: ObjectChecksums) {
        guard let expected = reported.blake3 else { return nil }
        self.expected = expected
    }

    /// Returns the hash of an object that lies in one buffer. On the caller's thread: 8 MiB take about 2 ms.
    func verify(_ object: BufferSlice) throws -> [UInt8] {
        let found = object.withUnsafeBytes { BLAKE3.hash($0) }
        try compare(found)
        return found
    }

    func compare(_ found: [UInt8]) throws {
        guard found != expected else { return }
        var failure = TransferFailure(
            .source, .store(.checksumMismatch),
            "the bytes that arrived do not have the BLAKE3 hash that the source reports")
        failure.startsAgain = true
        throw failure
    }
}
