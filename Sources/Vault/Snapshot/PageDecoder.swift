import Digests
import ReplicationModel

extension SnapshotPage {
    /// Decodes a payload; `.damaged` when it is not one that `PageEncoder` writes. `name`: of the page, for errors.
    package init(payload: UnsafeRawBufferPointer, name: String) throws(VaultError) {
        var decoder = PageDecoder(scanner: PageScanner(payload, name: name))
        self = try decoder.page(length: payload.count)
    }
}

private struct PageDecoder {
    var scanner: PageScanner
    private var key: [UInt8] = []
    private var texts: [ObjectAttributes] = []
    /// The last session and its bytes: neighbours mostly have the same, and then share the text.
    private var session: (bytes: [UInt8], name: SessionName)?

    init(scanner: PageScanner) {
        self.scanner = scanner
    }

    mutating func page(length: Int) throws(VaultError) -> SnapshotPage {
        guard length <= SnapshotPage.maxPayload else { throw scanner.damaged("the page is too large") }
        guard try scanner.take(8).elementsEqual(SnapshotPage.magic) else { throw scanner.damaged("this is no page") }
        let level = Int(try scanner.integer(UInt8.self))
        try scanner.zeros(3)
        let count = Int(try scanner.integer(UInt32.self))
        guard level <= SnapshotPage.maxLevel, (1...PageEncoder.greatestCount).contains(count) else {
            throw scanner.damaged("level or count is out of its range")
        }
        let page: SnapshotPage
        if level == 0 {
            var entries: [VaultEntry] = []
            entries.reserveCapacity(count)
            var total: Int64 = 0
            for index in 0..<count {
                let entry = try self.entry(isFirst: index == 0)
                try add(entry.size, to: &total)
                entries.append(entry)
            }
            page = .entries(entries)
        } else {
            var children: [PageChild] = []
            children.reserveCapacity(count)
            var totals: (objects: Int64, bytes: Int64) = (0, 0)
            for index in 0..<count {
                let child = try self.child(isFirst: index == 0)
                try add(Int64(child.objects), to: &totals.objects)
                try add(child.bytes, to: &totals.bytes)
                children.append(child)
            }
            page = .children(level: level, children)
        }
        guard scanner.remaining == 0 else { throw scanner.damaged("the content goes on after its end") }
        return page
    }

    private func add(_ value: Int64, to total: inout Int64) throws(VaultError) {
        let (sum, overflow) = total.addingReportingOverflow(value)
        guard !overflow else { throw scanner.damaged("sizes add up to more than there can be") }
        total = sum
    }

    private mutating func nextKey(isFirst: Bool) throws(VaultError) -> ObjectKey {
        let shared = try scanner.variable(upTo: key.count)
        let suffix = try scanner.take(try scanner.variable(upTo: SnapshotPage.maxKeyLength - shared))
        // A greater first byte behind the shared ones: so keys rise, and share all that they can.
        guard isFirst || (!suffix.isEmpty && (shared == key.count || suffix[0] > key[shared])) else {
            throw scanner.damaged("keys do not rise")
        }
        key.removeLast(key.count - shared)
        key.append(contentsOf: suffix)
        // Of its own length: `key` keeps room to grow.
        return ObjectKey(key.withUnsafeBytes { [UInt8]($0) })
    }

    private mutating func entry(isFirst: Bool) throws(VaultError) -> VaultEntry {
        let key = try nextKey(isFirst: isFirst)
        let size = Int64(try scanner.variable(upTo: .max))
        let modified = try scanner.integer(Int64.self)
        let crc32c = try scanner.integer(UInt32.self)
        let crc64nvme = try scanner.integer(UInt64.self)
        let blake3 = Array(try scanner.take(BLAKE3.digestLength))
        let attributes = try self.attributes()
        let kind = try scanner.integer(UInt8.self)
        let (chunks, total) = try self.chunks()
        switch kind {
        case 0:
            guard total == size else { throw scanner.damaged("the chunks are not as long as the object") }
        case 1:
            guard total % Int64(SnapshotPage.chunkLength) == 0 else { throw scanner.damaged("the list is cut short") }
        default: throw scanner.damaged("a content of an unknown kind")
        }
        return VaultEntry(
            key: key, size: size, modified: modified, crc32c: crc32c, crc64nvme: crc64nvme, blake3: blake3,
            attributes: attributes, content: kind == 0 ? .chunks(chunks) : .list(chunks))
    }

    private mutating func attributes() throws(VaultError) -> ObjectAttributes {
        let number = try scanner.variable(upTo: texts.count)
        if number < texts.count { return texts[number] }
        let text = try scanner.take(try scanner.variable(upTo: SnapshotPage.maxPayload))
        guard let attributes = AttributesText.decode(text) else {
            throw scanner.damaged("attributes are not written as they should be")
        }
        texts.append(attributes)
        return attributes
    }

    private mutating func chunks() throws(VaultError) -> ([ChunkReference], total: Int64) {
        let count = try scanner.variable(upTo: scanner.remaining / SnapshotPage.chunkLength)
        let rows = try scanner.take(count * SnapshotPage.chunkLength)
        var total: Int64 = 0
        var chunks: [ChunkReference] = []
        chunks.reserveCapacity(count)
        for start in stride(from: 0, to: rows.count, by: SnapshotPage.chunkLength) {
            let length = UInt32(
                littleEndian: rows.loadUnaligned(fromByteOffset: start + ChunkID.length, as: UInt32.self))
            let id = ChunkID(UnsafeRawBufferPointer(rebasing: rows[start..<start + ChunkID.length]))
            chunks.append(ChunkReference(id: id, length: length))
            total += Int64(length)
        }
        return (chunks, total)
    }

    private mutating func child(isFirst: Bool) throws(VaultError) -> PageChild {
        let key = try nextKey(isFirst: isFirst)
        let session = self.session(try scanner.take(SessionName.byteCount))
        let id = Array(try scanner.take(16))
        let size = Int(try scanner.integer(UInt32.self))
        let objects = try scanner.variable(upTo: .max)
        guard objects > 0, size > 0 else { throw scanner.damaged("a page of nothing") }
        let bytes = Int64(try scanner.variable(upTo: .max))
        return PageChild(
            firstKey: key, reference: PageReference(session: session, id: id, size: size), objects: objects,
            bytes: bytes)
    }

    private mutating func session(_ bytes: UnsafeRawBufferPointer) -> SessionName {
        if let session, bytes.elementsEqual(session.bytes) { return session.name }
        let name = SessionName(rawBytes: bytes)
        session = (Array(bytes), name)
        return name
    }
}
