package import Digests
package import ObjectStores
package import ReplicationModel

/// An upload that is open at the target, or about to be, with everything that another process needs to go on with it.
package struct UploadRecord: Sendable, Codable, Hashable {
    package var session: UploadSession
    /// The version whose bytes its parts are.
    package var sourceVersion: VersionToken
    /// The condition under which it was opened and will be completed.
    package var condition: WriteCondition
    /// What the object will carry.
    package var attributes: ObjectAttributes
    /// How its parts are cut: by content, or all of one size.
    package var isCutByContent: Bool
    /// Seconds since 1970.
    package var openedAt: Int64

    package init(
        session: UploadSession, sourceVersion: VersionToken, condition: WriteCondition, attributes: ObjectAttributes,
        isCutByContent: Bool, openedAt: Int64
    ) {
        self.session = session
        self.sourceVersion = sourceVersion
        self.condition = condition
        self.attributes = attributes
        self.isCutByContent = isCutByContent
        self.openedAt = openedAt
    }
}

extension UploadRecord {
    private static let intentMark = "intent:"

    /// The handle of an upload that is about to be opened: no store's handle looks like it, and each key has one.
    package static func intentHandle(_ key: ObjectKey) -> String { intentMark + Hex.encode(key.bytes) }

    /// Whether the upload was about to be opened: nobody knows if it was, and it has no part.
    package var isIntent: Bool { session.handle.hasPrefix(Self.intentMark) }
}

/// One part that the target has confirmed.
package struct RecordedPart: Sendable, Hashable {
    package var number: Int
    /// First byte of the object in this part.
    package var offset: Int64
    /// Of the bytes that were read and sent; its length is the part's.
    package var digest: ContentDigest
    /// The store's name for the stored part.
    package var tag: String

    package init(number: Int, offset: Int64, digest: ContentDigest, tag: String) {
        self.number = number
        self.offset = offset
        self.digest = digest
        self.tag = tag
    }

    package var receipt: PartReceipt {
        PartReceipt(number: number, size: digest.length, tag: tag, digest: digest)
    }
}

/// A key that could not be copied.
package struct FailedKey: Sendable, Hashable {
    package var key: ObjectKey
    /// What went wrong the last time.
    package var message: String
    /// Runs that failed on it.
    package var attempts: Int
    /// When it failed first, seconds since 1970.
    package var since: Int64

    package init(key: ObjectKey, message: String, attempts: Int, since: Int64) {
        self.key = key
        self.message = message
        self.attempts = attempts
        self.since = since
    }
}

/// A range of an object whose borders its content decides.
package struct ContentSegment: Sendable, Hashable {
    package var offset: Int64
    /// Its length is the segment's.
    package var digest: ContentDigest
    /// 32 bytes.
    package var blake3: [UInt8]

    package init(offset: Int64, digest: ContentDigest, blake3: [UInt8]) {
        self.offset = offset
        self.digest = digest
        self.blake3 = blake3
    }
}

/// Where the target holds a segment.
package struct SegmentLocation: Sendable, Hashable {
    package var key: ObjectKey
    package var version: VersionToken
    package var segment: ContentSegment

    package init(key: ObjectKey, version: VersionToken, segment: ContentSegment) {
        self.key = key
        self.version = version
        self.segment = segment
    }
}
