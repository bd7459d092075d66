import CCurl

/// Memory for what the library reads while a request runs: the header list and a small body.
///
/// Kept from request to request, so that a request allocates nothing for it. Owned by one handle on one thread.
struct RequestScratch: ~Copyable {
    private var bytes: UnsafeMutableRawPointer
    private var capacity: Int
    private var used = 0
    private var offsets: [Int] = []
    private var nodes: UnsafeMutablePointer<curl_slist>
    private var nodeCapacity: Int

    init() {
        capacity = 4096
        bytes = .allocate(byteCount: capacity, alignment: 1)
        nodeCapacity = 32
        nodes = .allocate(capacity: nodeCapacity)
    }

    deinit {
        bytes.deallocate()
        nodes.deallocate()
    }

    /// Forgets everything of the request before.
    mutating func clear() {
        used = 0
        offsets.removeAll(keepingCapacity: true)
    }

    /// One header line. A field without a value needs the library's own notation, because `name:` means "do not send".
    mutating func addField(_ name: String, _ value: String) {
        offsets.append(used)
        append(name)
        if value.isEmpty {
            append(UInt8(ascii: ";"))
        } else {
            append(UInt8(ascii: ":"))
            append(UInt8(ascii: " "))
            append(value)
        }
        append(0)
    }

    /// Keeps the library from sending a field of its own.
    mutating func suppressField(_ name: String) {
        offsets.append(used)
        append(name)
        append(UInt8(ascii: ":"))
        append(0)
    }

    /// A copy of the whole body; its place is known once nothing more is added.
    mutating func addBody(_ cursor: inout BodyCursor) -> Int {
        reserve(cursor.count)
        let place = used
        used += cursor.read(into: UnsafeMutableRawBufferPointer(start: bytes + used, count: cursor.count))
        return place
    }

    func pointer(at place: Int) -> UnsafeMutableRawPointer { bytes + place }

    /// The list of all header lines, or nil where there is none. Valid until `clear` or the next addition.
    mutating func headerList() -> UnsafeMutablePointer<curl_slist>? {
        guard !offsets.isEmpty else { return nil }
        if offsets.count > nodeCapacity {
            nodes.deallocate()
            nodeCapacity = offsets.count * 2
            nodes = .allocate(capacity: nodeCapacity)
        }
        for (index, offset) in offsets.enumerated() {
            let isLast = index == offsets.count - 1
            let text = (bytes + offset).assumingMemoryBound(to: CChar.self)
            (nodes + index).initialize(to: curl_slist(data: text, next: isLast ? nil : nodes + index + 1))
        }
        return nodes
    }

    private mutating func append(_ text: String) {
        var text = text
        text.withUTF8 { utf8 in
            reserve(utf8.count)
            let room = UnsafeMutableRawBufferPointer(start: bytes + used, count: utf8.count)
            room.copyMemory(from: UnsafeRawBufferPointer(utf8))
            used += utf8.count
        }
    }

    private mutating func append(_ byte: UInt8) {
        reserve(1)
        bytes.storeBytes(of: byte, toByteOffset: used, as: UInt8.self)
        used += 1
    }

    private mutating func reserve(_ count: Int) {
        guard used + count > capacity else { return }
        let larger = max(capacity * 2, used + count)
        let moved = UnsafeMutableRawPointer.allocate(byteCount: larger, alignment: 1)
        moved.copyMemory(from: bytes, byteCount: used)
        bytes.deallocate()
        bytes = moved
        capacity = larger
    }
}
