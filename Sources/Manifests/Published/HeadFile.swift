package import Cryptography
import Digests
import Foundation
package import ReplicationModel

/// The file of a head: a line of JSON, and a second one with the signature of the first's bytes without its line feed.
package struct HeadFile: Sendable {
    package let head: PublishedHead
    /// The signed line, without its line feed.
    package let line: [UInt8]
    package let signature: [UInt8]

    /// Signs a new head.
    package init(_ head: PublishedHead, key: Ed25519PrivateKey) throws {
        precondition(head.publicKey == key.publicKey, "a head names the key that signs it")
        self.head = head
        line = Self.encode(head)
        signature = try key.sign(line)
    }

    package var bytes: [UInt8] {
        var text = JSONText()
        text.beginObject()
        text.field("key_id", head.publicKey.id)
        text.field("signature", Base64.encode(signature))
        text.endObject()
        return line + [lineFeed] + text.bytes + [lineFeed]
    }

    package var anchor: PublishedHeadAnchor {
        PublishedHeadAnchor(sequence: head.sequence, digest: SHA256.hash(bytes))
    }

    private static func encode(_ head: PublishedHead) -> [UInt8] {
        var text = JSONText()
        text.beginObject()
        text.field("format", ManifestFormat.name)
        text.field("sequence", head.sequence)
        text.name("previous")
        if let previous = head.previous { text.value(Hex.encode(previous)) } else { text.null() }
        text.field("created_at", CivilTime(secondsSince1970: head.createdAt).rfc3339)
        text.field("source", head.source)
        text.field("target", head.target)
        text.field("rows", head.totals.rows)
        text.field("bytes", head.totals.bytes)
        text.name("evidence")
        text.beginArray()
        for count in head.totals.evidence { text.value(count) }
        text.endArray()
        text.field("hash", "sha256")
        text.field("merkle_root", Hex.encode(head.merkleRoot))
        text.field("key_id", head.publicKey.id)
        text.field("public_key", Base64.encode(head.publicKey.raw))
        text.name("pages")
        text.beginArray()
        for page in head.pages {
            text.beginObject()
            text.field("sha256", Hex.encode(page.digest))
            text.field("rows", page.rows)
            text.field("file_bytes", page.fileBytes)
            text.field("content_bytes", page.contentBytes)
            text.key("first_key", page.firstKey)
            text.key("last_key", page.lastKey)
            text.endObject()
        }
        text.endArray()
        text.endObject()
        return text.bytes
    }
}

let lineFeed = UInt8(ascii: "\n")

extension JSONText {
    /// A key as text, or under the name with `_base64` when its bytes are not UTF-8.
    package mutating func key(_ name: String, _ key: ObjectKey) {
        if let text = key.utf8 { field(name, text) } else { field(name + "_base64", Base64.encode(key.bytes)) }
    }
}
