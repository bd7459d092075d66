/// A blob's index tags, kept in its attributes as the `x-ms-tags` header writes them: `key=value&…`, percent-encoded.
struct AzureTags {
    private var items: [(key: String, value: String)]

    private static let attribute = "tags"
    static let maximumCount = 10

    var count: Int { items.count }

    /// Nil when the blob has none.
    init?(_ attributes: ObjectAttributes) {
        guard let text = attributes.extras[Self.attribute] else { return nil }
        items = Self.parse(text)
    }

    init(_ items: [(key: String, value: String)]) throws(AzureError) {
        self.items = items
        try check()
    }

    /// The tags of the `x-ms-tags` header; nil when it is absent.
    init?(_ request: AzureRequest) throws(AzureError) {
        guard let text = request.header("x-ms-tags") else { return nil }
        items = Self.parse(text)
        try check()
    }

    private static func parse(_ text: String) -> [(key: String, value: String)] {
        text.utf8.split(separator: UInt8(ascii: "&")).map { pair in
            let sides = pair.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
                .map { String(decoding: PercentCoding.decode($0, plusIsSpace: true), as: UTF8.self) }
            return (sides[0], sides.count == 2 ? sides[1] : "")
        }
    }

    private func check() throws(AzureError) {
        let invalid = AzureError(
            400, "InvalidTag",
            "The tags specified are invalid. They contain characters or lengths that are not permitted.")
        guard items.count <= Self.maximumCount, Set(items.map(\.key)).count == items.count else { throw invalid }
        for item in items {
            guard (1...128).contains(item.key.utf8.count), item.value.utf8.count <= 256,
                (item.key + item.value).utf8.allSatisfy(Self.isPermitted)
            else { throw invalid }
        }
    }

    private static func isPermitted(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: " +-./:=_".utf8.contains(byte)
        }
    }

    func store(in attributes: inout ObjectAttributes) {
        attributes.extras[Self.attribute] =
            items.isEmpty
            ? nil
            : items.map { "\(PercentCoding.encode($0.key.utf8))=\(PercentCoding.encode($0.value.utf8))" }.joined(
                separator: "&")
    }

    func append(to xml: inout AzureXML) {
        xml.open("Tags")
        xml.open("TagSet")
        for item in items {
            xml.open("Tag")
            xml.element("Key", item.key)
            xml.element("Value", item.value)
            xml.close("Tag")
        }
        xml.close("TagSet")
        xml.close("Tags")
    }
}
