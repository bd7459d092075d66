/// A request of the Blob service taken apart: account, container, blob, query and headers.
///
/// Made from an HTTP request and from the parts of a batch, so it knows nothing of connections.
struct AzureRequest {
    let method: String
    /// The path exactly as it was sent: what the signature covers.
    let rawPath: String
    /// Decoded parameters in the order given, names in lower case.
    let query: [(name: String, value: String)]
    /// Headers in the order given, names in lower case, values trimmed.
    let headers: [(name: String, value: String)]
    /// `x-ms-meta-` headers in the order given, names without the prefix and in the case they came in.
    let metadata: [MetadataItem]

    let account: String
    let container: String?
    let blob: ObjectName?

    private static let maximumQueryParameters = 100
    private static let metadataPrefix = "x-ms-meta-"

    /// - Parameters:
    ///   - target: path and query as in the request line.
    ///   - headers: names in any case.
    ///   - batchAccount: the account of the batch that this request is a part of; its path may leave the account out.
    init(
        method: String, target: String, headers: some Sequence<(name: String, value: String)>,
        batchAccount: String? = nil
    ) throws(AzureError) {
        self.method = method
        var known: [(name: String, value: String)] = []
        known.reserveCapacity(headers.underestimatedCount)
        var metadata: [MetadataItem] = []
        for header in headers {
            let name = header.name.lowercased()
            known.append((name, header.value))
            if name.hasPrefix(Self.metadataPrefix) {
                metadata.append(MetadataItem(String(header.name.dropFirst(Self.metadataPrefix.count)), header.value))
            }
        }
        self.headers = known
        self.metadata = metadata
        let parts = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        rawPath = String(parts[0])
        query = try Self.parse(query: parts.count == 2 ? parts[1] : "")

        guard rawPath.utf8.first == UInt8(ascii: "/") else { throw .invalidURI }
        var segments = rawPath.utf8.dropFirst().split(
            separator: UInt8(ascii: "/"), maxSplits: 2, omittingEmptySubsequences: false)
        if let batchAccount, segments.first.map({ !$0.elementsEqual(batchAccount.utf8) }) ?? true {
            segments = rawPath.utf8.dropFirst().split(
                separator: UInt8(ascii: "/"), maxSplits: 1, omittingEmptySubsequences: false)
            account = batchAccount
        } else {
            account = String(decoding: segments.removeFirst(), as: UTF8.self)
        }
        let first = segments.first.map { PercentCoding.decode($0) } ?? []
        container = first.isEmpty ? nil : String(decoding: first, as: UTF8.self)
        let rest = segments.count > 1 ? PercentCoding.decode(segments[1]) : []
        blob = rest.isEmpty || container == nil ? nil : ObjectName(rest)
    }

    private static func parse(query text: Substring) throws(AzureError) -> [(name: String, value: String)] {
        guard !text.isEmpty else { return [] }
        var result: [(name: String, value: String)] = []
        for pair in text.utf8.split(separator: UInt8(ascii: "&")) {
            guard result.count < maximumQueryParameters else { throw .invalidURI }
            let sides = pair.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
            let name = String(decoding: PercentCoding.decode(sides[0], plusIsSpace: true), as: UTF8.self).lowercased()
            let value = sides.count == 2 ? PercentCoding.decode(sides[1], plusIsSpace: true) : []
            result.append((name, String(decoding: value, as: UTF8.self)))
        }
        return result
    }

    /// The value of a header by its lower-case name; an empty value counts as absent.
    func header(_ name: String) -> String? {
        for header in headers where header.name == name { return header.value.isEmpty ? nil : header.value }
        return nil
    }

    /// The value of a query parameter by its lower-case name.
    func parameter(_ name: String) -> String? {
        for parameter in query where parameter.name == name { return parameter.value }
        return nil
    }

    /// Whether a header says `true` (in any case); any text but `true` and `false` is an error.
    func flag(_ name: String) throws(AzureError) -> Bool {
        guard let value = header(name) else { return false }
        switch value.lowercased() {
        case "true": return true
        case "false": return false
        default: throw .invalidHeader(name, value)
        }
    }

    /// The version of the service whose rules apply: the header, or the version of the SAS, or the newest.
    var version: String { header("x-ms-version") ?? parameter("sv") ?? AzureVersion.newest }
}
