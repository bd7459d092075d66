import ObjectStores
import ReplicationModel
import XMLStreaming

/// The error document of S3: `<Error><Code/><Message/>…</Error>`.
struct S3ErrorDocument: Sendable {
    var code: String
    var message: String?
    var region: String?
    var condition: String?
    var requestID: String?

    /// nil when the body is no error document: replies to HEAD, and what proxies write.
    init?(_ body: [UInt8]) {
        guard !body.isEmpty, let root = try? XMLElement.parse(body, limits: .small) else { return nil }
        self.init(root)
    }

    /// From the `Error` element, wherever a server nests it.
    init?(_ root: XMLElement) {
        guard let error = root.name == "Error" ? root : root.first("Error"), let code = error.child("Code")?.text else {
            return nil
        }
        self.code = code
        message = error.child("Message")?.text
        region = error.child("Region")?.text
        condition = error.child("Condition")?.text
        requestID = error.child("RequestId")?.text
    }
}

extension XMLLimits {
    /// For answers of a few elements.
    static let small = XMLLimits(bytes: 1 << 20, depth: 16, elements: 10_000)
}

/// Why a document that arrived with a success is none.
package struct S3DocumentError: Error, CustomStringConvertible {
    package var description: String
}

/// What a write answers: completing an upload, copying an object or a part.
struct S3WriteResult {
    var version: VersionToken?
    var checksums: ObjectChecksums

    /// - Parameter root: `CompleteMultipartUploadResult`, `CopyObjectResult` or `CopyPartResult`.
    init(_ root: XMLElement) {
        version = VersionToken(entityTag: root.child("ETag")?.text)
        checksums = ObjectChecksums(
            crc32c: root.child("ChecksumCRC32C")?.text, crc64nvme: root.child("ChecksumCRC64NVME")?.text,
            type: root.child("ChecksumType")?.text)
    }
}

/// One page of `ListParts`.
struct S3PartsPage {
    var parts: [UploadedPart] = []
    var isTruncated: Bool
    var nextMarker: Int?

    init(_ root: XMLElement) throws(S3DocumentError) {
        isTruncated = root.child("IsTruncated")?.text == "true"
        nextMarker = root.child("NextPartNumberMarker").flatMap { Int($0.text) }
        for part in root.children("Part") {
            guard let number = part.child("PartNumber").flatMap({ Int($0.text) }),
                let size = part.child("Size").flatMap({ Int64($0.text) }),
                let tag = VersionToken(entityTag: part.child("ETag")?.text), number > 0, size >= 0
            else { throw S3DocumentError(description: "a part has no number, size or ETag") }
            let checksums = ObjectChecksums(
                crc32c: part.child("ChecksumCRC32C")?.text, crc64nvme: part.child("ChecksumCRC64NVME")?.text, type: nil)
            parts.append(UploadedPart(number: number, size: size, tag: tag.text, checksums: checksums))
        }
    }
}

/// What `DeleteObjects` says of each key.
struct S3DeleteResult {
    var deleted: Set<ObjectKey> = []
    var failed: [ObjectKey: S3ErrorDocument] = [:]

    init(_ root: XMLElement) throws(S3DocumentError) {
        guard root.name == "DeleteResult" else {
            throw S3DocumentError(description: "it is \(root.name), not DeleteResult")
        }
        for element in root.children {
            guard let key = element.child("Key").map({ ObjectKey($0.text) }) else { continue }
            switch element.name {
            case "Deleted": deleted.insert(key)
            case "Error": failed[key] = S3ErrorDocument(element)
            default: break
            }
        }
    }
}
