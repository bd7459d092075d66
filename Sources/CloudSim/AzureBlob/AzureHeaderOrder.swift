/// The order in which the service sorts `x-ms-` header names before it signs them.
///
/// It is a culture's order, not that of bytes: punctuation comes before digits, digits before letters, and a hyphen
/// counts only when nothing else differs. `x-ms-meta-a_b` therefore sorts before `x-ms-meta-a1`.
enum AzureHeaderOrder {
    /// Every character a header name may have (RFC 9110, 5.6.2), by primary weight; a hyphen and an apostrophe have none.
    private static let weights: [UInt8] = {
        var table = [UInt8](repeating: 0, count: 256)
        for (index, byte) in "!#$%&*.^_`|~+0123456789abcdefghijklmnopqrstuvwxyz".utf8.enumerated() {
            table[Int(byte)] = UInt8(index + 1)
        }
        return table
    }()

    /// Whether the lower-case name `a` sorts before the lower-case name `b`.
    static func precedes(_ a: String, _ b: String) -> Bool {
        let left = a.utf8
        let right = b.utf8
        var i = left.startIndex
        var j = right.startIndex
        while true {
            while i < left.endIndex, weights[Int(left[i])] == 0 { i = left.index(after: i) }
            while j < right.endIndex, weights[Int(right[j])] == 0 { j = right.index(after: j) }
            if i == left.endIndex || j == right.endIndex { break }
            let (x, y) = (weights[Int(left[i])], weights[Int(right[j])])
            if x != y { return x < y }
            i = left.index(after: i)
            j = right.index(after: j)
        }
        if i < left.endIndex || j < right.endIndex { return i == left.endIndex }
        return precedesByHyphens(left, right)
    }

    /// Names that differ in their hyphens only: the one whose next hyphen comes first sorts last.
    private static func precedesByHyphens(_ left: String.UTF8View, _ right: String.UTF8View) -> Bool {
        for (x, y) in zip(left, right) where (weights[Int(x)] == 0) != (weights[Int(y)] == 0) {
            return weights[Int(y)] == 0
        }
        return left.count < right.count
    }
}
