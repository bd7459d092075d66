import Cryptography
import Digests
import Foundation
import ReplicationModel

extension HeadFile {
    /// Reads a head and checks everything that it says about itself, its signature by the key it names included.
    /// Whether that key is to be trusted is another question.
    /// - Parameter name: of the file, for errors.
    package init(parsing bytes: [UInt8], name: String) throws {
        func damaged(_ message: String) -> ManifestError { ManifestError(.damagedHead, "\(name): \(message)") }

        guard bytes.count <= ManifestFormat.maxHeadBytes else { throw damaged("is larger than any head") }
        guard let end = bytes.firstIndex(of: lineFeed) else { throw damaged("the signature is missing") }
        let fields: HeadFields
        do {
            fields = try JSONDecoder().decode(HeadFields.self, from: Data(bytes[..<end]))
        } catch {
            throw damaged("line 1 \(JSONFault.describe(error))")
        }
        guard fields.format == ManifestFormat.name else {
            throw damaged(
                "has the format \(ObjectKey(fields.format)); this program reads \(ManifestFormat.name): use a newer one"
            )
        }
        do {
            head = try PublishedHead(fields)
        } catch let fault as JSONFault {
            throw damaged(fault.description)
        }
        line = Array(bytes[..<end])
        let tail: SignatureFields
        do {
            tail = try JSONDecoder().decode(SignatureFields.self, from: Data(bytes[(end + 1)...].prefix(1024)))
        } catch {
            throw damaged("line 2 \(JSONFault.describe(error))")
        }
        guard let signature = Base64.decode(tail.signature) else { throw damaged("the signature is not base64") }
        self.signature = signature
        // One form only, so that not a single bit of the file is without a meaning.
        guard self.bytes == bytes else { throw damaged("line 2 is not in the form that is published") }
        guard head.publicKey.verify(signature, of: line) else {
            throw ManifestError(
                .badSignature, "\(name): the signature is not that of the key \(head.publicKey.id) over its first line")
        }
    }
}

private struct SignatureFields: Decodable {
    var signature: String
}

private struct HeadFields: Decodable {
    var format: String
    var sequence: Int64
    var previous: String?
    var createdAt: String
    var source: String
    var target: String
    var rows: Int64
    var bytes: Int64
    var evidence: [Int64]
    var hash: String
    var merkleRoot: String
    var publicKey: String
    var pages: [PageFields]

    enum CodingKeys: String, CodingKey {
        case format, sequence, previous, source, target, rows, bytes, evidence, hash, pages
        case createdAt = "created_at"
        case merkleRoot = "merkle_root"
        case publicKey = "public_key"
    }
}

private struct PageFields: Decodable {
    var sha256: String
    var rows: Int
    var fileBytes: Int
    var contentBytes: Int
    var firstKey: String?
    var firstKeyBase64: String?
    var lastKey: String?
    var lastKeyBase64: String?

    enum CodingKeys: String, CodingKey {
        case sha256, rows
        case fileBytes = "file_bytes"
        case contentBytes = "content_bytes"
        case firstKey = "first_key"
        case firstKeyBase64 = "first_key_base64"
        case lastKey = "last_key"
        case lastKeyBase64 = "last_key_base64"
    }
}

extension PublishedHead {
    fileprivate init(_ fields: HeadFields) throws {
        guard fields.hash == "sha256" else { throw JSONFault("uses the hash \(ObjectKey(fields.hash)), not sha256") }
        guard (1...ManifestFormat.maxSequence).contains(fields.sequence) else {
            throw JSONFault("\(fields.sequence) is no sequence")
        }
        let previous = try fields.previous.map { try Self.digest($0, "previous") }
        guard (previous == nil) == (fields.sequence == 1) else {
            throw JSONFault("the first head, and no other, is without a previous one")
        }
        guard let created = CivilTime(rfc3339: fields.createdAt) else { throw JSONFault("created_at is no time") }
        let publicKey: Ed25519PublicKey
        do {
            publicKey = try Ed25519PublicKey(raw: Base64.decode(fields.publicKey) ?? [])
        } catch {
            throw JSONFault("public_key is no Ed25519 key")
        }
        guard fields.pages.count <= ManifestFormat.maxPages else {
            throw JSONFault("lists \(fields.pages.count) pages; at most \(ManifestFormat.maxPages) are allowed")
        }
        var pages: [PublishedPage] = []
        pages.reserveCapacity(fields.pages.count)
        var rows: Int64 = 0
        for (index, page) in fields.pages.enumerated() {
            let page = try PublishedPage(page, name: "pages[\(index)]")
            if let last = pages.last, !(last.lastKey < page.firstKey) {
                throw JSONFault("pages[\(index)] begins at \(page.firstKey), before the page before it ends")
            }
            rows += Int64(page.rows)
            pages.append(page)
        }
        guard fields.evidence.count == 4, fields.evidence.allSatisfy({ (0...rows).contains($0) }),
            fields.evidence.reduce(0, +) == rows, fields.rows == rows, fields.bytes >= 0
        else { throw JSONFault("the counts do not add up") }
        var totals = ManifestTotals()
        totals.rows = rows
        totals.bytes = fields.bytes
        totals.evidence = fields.evidence
        self.init(
            sequence: fields.sequence, previous: previous, createdAt: created.secondsSince1970, source: fields.source,
            target: fields.target, totals: totals, publicKey: publicKey, pages: pages)
        guard merkleRoot == (try Self.digest(fields.merkleRoot, "merkle_root")) else {
            throw JSONFault("the Merkle root is not that of the pages")
        }
    }

    fileprivate static func digest(_ text: String, _ name: String) throws -> [UInt8] {
        guard let digest = Hex.decode(text), digest.count == SHA256Algorithm.digestLength else {
            throw JSONFault("\(name) is no SHA-256")
        }
        return digest
    }
}

extension PublishedPage {
    fileprivate init(_ fields: PageFields, name: String) throws {
        guard (1...ManifestFormat.maxPageRows).contains(fields.rows) else {
            throw JSONFault("\(name) has \(fields.rows) rows; 1 to \(ManifestFormat.maxPageRows) are allowed")
        }
        let sizes = 1...ManifestFormat.maxPageBytes
        guard sizes.contains(fields.fileBytes), sizes.contains(fields.contentBytes) else {
            throw JSONFault("\(name) is larger than the \(ManifestFormat.maxPageBytes) bytes that are allowed")
        }
        self.init(
            digest: try PublishedHead.digest(fields.sha256, "\(name).sha256"), rows: fields.rows,
            fileBytes: fields.fileBytes, contentBytes: fields.contentBytes,
            firstKey: try ObjectKey(text: fields.firstKey, base64: fields.firstKeyBase64, "\(name).first_key"),
            lastKey: try ObjectKey(text: fields.lastKey, base64: fields.lastKeyBase64, "\(name).last_key"))
        guard !(lastKey < firstKey) else { throw JSONFault("\(name) ends before it begins") }
    }
}

extension ObjectKey {
    /// Exactly one of the two forms; the second one is for bytes that are not UTF-8.
    init(text: String?, base64: String?, _ name: String) throws(JSONFault) {
        switch (text, base64) {
        case (let text?, nil): self.init(text)
        case (nil, let base64?):
            guard let bytes = Base64.decode(base64) else { throw JSONFault("\(name)_base64 is not base64") }
            self.init(bytes)
        case (nil, nil): throw JSONFault("\(name) is missing")
        default: throw JSONFault("\(name) is given twice")
        }
        guard !isEmpty else { throw JSONFault("\(name) is empty") }
    }
}
