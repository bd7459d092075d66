/// The stored form of planes while it is written: it never grows beyond its room.
///
/// For each plane, the lowest byte of the elements first: how it is stored (u8), the length of what follows (u32, little-endian) and
/// that. Behind the planes come the bytes after the last whole element, as they are.
struct PlaneOutput {
    enum Form: UInt8 {
        case raw = 0
        case lz4 = 1
        case zstd = 2
    }

    static let headLength = 5

    private let room: UnsafeMutableRawBufferPointer
    private(set) var count = 0

    init(_ room: UnsafeMutableRawBufferPointer) {
        self.room = room
    }

    /// Where the next plane's bytes go: at most `limit` of them.
    func target(limit: Int) -> UnsafeMutableRawBufferPointer {
        let start = min(count + Self.headLength, room.count)
        return UnsafeMutableRawBufferPointer(rebasing: room[start..<min(start + limit, room.count)])
    }

    /// Counts what was written to `target`, and writes its head.
    mutating func commit(_ form: Form, _ length: Int) {
        room[count] = form.rawValue
        room.storeBytes(of: UInt32(length).littleEndian, toByteOffset: count + 1, as: UInt32.self)
        count += Self.headLength + length
    }

    /// False: no room.
    mutating func appendRaw(_ plane: UnsafeRawBufferPointer) -> Bool {
        guard count + Self.headLength + plane.count <= room.count else { return false }
        target(limit: plane.count).copyMemory(from: plane)
        commit(.raw, plane.count)
        return true
    }

    /// False: no room.
    mutating func appendTail(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard count + bytes.count <= room.count else { return false }
        UnsafeMutableRawBufferPointer(rebasing: room[count...]).copyMemory(from: bytes)
        count += bytes.count
        return true
    }
}
