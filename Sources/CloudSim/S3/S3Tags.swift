import NIOCore
import XMLStreaming

/// An object's tags; kept as the query string that `x-amz-tagging` uses.
struct S3Tags {
    private static let maximum = 10

    var items: [(key: String, value: String)]

    init(query: String) throws(S3Error) {
        items = query.split(separator: "&").map { item in
            let parts = item.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            func decode(_ text: Substring) -> String {
                String(decoding: PercentCoding.decode(text.utf8, plusIsSpace: true), as: UTF8.self)
            }
            return (decode(parts[0]), parts.count == 2 ? decode(parts[1]) : "")
        }
        try check()
    }

    init(xml body: ByteBuffer) throws(S3Error) {
        guard let root = try? body.withUnsafeReadableBytes({ try XMLElement.parse($0) }), root.name == "Tagging",
            let set = root.child("TagSet")
        else { throw .malformedXML }
        items = set.children("Tag").map { ($0.child("Key")?.text ?? "", $0.child("Value")?.text ?? "") }
        try check()
    }

    private func check() throws(S3Error) {
        guard items.count <= Self.maximum else {
            throw S3Error(400, "BadRequest", "Object tags cannot be greater than \(Self.maximum)")
        }
        guard Set(items.map(\.key)).count == items.count,
            items.allSatisfy({ !$0.key.isEmpty && $0.key.count <= 128 && $0.value.count <= 256 })
        else { throw S3Error(400, "InvalidTag", "The TagKey or TagValue you have provided is invalid") }
    }

    var query: String {
        items.map { PercentCoding.encode($0.key.utf8) + "=" + PercentCoding.encode($0.value.utf8) }.joined(
            separator: "&")
    }
}
