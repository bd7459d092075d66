import Digests
package import ReplicationModel

/// Writes one page, item by item in key order, and says when it is complete.
package struct PageEncoder: Sendable {
    /// Items of a page that its last key may end, at least.
    package static let leastCount = 256
    /// Items of a page at most.
    package static let greatestCount = 2048
    /// Bytes of payload after which a page ends.
    package static let fullPayload = 512 << 10

    package let level: Int
    package private(set) var count = 0
    package private(set) var firstKey: ObjectKey?
    /// Objects in or below the page, and their plain bytes.
    package private(set) var objects = 0
    package private(set) var bytes: Int64 = 0
    private var encoded: [UInt8]
    private var lastKey: [UInt8] = []
    /// Texts of attributes so far, with their numbers.
    private var texts: [[UInt8]: Int] = [:]

    package init(level: Int) {
        precondition((0...SnapshotPage.maxLevel).contains(level), "a snapshot has at most 32 levels")
        self.level = level
        encoded = SnapshotPage.magic
        encoded.append(UInt8(level))
        encoded.append(contentsOf: [0, 0, 0])
        encoded.append(integer: UInt32(0))
    }

    package var isEmpty: Bool { count == 0 }

    /// Whether the page ends after the item that was added last. Depends on nothing but the page's own items, so that equal content is cut
    /// equally however it came about:
    /// - it has 2048 items, or
    /// - its payload has 512 KiB or more, or
    /// - it has 256 items or more and, of the unkeyed BLAKE3 of the last key, the byte with the number of the level is 0.
    ///
    /// So pages have 512 items on average. The last page of a level ends where the level does.
    package var isComplete: Bool {
        if count >= Self.greatestCount || encoded.count >= Self.fullPayload { return true }
        guard count >= Self.leastCount else { return false }
        return lastKey.withUnsafeBytes { BLAKE3.hash($0)[level] == 0 }
    }

    /// - Precondition: level 0, and the key is greater than all before.
    package mutating func append(_ entry: VaultEntry) {
        precondition(level == 0 && entry.blake3.count == BLAKE3.digestLength && entry.size >= 0, "no entry of a page")
        append(key: entry.key)
        encoded.append(variable: Int(entry.size))
        encoded.append(integer: entry.modified)
        encoded.append(integer: entry.crc32c)
        encoded.append(integer: entry.crc64nvme)
        encoded.append(contentsOf: entry.blake3)
        append(entry.attributes)
        switch entry.content {
        case .chunks(let chunks):
            precondition(chunks.reduce(0) { $0 + Int64($1.length) } == entry.size, "the chunks are not the object")
            encoded.append(0)
            append(chunks)
        case .list(let chunks):
            precondition(
                chunks.reduce(0) { $0 + Int64($1.length) } % Int64(SnapshotPage.chunkLength) == 0,
                "the chunks are no list of chunks")
            encoded.append(1)
            append(chunks)
        }
        objects += 1
        bytes += entry.size
    }

    /// - Precondition: a level above 0, and the first key is greater than all before.
    package mutating func append(_ child: PageChild) {
        precondition(level > 0 && child.objects > 0, "no child of a page")
        append(key: child.firstKey)
        encoded.append(contentsOf: child.reference.session.rawBytes)
        encoded.append(contentsOf: child.reference.id)
        encoded.append(integer: UInt32(child.reference.size))
        encoded.append(variable: child.objects)
        encoded.append(variable: Int(child.bytes))
        objects += child.objects
        bytes += child.bytes
    }

    /// The payload. Throws `.invalid` when an entry makes it too large to be read again.
    package func payload() throws(VaultError) -> [UInt8] {
        precondition(count > 0, "no page is empty")
        guard encoded.count <= SnapshotPage.maxPayload else {
            throw VaultError(
                .invalid, object: firstKey.map { "\($0)" },
                "key, attributes and chunks of one object take \(encoded.count) bytes of a snapshot; more than \(SnapshotPage.maxPayload) cannot be kept"
            )
        }
        var payload = encoded
        withUnsafeBytes(of: UInt32(count).littleEndian) { payload.replaceSubrange(12..<16, with: $0) }
        return payload
    }

    private mutating func append(key: ObjectKey) {
        let key = key.bytes
        precondition(key.count <= SnapshotPage.maxKeyLength, "a key is longer than any store allows")
        var shared = 0
        if count > 0 {
            let last = lastKey
            let common = min(last.count, key.count)
            while shared < common, last[shared] == key[shared] { shared += 1 }
            precondition(shared < key.count && (shared == last.count || last[shared] < key[shared]), "keys must rise")
        } else {
            firstKey = ObjectKey(key)
        }
        encoded.append(variable: shared)
        encoded.append(variable: key.count - shared)
        encoded.append(contentsOf: key[shared...])
        lastKey = key
        count += 1
    }

    private mutating func append(_ attributes: ObjectAttributes) {
        let text = AttributesText.encode(attributes)
        if let number = texts[text] { return encoded.append(variable: number) }
        encoded.append(variable: texts.count)
        encoded.append(variable: text.count)
        encoded.append(contentsOf: text)
        texts[text] = texts.count
    }

    private mutating func append(_ chunks: [ChunkReference]) {
        encoded.append(variable: chunks.count)
        for chunk in chunks {
            withUnsafeTemporaryAllocation(byteCount: SnapshotPage.chunkLength, alignment: 8) { row in
                chunk.id.store(to: row.baseAddress!)
                row.storeBytes(of: chunk.length.littleEndian, toByteOffset: ChunkID.length, as: UInt32.self)
                encoded.append(contentsOf: row)
            }
        }
    }
}
