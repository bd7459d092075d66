import Cryptography
import Digests

/// Digests of a body in the making; each byte is visited once per digest asked for, while it is in the cache.
package struct RunningDigests {
    private let wanted: DigestSet
    private var crc32c: UInt32 = 0
    private var crc64nvme: UInt64 = 0
    private var crc32: UInt32 = 0
    private var md5: MD5?
    private var sha1: SHA1?
    private var sha256: SHA256?

    package init(_ wanted: DigestSet) {
        self.wanted = wanted
        if wanted.contains(.md5) { md5 = MD5() }
        if wanted.contains(.sha1) { sha1 = SHA1() }
        if wanted.contains(.sha256) { sha256 = SHA256() }
    }

    package mutating func update(_ bytes: UnsafeRawBufferPointer) {
        if wanted.contains(.crc32c) { crc32c = CRC32C.update(crc32c, bytes) }
        if wanted.contains(.crc64nvme) { crc64nvme = CRC64NVME.update(crc64nvme, bytes) }
        if wanted.contains(.crc32) { crc32 = CRC32.update(crc32, bytes) }
        md5?.update(bytes)
        sha1?.update(bytes)
        sha256?.update(bytes)
    }

    package mutating func finish() -> BodyDigests {
        var result = BodyDigests()
        if wanted.contains(.crc32c) { result.crc32c = crc32c }
        if wanted.contains(.crc64nvme) { result.crc64nvme = crc64nvme }
        if wanted.contains(.crc32) { result.crc32 = crc32 }
        result.md5 = md5?.finalize()
        result.sha1 = sha1?.finalize()
        result.sha256 = sha256?.finalize()
        return result
    }
}
