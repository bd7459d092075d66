import Digests
import Foundation
import ObjectStores
import ReplicationModel

/// One object as JSON, of `ls --json` and `stat --json`.
private struct ObjectJSON: Encodable {
    var key: String
    var keyBase64: String?
    var size: Int64
    var modified: String?
    var version: String
    var crc32c: String?
    var crc64nvme: String?
    var md5: String?
    var blake3: String?
    var archiveTier: String?
    var attributes: ObjectAttributes?

    init(_ object: ListedObject, attributes: ObjectAttributes? = nil) {
        key = object.key.text
        if object.key.utf8 == nil { keyBase64 = Base64.encode(object.key.bytes) }
        size = object.size
        if object.modified != 0 { modified = Format.time(object.modified) }
        version = object.version.text
        crc32c = object.checksums.crc32c.map { ChecksumEncoding.hex($0) }
        crc64nvme = object.checksums.crc64nvme.map { ChecksumEncoding.hex($0) }
        md5 = object.checksums.md5.map { Hex.encode($0) }
        blake3 = object.checksums.blake3.map { Hex.encode($0) }
        archiveTier = object.archiveTier
        self.attributes = attributes
    }

    func line() throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.keyEncodingStrategy = .convertToSnakeCase
        return String(decoding: try encoder.encode(self), as: UTF8.self)
    }
}

extension ListedObject {
    func jsonLine() throws -> String { try ObjectJSON(self).line() }
}

extension ObjectDescription {
    func jsonLine() throws -> String { try ObjectJSON(object, attributes: attributes).line() }
}
