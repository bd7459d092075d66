/// The value of a `Content-Range` reply header: `bytes 0-9/100` (RFC 9110, 14.4).
package struct ContentRange: Sendable, Hashable {
    package var first: Int64
    package var last: Int64
    /// Size of the whole object; nil when the server wrote `*`.
    package var total: Int64?

    package init?(_ text: String) {
        guard text.hasPrefix("bytes ") else { return nil }
        let halves = text.dropFirst(6).split(separator: "/", omittingEmptySubsequences: false)
        guard halves.count == 2 else { return nil }
        let bounds = halves[0].split(separator: "-", omittingEmptySubsequences: false)
        guard bounds.count == 2, let first = Int64(bounds[0]), let last = Int64(bounds[1]), first >= 0, last >= first
        else { return nil }
        self.first = first
        self.last = last
        if halves[1] == "*" {
            total = nil
        } else {
            guard let size = Int64(halves[1]), size > last else { return nil }
            total = size
        }
    }
}
