import Cryptography

/// The tree hash of RFC 6962, 2.1, with SHA-256: one digest over a list, in which leaves and nodes cannot be mistaken for each other.
enum MerkleTree {
    static func root(of leaves: [[UInt8]]) -> [UInt8] {
        guard !leaves.isEmpty else { return SHA256.hash([]) }
        return root(of: leaves[...])
    }

    private static func root(of leaves: ArraySlice<[UInt8]>) -> [UInt8] {
        guard leaves.count > 1 else { return SHA256.hash([0] + leaves[leaves.startIndex]) }
        // The largest power of two below the number of leaves.
        let left = 1 << (Int.bitWidth - 1 - (leaves.count - 1).leadingZeroBitCount)
        let middle = leaves.startIndex + left
        return SHA256.hash([1] + root(of: leaves[..<middle]) + root(of: leaves[middle...]))
    }
}
