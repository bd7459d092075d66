import ReplicationModel

/// The names of one directory, sorted as the keys they stand for. All of a directory's names are in memory, and nothing else of it.
struct DirectoryEntries {
    enum Kind: Hashable {
        case file, directory
        /// Cannot be offered as an object.
        case symbolicLink, special, undecodable

        var reason: String {
            switch self {
            case .file, .directory: ""
            case .symbolicLink: "a symbolic link, which is not followed"
            case .special: "a device, socket or pipe"
            case .undecodable: "a name that starts with %lockstep and stands for no key"
            }
        }
    }

    struct Entry {
        /// What the entry adds to the key of its directory, in `bytes`; with a slash at the end for directories.
        fileprivate(set) var segment: Range<Int>
        /// Path of the file below the directory, in `bytes`: one name, or several for a component too long for one.
        fileprivate(set) var path: Range<Int>
        fileprivate(set) var kind: Kind
    }

    /// Half the size of ranges of `Int`: there may be a million of them.
    private struct Record {
        var segment: UInt32
        var segmentLength: UInt16
        var pathLength: UInt16
        var path: UInt32
        var kind: Kind
    }

    private var bytes: [UInt8] = []
    private var records: [Record] = []

    /// - Parameter isRoot: the directory is the store's root, where one name is reserved.
    init(_ directory: FileDescriptor, isRoot: Bool) throws(Errno) {
        try read(directory, isRoot: isRoot, names: [], component: [])
        sort()
    }

    var count: Int { records.count }

    subscript(index: Int) -> Entry {
        let record = records[index]
        return Entry(
            segment: Int(record.segment)..<(Int(record.segment) + Int(record.segmentLength)),
            path: Int(record.path)..<(Int(record.path) + Int(record.pathLength)), kind: record.kind)
    }

    func segment(_ entry: Entry) -> ArraySlice<UInt8> { bytes[entry.segment] }

    func path(_ entry: Entry) -> [UInt8] { Array(bytes[entry.path]) }

    /// Index of the first entry whose segment is not before `bound`.
    func firstIndex(from bound: ArraySlice<UInt8>) -> Int {
        var low = 0
        var high = records.count
        while low < high {
            let middle = (low + high) / 2
            if segment(self[middle]).lexicographicallyPrecedes(bound) { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// Takes up the names of a directory, and those of the directories inside that only continue a long component.
    private mutating func read(
        _ directory: FileDescriptor, isRoot: Bool, names: [[UInt8]], component: [UInt8]
    ) throws(Errno) {
        var continued: [[UInt8]] = []
        try DirectoryReader.forEach(directory) { name, kind throws(Errno) in
            if names.isEmpty, !Self.startsWithMark(name) {
                if isRoot, name.elementsEqual(FileNames.reserved) { return }
                guard let kind = try Self.kind(kind, Array(name), directory) else { return }
                return add(UnsafeRawBufferPointer(name), names: nil, kind)
            }
            let name = Array(name)
            guard let kind = try Self.kind(kind, name, directory) else { return }
            let all = names + [name]
            switch FileNames.decode(name) {
            case .piece where kind == .directory: continued.append(name)
            case .component(let last) where FileNames.isCanonical(all, for: component + last, isRoot: isRoot):
                (component + last).withUnsafeBytes { add($0, names: all, kind) }
            default:
                all.joined(separator: [UInt8(ascii: "/")]).withContiguousBytes { add($0, names: all, .undecodable) }
            }
        }
        for name in continued {
            guard case .piece(let piece) = FileNames.decode(name) else { continue }
            try read(
                try directory.openDirectory(name), isRoot: isRoot, names: names + [name], component: component + piece)
        }
    }

    /// - Parameter names: the names on the disk, when they are not the segment itself.
    private mutating func add(_ segment: UnsafeRawBufferPointer, names: [[UInt8]]?, _ kind: Kind) {
        let start = UInt32(bytes.count)
        bytes.append(contentsOf: segment)
        var record = Record(
            segment: start, segmentLength: UInt16(segment.count), pathLength: UInt16(segment.count), path: start,
            kind: kind)
        if kind == .directory {
            bytes.append(UInt8(ascii: "/"))
            record.segmentLength += 1
        }
        if let names {
            record.path = UInt32(bytes.count)
            bytes.append(contentsOf: names.joined(separator: [UInt8(ascii: "/")]))
            record.pathLength = UInt16(UInt32(bytes.count) - record.path)
        }
        records.append(record)
    }

    private mutating func sort() {
        bytes.withUnsafeBytes { bytes in
            records.sort { one, other in
                let left = bytes[Int(one.segment)..<(Int(one.segment) + Int(one.segmentLength))]
                let right = bytes[Int(other.segment)..<(Int(other.segment) + Int(other.segmentLength))]
                return left.lexicographicallyPrecedes(right)
            }
        }
    }

    private static func startsWithMark(_ name: UnsafeBufferPointer<UInt8>) -> Bool { name.starts(with: FileNames.mark) }

    /// nil when the name is gone.
    private static func kind(
        _ known: FileFacts.Kind?, _ name: [UInt8], _ directory: FileDescriptor
    ) throws(Errno) -> Kind? {
        let kind = known == nil ? try directory.facts(of: name)?.kind : known
        switch kind {
        case .file: return .file
        case .directory: return .directory
        case .symbolicLink: return .symbolicLink
        case .special: return .special
        case nil: return nil
        }
    }
}

extension Sequence<UInt8> {
    fileprivate func withContiguousBytes<R>(_ body: (UnsafeRawBufferPointer) -> R) -> R {
        Array(self).withUnsafeBytes(body)
    }
}
