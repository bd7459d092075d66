/// Which digests to compute while a body arrives.
package struct DigestSet: OptionSet, Sendable {
    package let rawValue: Int

    package init(rawValue: Int) {
        self.rawValue = rawValue
    }

    package static let crc32c = DigestSet(rawValue: 1)
    package static let crc64nvme = DigestSet(rawValue: 2)
    package static let md5 = DigestSet(rawValue: 4)
    package static let crc32 = DigestSet(rawValue: 8)
    package static let sha1 = DigestSet(rawValue: 16)
    package static let sha256 = DigestSet(rawValue: 32)
}

/// The digests of a body that were asked for; the others are nil.
package struct BodyDigests: Codable, Equatable, Sendable {
    package var crc32c: UInt32?
    package var crc64nvme: UInt64?
    package var md5: [UInt8]?
    package var crc32: UInt32?
    package var sha1: [UInt8]?
    package var sha256: [UInt8]?

    package init() {}
}
