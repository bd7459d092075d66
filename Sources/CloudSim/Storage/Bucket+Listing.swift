/// What a listing asks for; all bounds are key bytes.
package struct ListQuery: Sendable {
    package var prefix = ObjectName("")
    /// Keys that share the text up to the delimiter's first occurrence after the prefix are one entry.
    package var delimiter: [UInt8]?
    /// First key or prefix that may appear (inclusive).
    package var start: ObjectName?
    /// First key that may not appear (exclusive).
    package var end: ObjectName?
    package var limit = 1000

    package init() {}

    /// Starts behind `name`, as S3's start-after does.
    package mutating func startAfter(_ name: ObjectName) {
        start = ObjectName(name.bytes + [0])
    }
}

package enum ListEntry {
    case object(StoredObject)
    case prefix(ObjectName)

    package var name: ObjectName {
        switch self {
        case .object(let object): object.name
        case .prefix(let name): name
        }
    }
}

/// A page of a listing: objects and common prefixes in byte order.
package struct ListPage {
    package var entries: [ListEntry] = []
    /// Where the next page starts (inclusive); nil when this is the last one. Encode it into the cloud's token.
    package var next: ObjectName?

    package init() {}

    package var objects: [StoredObject] {
        entries.compactMap { if case .object(let object) = $0 { object } else { nil } }
    }

    package var prefixes: [ObjectName] {
        entries.compactMap { if case .prefix(let name) = $0 { name } else { nil } }
    }
}

extension Bucket {
    /// One page. Front ends call `Exchange.list`, which adds the listing faults.
    package func list(_ query: ListQuery) -> ListPage {
        var page = ListPage()
        guard query.limit > 0 else { return page }
        let prefixEnd = query.prefix.afterPrefix
        let lower = max(query.start ?? query.prefix, query.prefix)
        var position = objects.lowerBound(lower)
        while let entry = objects.entry(at: position) {
            guard entry.name.hasPrefix(query.prefix), prefixEnd.map({ entry.name < $0 }) ?? true,
                query.end.map({ entry.name < $0 }) ?? true
            else { break }
            if page.entries.count == query.limit {
                page.next = page.entries.last.flatMap(Self.successor) ?? entry.name
                break
            }
            if let common = query.delimiter.flatMap({ commonPrefix(of: entry.name, query.prefix, $0) }) {
                page.entries.append(.prefix(common))
                guard let after = common.afterPrefix else { break }
                position = objects.lowerBound(after)
            } else {
                page.entries.append(.object(entry.value))
                objects.advance(&position)
            }
        }
        return page
    }

    /// The first name that can follow `entry` in a listing.
    private static func successor(_ entry: ListEntry) -> ObjectName? {
        switch entry {
        case .object(let object): ObjectName(object.name.bytes + [0])
        case .prefix(let name): name.afterPrefix
        }
    }

    private func commonPrefix(of name: ObjectName, _ prefix: ObjectName, _ delimiter: [UInt8]) -> ObjectName? {
        guard let first = delimiter.first else { return nil }
        let bytes = name.bytes
        var index = prefix.bytes.count
        while index + delimiter.count <= bytes.count {
            if bytes[index] == first, bytes[index...].starts(with: delimiter) {
                return ObjectName(Array(bytes[..<(index + delimiter.count)]))
            }
            index += 1
        }
        return nil
    }
}
