import Digests
import FoundationEssentials
import HTTPStores
import ObjectStores
import ReplicationModel

/// An object as the JSON API describes it.
struct GCSResource: Sendable, Decodable {
    /// nil in replies whose `fields` leave it out.
    var name: String?
    var size: Int64
    var version: GCSVersion
    /// Nanoseconds since 1970; 0 when the server does not say.
    var modified: Int64
    var checksums: ObjectChecksums
    var attributes: ObjectAttributes

    /// The members that are asked for, all of them read below.
    static let fields =
        "name,size,generation,metageneration,crc32c,md5Hash,updated,contentType,contentEncoding,contentLanguage,"
        + "contentDisposition,cacheControl,metadata"
    /// What a write needs to know.
    static let receiptFields = "size,generation,metageneration,crc32c,md5Hash"

    /// What Cloud Storage serves for an object without a type.
    static let absentContentType = "application/octet-stream"

    private enum Member: String, CodingKey {
        case name, size, generation, metageneration, crc32c, md5Hash, updated
        case contentType, contentEncoding, contentLanguage, contentDisposition, cacheControl, metadata
    }

    init(from decoder: any Decoder) throws {
        let members = try decoder.container(keyedBy: Member.self)
        name = try members.decodeIfPresent(String.self, forKey: .name)
        size = try Self.number(members, .size)
        version = GCSVersion(
            generation: try Self.number(members, .generation), metageneration: try Self.number(members, .metageneration)
        )
        modified =
            try members.decodeIfPresent(String.self, forKey: .updated)
            .flatMap { CivilTime(rfc3339: $0)?.nanosecondsSince1970 } ?? 0
        checksums = ObjectChecksums(
            crc32c: try members.decodeIfPresent(String.self, forKey: .crc32c).flatMap {
                ChecksumEncoding.fromBase64BigEndian($0)
            },
            md5: try members.decodeIfPresent(String.self, forKey: .md5Hash).flatMap { Base64.decode($0) })
        attributes = ObjectAttributes(
            contentType: try members.decodeIfPresent(String.self, forKey: .contentType) ?? Self.absentContentType,
            contentEncoding: try members.decodeIfPresent(String.self, forKey: .contentEncoding),
            contentLanguage: try members.decodeIfPresent(String.self, forKey: .contentLanguage),
            contentDisposition: try members.decodeIfPresent(String.self, forKey: .contentDisposition),
            cacheControl: try members.decodeIfPresent(String.self, forKey: .cacheControl),
            userMetadata: try members.decodeIfPresent([String: String].self, forKey: .metadata) ?? [:])
    }

    /// A 64-bit number, which the API writes as a string and some emulators as a number.
    private static func number(_ members: KeyedDecodingContainer<Member>, _ member: Member) throws -> Int64 {
        if let text = try? members.decode(String.self, forKey: member), let value = Int64(text), value >= 0 {
            return value
        }
        let value = try members.decode(Int64.self, forKey: member)
        guard value >= 0 else {
            throw DecodingError.dataCorruptedError(forKey: member, in: members, debugDescription: "a negative number")
        }
        return value
    }

    func listed(as key: ObjectKey) -> ListedObject {
        ListedObject(key: key, size: size, version: version.token, modified: modified, checksums: checksums)
    }

    func description(of key: ObjectKey) -> ObjectDescription {
        ObjectDescription(object: listed(as: key), attributes: attributes)
    }
}

/// One page of a listing.
struct GCSListing: Sendable, Decodable {
    var items: [GCSResource]?
    var nextPageToken: String?

    static let fields = "nextPageToken,items(\(GCSResource.fields))"
}

/// The answer to one step of a rewrite.
struct GCSRewriteStep: Sendable, Decodable {
    var done: Bool
    var rewriteToken: String?
    var totalBytesRewritten: Int64
    var resource: GCSResource?

    static let fields = "done,rewriteToken,totalBytesRewritten,resource(\(GCSResource.receiptFields))"

    private enum Member: String, CodingKey {
        case done, rewriteToken, totalBytesRewritten, resource
    }

    init(from decoder: any Decoder) throws {
        let members = try decoder.container(keyedBy: Member.self)
        done = try members.decode(Bool.self, forKey: .done)
        rewriteToken = try members.decodeIfPresent(String.self, forKey: .rewriteToken)
        let text = try? members.decode(String.self, forKey: .totalBytesRewritten)
        totalBytesRewritten = try text.flatMap { Int64($0) } ?? members.decode(Int64.self, forKey: .totalBytesRewritten)
        resource = try members.decodeIfPresent(GCSResource.self, forKey: .resource)
    }
}

/// What a write says about its object.
struct GCSNewResource: Sendable, Encodable {
    /// Compared by the server with what it received.
    var crc32c: String?
    var contentType: String?
    var contentEncoding: String?
    var contentLanguage: String?
    var contentDisposition: String?
    var cacheControl: String?
    var metadata: [String: String]?

    init(_ attributes: ObjectAttributes, digest: ContentDigest?) {
        crc32c = digest.map { ChecksumEncoding.base64BigEndian($0.crc32c) }
        contentType = attributes.contentType
        contentEncoding = attributes.contentEncoding
        contentLanguage = attributes.contentLanguage
        contentDisposition = attributes.contentDisposition
        cacheControl = attributes.cacheControl
        metadata = attributes.userMetadata.isEmpty ? nil : attributes.userMetadata
    }

    func json(_ operation: StoreOperation, key: ObjectKey) throws(StoreError) -> [UInt8] {
        do {
            return Array(try JSONEncoder().encode(self))
        } catch {
            throw StoreError(
                .unsupportedObject, operation, key: key, message: "its attributes cannot be written as JSON")
        }
    }
}
