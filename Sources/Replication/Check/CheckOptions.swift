import Digests
package import Manifests
package import ReplicationModel

/// What a check is asked to do.
package struct CheckOptions: Sendable {
    /// Evidence that each key needs; nil: recorded where there is a ledger, else reported.
    package var evidence: EvidenceLevel?
    package var filter = ObjectFilter()
    /// Exactly these keys instead of listings.
    package var keys: [ObjectKey]?
    /// Keys that only the target has do not count.
    package var isOneWay = false
    /// Whether objects that have no checksum in common are read.
    package var mayRead = true
    /// Whether content type, metadata and the other attributes must be equal.
    package var comparesAttributes = true
    package var sample: CheckSample?
    package var sets: CheckedSetRule?
    /// Bytes of all buffers.
    package var memory = 128 << 20
    /// Requests in flight at most.
    package var concurrency = 32
    /// Bytes of one read.
    package var partSize: Int64 = 8 << 20
    /// How often a key that changes while it is looked at is looked at again.
    package var maxRounds = 3

    package init() {}
}

/// A random choice of keys that depends on nothing but the seed and the key.
package struct CheckSample: Sendable, Hashable {
    /// 0...100.
    package var percent: Double
    package var seed: UInt64

    package init(percent: Double, seed: UInt64) {
        self.percent = percent
        self.seed = seed
    }

    package func includes(_ key: ObjectKey) -> Bool {
        let hash = key.bytes.withUnsafeBytes { XXH3.hash64($0, seed: seed) }
        // The upper 53 bits are exact as a Double.
        return Double(hash >> 11) / 9_007_199_254_740_992 * 100 < percent
    }
}
