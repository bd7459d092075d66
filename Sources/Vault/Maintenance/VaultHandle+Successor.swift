import Cryptography
import Digests
import ObjectStores

extension VaultHandle {
    /// The root that would follow: everything as it is, with a time and a nonce of its own.
    func successor(of root: VaultRoot, hash: String) -> VaultRoot {
        var next = root
        next.sequence += 1
        next.previous = hash
        next.time = time.nowSeconds()
        next.nonce = Hex.encode(SecureRandom.bytes(16))
        return next
    }
}
