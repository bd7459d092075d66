package import ReplicationModel

/// Which keys belong together: a model, a dataset's version. A set is a folder, named with its slash.
package enum CheckedSetRule: Sendable {
    /// Keys that share their first folders.
    case depth(Int)
    /// The outermost folder that matches.
    case folders(GlobPattern)

    /// The set of a key; nil when it belongs to none. Keys of one set are neighbours in key order.
    package func set(of key: ObjectKey) -> ObjectKey? {
        var depth = 0
        for (index, byte) in key.bytes.enumerated() where byte == UInt8(ascii: "/") {
            depth += 1
            switch self {
            case .depth(let wanted): if depth == wanted { return ObjectKey(Array(key.bytes[...index])) }
            case .folders(let pattern):
                if pattern.matches(Array(key.bytes[..<index])) { return ObjectKey(Array(key.bytes[...index])) }
            }
        }
        return nil
    }
}
