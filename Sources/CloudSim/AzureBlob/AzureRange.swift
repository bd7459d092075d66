/// The range a read asks for, resolved against the blob's size.
struct AzureRange: Equatable {
    var bytes: Range<Int>

    /// `x-ms-range` wins over `Range`. Nil when neither is present or neither is of the form `bytes=A-[B]`: the service
    /// knows no suffix ranges and answers with the whole blob.
    init?(_ request: AzureRequest, size: Int) throws(AzureError) {
        guard let value = request.header("x-ms-range") ?? request.header("range"),
            let parsed = Self.parse(value)
        else { return nil }
        guard parsed.first < size else { throw .invalidRange }
        bytes = parsed.first..<min(size, parsed.last.map { $0 + 1 } ?? size)
    }

    /// A range of a copy source, which must lie within the source.
    init(source value: String, size: Int) throws(AzureError) {
        guard let parsed = Self.parse(value) else { throw .invalidHeader("x-ms-source-range", value) }
        let end = parsed.last.map { $0 + 1 } ?? size
        guard parsed.first < size, end <= size else { throw .invalidRange }
        bytes = parsed.first..<end
    }

    private static func parse(_ value: String) -> (first: Int, last: Int?)? {
        guard value.hasPrefix("bytes=") else { return nil }
        let bounds = value.dropFirst(6).split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        guard bounds.count == 2, let first = Int(bounds[0]), first >= 0 else { return nil }
        if bounds[1].isEmpty { return (first, nil) }
        guard let last = Int(bounds[1]), last >= first, last < Int.max else { return nil }
        return (first, last)
    }

    func header(size: Int) -> String { "bytes \(bytes.lowerBound)-\(bytes.upperBound - 1)/\(size)" }
}
