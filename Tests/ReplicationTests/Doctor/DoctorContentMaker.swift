import Buffers
import Digests

/// Bytes for objects that are there before an examination.
struct DoctorContentMaker {
    private let pool = BufferPool(limit: 1 << 20)

    func make(_ count: Int) -> (BufferSlice, ContentDigest) {
        let buffer = pool.tryAcquire(count)!
        for index in 0..<count {
            buffer.base.storeBytes(
                of: UInt8(truncatingIfNeeded: index &* 31 &+ count), toByteOffset: index, as: UInt8.self)
        }
        let slice = buffer.slice(count)
        return (slice, slice.withUnsafeBytes { ContentDigest(of: $0) })
    }
}
