import ReplicationModel

/// Keys as paths and back, one to one.
///
/// A key's components are names of directories and, the last one, of a file. Names that a file system cannot hold are escaped:
/// - `%lockstep%NAME` stands for the component NAME, in which `%` is written `%25` and NUL `%00`. Used for the empty component (`a//b`, `a/`),
///   for `.` and `..`, for components with NUL, for `.lockstep` at the root, and for components that start with `%lockstep` themselves;
/// - a component too long for one name is cut into pieces of 80 bytes: directories `%lockstep+PIECE`, and `%lockstep%PIECE` for the last.
///
/// Every component has exactly one form; other names that start with the mark stand for nothing and are reported.
enum FileNames {
    static let mark = Array("%lockstep".utf8)
    static let whole = Array("%lockstep%".utf8)
    static let continued = Array("%lockstep+".utf8)
    /// The directory at the root for what is not finished.
    static let reserved = Array(".lockstep".utf8)

    /// NAME_MAX of every file system in use.
    static let nameLimit = 255
    /// PATH_MAX without its NUL: longest path that a system call takes.
    static let pathLimit = 4095
    static let pieceLength = 80

    private static let slash = UInt8(ascii: "/")

    /// What a name in a directory stands for.
    enum Decoded: Equatable {
        /// A whole component, or the last piece of one.
        case component([UInt8])
        /// A piece of a component that continues inside this directory.
        case piece([UInt8])
        case nothing
    }

    static func path(of key: ObjectKey) -> DiskPath {
        var path: [UInt8] = []
        path.reserveCapacity(key.bytes.count)
        var nameStart = 0
        var isRoot = true
        for component in key.bytes.split(separator: slash, omittingEmptySubsequences: false) {
            encode(component, isRoot: isRoot) { name in
                if !path.isEmpty { path.append(slash) }
                nameStart = path.count
                path += name
            }
            isRoot = false
        }
        return DiskPath(bytes: path, nameStart: nameStart)
    }

    /// Calls `emit` with each name that stands for the component: one, or several for a long one.
    static func encode(_ component: ArraySlice<UInt8>, isRoot: Bool, _ emit: ([UInt8]) -> Void) {
        let escapes =
            component.isEmpty || component.elementsEqual([UInt8(ascii: ".")])
            || component.elementsEqual([UInt8(ascii: "."), UInt8(ascii: ".")]) || component.contains(0)
            || component.starts(with: mark) || (isRoot && component.elementsEqual(reserved))
        if !escapes, component.count <= nameLimit { return emit(Array(component)) }
        if escapes {
            let name = whole + escape(component)
            if name.count <= nameLimit { return emit(name) }
        }
        var rest = component
        while rest.count > pieceLength {
            emit(continued + escape(rest.prefix(pieceLength)))
            rest = rest.dropFirst(pieceLength)
        }
        emit(whole + escape(rest))
    }

    /// What the name stands for by itself. Whether it is the one form of its component is the caller's question: `isCanonical`.
    static func decode(_ name: [UInt8]) -> Decoded {
        guard name.starts(with: mark) else { return .component(name) }
        guard let text = unescape(name.dropFirst(whole.count)) else { return .nothing }
        if name.starts(with: whole) { return .component(text) }
        if name.starts(with: continued) { return .piece(text) }
        return .nothing
    }

    /// Whether these names, one below the other, are the form that `encode` gives to the component.
    static func isCanonical(_ names: [[UInt8]], for component: [UInt8], isRoot: Bool) -> Bool {
        var expected: [[UInt8]] = []
        encode(component[...], isRoot: isRoot) { expected.append($0) }
        return expected == names
    }

    private static func escape(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count)
        for byte in bytes {
            switch byte {
            case UInt8(ascii: "%"): result += "%25".utf8
            case 0: result += "%00".utf8
            default: result.append(byte)
            }
        }
        return result
    }

    private static func unescape(_ bytes: ArraySlice<UInt8>) -> [UInt8]? {
        var result: [UInt8] = []
        var rest = bytes
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                result.append(byte)
                continue
            }
            if rest.starts(with: "25".utf8) {
                result.append(byte)
            } else if rest.starts(with: "00".utf8) {
                result.append(0)
            } else {
                return nil
            }
            rest = rest.dropFirst(2)
        }
        return result
    }
}

/// A path below the root of a store: names on the disk, joined by slashes; the last is the file's.
struct DiskPath: Hashable, Sendable {
    let bytes: [UInt8]
    /// Where the last name starts.
    let nameStart: Int

    /// Path of the directory; empty is the root.
    var directory: [UInt8] { Array(bytes[..<max(0, nameStart - 1)]) }
    var name: [UInt8] { Array(bytes[nameStart...]) }
    var text: String { String(decoding: bytes, as: UTF8.self) }

    /// The directories from the root down, each as a whole path.
    var directories: [DiskPath] {
        var result: [DiskPath] = []
        var start = 0
        for (index, byte) in bytes[..<max(0, nameStart)].enumerated() where byte == UInt8(ascii: "/") {
            result.append(DiskPath(bytes: Array(bytes[..<index]), nameStart: start))
            start = index + 1
        }
        return result
    }
}
