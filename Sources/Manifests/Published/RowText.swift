import Digests
import Foundation
import ReplicationModel

/// Writes rows as lines of JSON, always with the same fields in the same order, so that equal rows are equal bytes.
struct RowText {
    private var text = JSONText()

    /// The row's line with its line feed. Valid until the next call.
    mutating func line(_ row: LedgerRow) throws -> [UInt8] {
        text.removeAll()
        text.beginObject()
        text.key("key", row.key)
        text.field("size", row.size)
        text.field("source_version", row.sourceVersion.text)
        text.field("target_version", row.targetVersion.text)
        if row.sourceModified != 0 {
            text.field(
                "source_modified", CivilTime(nanosecondsSince1970: row.sourceModified).rfc3339Nanoseconds)
        }
        text.field("evidence", row.evidence.rawValue)
        text.field("verified_at", CivilTime(secondsSince1970: row.verifiedAt).rfc3339)
        text.field("crc32c", row.checksums.crc32c.map { ChecksumEncoding.hex($0) })
        text.field("crc64nvme", row.checksums.crc64nvme.map { ChecksumEncoding.hex($0) })
        text.field("md5", row.checksums.md5.map { Hex.encode($0) })
        text.field("blake3", row.blake3.map { Hex.encode($0) })
        if let attributes = row.attributes {
            guard attributes.json.utf8.first == UInt8(ascii: "{"), attributes.json.utf8.allSatisfy({ $0 >= 0x20 })
            else {
                throw ManifestError(.tooLarge, "\(row.key): the ledger's text of its attributes is no line of JSON")
            }
            text.name("attributes")
            text.value(json: attributes.json)
        }
        text.endObject()
        text.endLine()
        guard text.bytes.count <= ManifestFormat.maxRowBytes else {
            throw ManifestError(
                .tooLarge,
                "\(row.key): its row has \(text.bytes.count) bytes; a manifest takes \(ManifestFormat.maxRowBytes)")
        }
        return text.bytes
    }
}

extension LedgerRow {
    /// The row as a manifest has it, without the line feed.
    package func manifestLine() throws -> String {
        var text = RowText()
        return String(decoding: try text.line(self).dropLast(), as: UTF8.self)
    }
}

/// Reads rows from lines of JSON. Fields it does not know are passed over; what is missing or of a wrong type is an error.
struct RowParser {
    private let decoder = JSONDecoder()

    func row(_ line: ArraySlice<UInt8>) throws -> LedgerRow {
        let fields: RowFields
        do {
            fields = try decoder.decode(RowFields.self, from: Data(line))
        } catch {
            throw JSONFault(JSONFault.describe(error))
        }
        return try LedgerRow(fields)
    }
}

private struct RowFields: Decodable {
    var key: String?
    var keyBase64: String?
    var size: Int64
    var sourceVersion: String
    var targetVersion: String
    var sourceModified: String?
    var evidence: Int
    var verifiedAt: String
    var crc32c: String?
    var crc64nvme: String?
    var md5: String?
    var blake3: String?
    var attributes: AttributeFields?

    enum CodingKeys: String, CodingKey {
        case key, size, evidence, crc32c, crc64nvme, md5, blake3, attributes
        case keyBase64 = "key_base64"
        case sourceVersion = "source_version"
        case targetVersion = "target_version"
        case sourceModified = "source_modified"
        case verifiedAt = "verified_at"
    }
}

private struct AttributeFields: Decodable {
    var cacheControl: String?
    var contentDisposition: String?
    var contentEncoding: String?
    var contentLanguage: String?
    var contentType: String?
    var metadata: [String: String]?

    enum CodingKeys: String, CodingKey {
        case metadata
        case cacheControl = "cache_control"
        case contentDisposition = "content_disposition"
        case contentEncoding = "content_encoding"
        case contentLanguage = "content_language"
        case contentType = "content_type"
    }
}

extension LedgerRow {
    fileprivate init(_ fields: RowFields) throws(JSONFault) {
        guard fields.size >= 0 else { throw JSONFault("has a negative size") }
        guard let evidence = EvidenceLevel(rawValue: fields.evidence) else {
            throw JSONFault("has the evidence \(fields.evidence); known are 0 to 3")
        }
        guard let verified = CivilTime(rfc3339: fields.verifiedAt) else { throw JSONFault("verified_at is no time") }
        var modified: Int64 = 0
        if let text = fields.sourceModified {
            guard let time = CivilTime(rfc3339: text) else { throw JSONFault("source_modified is no time") }
            modified = time.nanosecondsSince1970
        }
        var checksums = ObjectChecksums(md5: try Self.hex(fields.md5, 16, "md5"))
        if let text = fields.crc32c {
            guard let crc: UInt32 = ChecksumEncoding.fromHex(text) else { throw JSONFault("crc32c is none") }
            checksums.crc32c = crc
        }
        if let text = fields.crc64nvme {
            guard let crc: UInt64 = ChecksumEncoding.fromHex(text) else { throw JSONFault("crc64nvme is none") }
            checksums.crc64nvme = crc
        }
        self.init(
            key: try ObjectKey(text: fields.key, base64: fields.keyBase64, "key"),
            sourceVersion: VersionToken(fields.sourceVersion), sourceModified: modified,
            targetVersion: VersionToken(fields.targetVersion), size: fields.size, checksums: checksums,
            evidence: evidence, verifiedAt: verified.secondsSince1970,
            attributes: fields.attributes.map { EncodedAttributes(ObjectAttributes($0)) },
            blake3: try Self.hex(fields.blake3, 32, "blake3"))
    }

    private static func hex(_ text: String?, _ count: Int, _ name: String) throws(JSONFault) -> [UInt8]? {
        guard let text else { return nil }
        guard let bytes = Hex.decode(text), bytes.count == count else { throw JSONFault("\(name) is none") }
        return bytes
    }
}

extension ObjectAttributes {
    fileprivate init(_ fields: AttributeFields) {
        self.init(
            contentType: fields.contentType, contentEncoding: fields.contentEncoding,
            contentLanguage: fields.contentLanguage, contentDisposition: fields.contentDisposition,
            cacheControl: fields.cacheControl, userMetadata: fields.metadata ?? [:])
    }
}
