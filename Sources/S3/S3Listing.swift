import HTTPStores
package import ObjectStores
package import ReplicationModel
import XMLStreaming

/// One page of `ListObjectsV2`.
package struct S3Listing: Sendable {
    package fileprivate(set) var objects: [ListedObject] = []
    /// Keys of objects without a strong ETag: no read or write of them could be pinned.
    package fileprivate(set) var unversioned: [ObjectKey] = []
    package fileprivate(set) var isTruncated = false
    package fileprivate(set) var continuation: String?

    /// Parses a page; throws `S3DocumentError` for another root and for objects without key or size, else `XMLError`.
    package static func parse(_ body: [UInt8]) throws -> S3Listing {
        var reader = S3ListingReader()
        reader.listing.objects.reserveCapacity(1000)
        try XMLReader.parse(
            body, limits: XMLLimits(bytes: S3Request.replyLimit, depth: 16, elements: 100_000), handler: &reader)
        if reader.isEncoded { reader.listing.decodeKeys() }
        return reader.listing
    }

    private mutating func decodeKeys() {
        for index in objects.indices
        where objects[index].key.bytes.contains(where: { $0 == UInt8(ascii: "%") || $0 == UInt8(ascii: "+") }) {
            objects[index].key.bytes = PercentEncoding.decode(objects[index].key.bytes, plusIsSpace: true)
        }
        for index in unversioned.indices {
            unversioned[index].bytes = PercentEncoding.decode(unversioned[index].bytes, plusIsSpace: true)
        }
    }
}

/// Collects a page as it is parsed: no string and no tree for what nobody needs.
private struct S3ListingReader: XMLHandler {
    var listing = S3Listing()
    /// Whether keys are percent-encoded: only when the server says so, since some clones ignore the wish for it.
    private(set) var isEncoded = false

    private var isInObject = false
    private var key: [UInt8] = []
    private var size: Int64?
    private var version: VersionToken?
    private var modified: Int64 = 0
    private var tier: String?
    private var isRestored = false

    mutating func start(_ name: XMLBytes, depth: Int, attributes: XMLAttributes) throws {
        if depth == 0 {
            guard name == "ListBucketResult" else {
                throw S3DocumentError(description: "it is \(name.string), not ListBucketResult")
            }
        } else if depth == 1 {
            isInObject = name == "Contents"
            guard isInObject else { return }
            key = []
            size = nil
            version = nil
            modified = 0
            tier = nil
            isRestored = false
        }
    }

    mutating func end(_ name: XMLBytes, depth: Int, text: XMLBytes) throws {
        switch depth {
        case 2 where isInObject:
            if name == "Key" {
                key = text.array
            } else if name == "LastModified" {
                modified = CivilTime(rfc3339: text.string)?.nanosecondsSince1970 ?? 0
            } else if name == "ETag" {
                version = Self.version(text)
            } else if name == "Size" {
                size = text.integer
            } else if name == "StorageClass", text == "GLACIER" || text == "DEEP_ARCHIVE" {
                tier = text.string
            }
        case 3 where isInObject:
            // Only restored copies have a date until which they can be read.
            if name == "RestoreExpiryDate" { isRestored = true }
        case 1:
            if isInObject {
                try finishObject()
            } else if name == "IsTruncated" {
                listing.isTruncated = text == "true"
            } else if name == "NextContinuationToken" {
                listing.continuation = text.string
            } else if name == "EncodingType" {
                isEncoded = text == "url"
            }
        default: break
        }
    }

    private mutating func finishObject() throws {
        isInObject = false
        guard !key.isEmpty, let size, size >= 0 else {
            throw S3DocumentError(description: "an object has no key or no valid size")
        }
        guard let version else {
            listing.unversioned.append(ObjectKey(key))
            return
        }
        listing.objects.append(
            ListedObject(
                key: ObjectKey(key), size: size, version: version, modified: modified,
                archiveTier: isRestored ? nil : tier))
    }

    /// The ETag without quotes; nil for none and for weak ones.
    private static func version(_ text: XMLBytes) -> VersionToken? {
        let quote = UInt8(ascii: "\"")
        var bytes = text.raw[...]
        if bytes.count >= 2, bytes.first == quote, bytes.last == quote { bytes = bytes.dropFirst().dropLast() }
        guard !bytes.isEmpty, !bytes.contains(quote) else { return nil }
        return VersionToken(String(decoding: UnsafeRawBufferPointer(rebasing: bytes), as: UTF8.self))
    }
}
