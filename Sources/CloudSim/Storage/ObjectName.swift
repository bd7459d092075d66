#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// An object's key: a byte string, ordered as unsigned bytes.
package struct ObjectName: Hashable, Sendable {
    package var bytes: [UInt8]

    package init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    package init(_ text: some StringProtocol) {
        bytes = Array(text.utf8)
    }

    package var isEmpty: Bool { bytes.isEmpty }

    /// The key as text; bytes that are not UTF-8 become U+FFFD.
    package var text: String { String(decoding: bytes, as: UTF8.self) }

    package func hasPrefix(_ prefix: ObjectName) -> Bool {
        guard bytes.count >= prefix.bytes.count else { return false }
        return bytes.withUnsafeBytes { mine in
            prefix.bytes.withUnsafeBytes { $0.isEmpty || memcmp(mine.baseAddress!, $0.baseAddress!, $0.count) == 0 }
        }
    }

    /// The first key after every key that starts with this one; nil when there is none (empty, or all 0xFF).
    package var afterPrefix: ObjectName? {
        var upper = bytes
        while let last = upper.last {
            if last < 0xFF {
                upper[upper.count - 1] = last + 1
                return ObjectName(upper)
            }
            upper.removeLast()
        }
        return nil
    }
}

extension ObjectName: Comparable {
    package static func < (a: ObjectName, b: ObjectName) -> Bool {
        a.bytes.withUnsafeBytes { left in
            b.bytes.withUnsafeBytes { right in
                let common = min(left.count, right.count)
                let order = common == 0 ? 0 : memcmp(left.baseAddress!, right.baseAddress!, common)
                return order == 0 ? left.count < right.count : order < 0
            }
        }
    }
}
