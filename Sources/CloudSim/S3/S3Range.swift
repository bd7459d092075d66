/// The Range header: one range of bytes, as the service supports it.
enum S3Range {
    /// The bytes asked for; nil for the whole object (no header, several ranges, other units: all ignored).
    static func parse(_ header: String?, size: Int) throws(S3Error) -> Range<Int>? {
        guard let header, header.hasPrefix("bytes=") else { return nil }
        let text = header.dropFirst(6)
        guard !text.contains(",") else { return nil }
        let bounds = text.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        guard bounds.count == 2 else { return nil }
        let failure = S3Error(
            416, "InvalidRange", "The requested range is not satisfiable",
            fields: [("RangeRequested", header), ("ActualObjectSize", String(size))],
            headers: [("Content-Range", "bytes */\(size)")])
        if bounds[0].isEmpty {
            guard let count = Int(bounds[1]) else { return nil }
            guard count > 0, size > 0 else { throw failure }
            return max(0, size - count)..<size
        }
        guard let first = Int(bounds[0]) else { return nil }
        guard first < size else { throw failure }
        if bounds[1].isEmpty { return first..<size }
        guard let last = Int(bounds[1]), last >= first else { return nil }
        return first..<min(last, size - 1) + 1
    }
}
