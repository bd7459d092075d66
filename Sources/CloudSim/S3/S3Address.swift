import NIOHTTP1

/// The bucket and key of a request, from its path or from its Host header.
struct S3Address {
    var bucket: String?
    var key: ObjectName?

    /// Host suffixes behind which the bucket's name stands (virtual-hosted style).
    private static let suffixes = [".s3.localhost", ".localhost", ".127.0.0.1.nip.io"]

    init(_ request: Request) {
        let path = request.rawPath.utf8.dropFirst()
        if let host = request.header("host"), let bucket = Self.bucket(inHost: host) {
            self.bucket = bucket
            key = path.isEmpty ? nil : ObjectName(PercentCoding.decode(path))
            return
        }
        guard !path.isEmpty else { return }
        let slash = path.firstIndex(of: UInt8(ascii: "/"))
        bucket = String(decoding: PercentCoding.decode(path[..<(slash ?? path.endIndex)]), as: UTF8.self)
        if let slash {
            let rest = path[path.index(after: slash)...]
            key = rest.isEmpty ? nil : ObjectName(PercentCoding.decode(rest))
        }
    }

    private static func bucket(inHost host: String) -> String? {
        let name = host.utf8.prefix { $0 != UInt8(ascii: ":") }
        // A plain address, as nearly all requests have it, is settled by its last byte.
        guard let last = name.last, last == UInt8(ascii: "t") || last == UInt8(ascii: "o") else { return nil }
        for suffix in suffixes
        where name.count > suffix.utf8.count && name.suffix(suffix.utf8.count).elementsEqual(suffix.utf8) {
            let bucket = String(Substring(name.dropLast(suffix.utf8.count)))
            return bucket == "s3" ? nil : bucket
        }
        return nil
    }
}
