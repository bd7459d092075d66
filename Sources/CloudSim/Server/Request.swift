package import NIOHTTP1

/// The head of a request, with its URL taken apart but not interpreted.
package struct Request: Sendable {
    package let method: String
    /// As on the wire, still percent-encoded; query included.
    package let uri: String
    /// The path as on the wire.
    package let rawPath: Substring
    /// The query as on the wire, without the question mark.
    package let rawQuery: Substring
    /// Without what faults removed.
    package var headers: HTTPHeaders
    /// As received: what signatures cover.
    package let receivedHeaders: HTTPHeaders
    /// A fault takes the checksums that come with the body for true.
    package var believesChecksums = false
    /// Parameters in their order, names and values decoded; a name without `=` has an empty value.
    package var query: [(name: String, value: String)]

    package init(_ head: HTTPRequestHead) {
        method = head.method.rawValue
        // Proxies and a few clients send the absolute form.
        var target = head.uri
        if target.utf8.first != UInt8(ascii: "/"), let scheme = target.range(ofScheme: "://") {
            target = String(target[scheme...].drop { $0 != "/" })
        }
        uri = target
        headers = head.headers
        receivedHeaders = head.headers
        if let mark = target.utf8.firstIndex(of: UInt8(ascii: "?")) {
            rawPath = target[..<mark]
            rawQuery = target[target.utf8.index(after: mark)...]
        } else {
            rawPath = target[...]
            rawQuery = ""
        }
        query = rawQuery.isEmpty ? [] : Self.parse(rawQuery)
    }

    private static func parse(_ text: Substring) -> [(name: String, value: String)] {
        text.utf8.split(separator: UInt8(ascii: "&")).map { item in
            let parts = item.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
            let name = String(decoding: PercentCoding.decode(parts[0], plusIsSpace: true), as: UTF8.self)
            let value =
                parts.count == 2
                ? String(decoding: PercentCoding.decode(parts[1], plusIsSpace: true), as: UTF8.self) : ""
            return (name, value)
        }
    }

    /// The first value of a query parameter, or nil when it is absent.
    package func queryValue(_ name: String) -> String? {
        query.first { $0.name == name }?.value
    }

    package func hasQuery(_ name: String) -> Bool {
        query.contains { $0.name == name }
    }

    /// The first value of a header, or nil when it is absent.
    package func header(_ name: String) -> String? {
        headers.first(name: name)
    }

    package var contentLength: Int? {
        header("content-length").flatMap { Int($0) }
    }

    package var expectsContinue: Bool {
        header("expect").map { $0.lowercased() == "100-continue" } ?? false
    }

    /// The decoded bytes of the path.
    package var path: [UInt8] { PercentCoding.decode(rawPath.utf8) }
}

extension String {
    /// The index behind `separator`, or nil when it does not occur before a slash.
    fileprivate func range(ofScheme separator: String) -> String.Index? {
        guard let colon = firstIndex(of: ":"), self[colon...].hasPrefix(separator) else { return nil }
        return index(colon, offsetBy: separator.count)
    }
}
