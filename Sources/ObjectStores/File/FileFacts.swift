import CKernels
import ReplicationModel

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// What the file system says of one file, and the version token made of it.
struct FileFacts: Hashable {
    enum Kind: Hashable {
        case file, directory, symbolicLink
        /// Devices, sockets, pipes: with their name for people.
        case special(String)

        /// For the user, when a file was expected.
        var reason: String {
            switch self {
            case .file: "a file"
            case .directory: "a directory"
            case .symbolicLink: "a symbolic link, which is not followed"
            case .special(let name): "\(name), not a file"
            }
        }
    }

    var kind: Kind
    var device: UInt64
    var inode: UInt64
    /// Bytes.
    var size: Int64
    /// Nanoseconds since 1970.
    var modified: Int64
    /// Time of the last change of the inode, which no program can set: nanoseconds since 1970.
    var changed: Int64

    init(_ facts: lockstep_file_facts) {
        kind =
            switch facts.mode & UInt32(S_IFMT) {
            case UInt32(S_IFREG): .file
            case UInt32(S_IFDIR): .directory
            case UInt32(S_IFLNK): .symbolicLink
            case UInt32(S_IFIFO): .special("a pipe")
            case UInt32(S_IFSOCK): .special("a socket")
            default: .special("a device")
            }
        device = facts.device
        inode = facts.inode
        size = facts.size
        modified = facts.modified
        changed = facts.changed
    }

    /// Whether it is the file that it was, perhaps under another name: only the time of the inode may differ.
    func isSameFile(as other: FileFacts) -> Bool {
        kind == other.kind && device == other.device && inode == other.inode && size == other.size
            && modified == other.modified
    }

    /// Changes with every write, replacement and change of attributes, as far as the file system's clock ticks in between.
    var version: VersionToken { VersionToken("\(inode).\(size).\(modified).\(changed)") }
}
