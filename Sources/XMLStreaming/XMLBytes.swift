/// A name, a text or a value in a document, as UTF-8, borrowed from the parser during one call.
///
/// It compares with literals byte by byte, so that names need no strings: `switch name { case "Key": … }`.
package struct XMLBytes: Equatable, ExpressibleByStringLiteral {
    package let raw: UnsafeRawBufferPointer

    init(_ raw: UnsafeRawBufferPointer) {
        self.raw = raw
    }

    package init(stringLiteral literal: StaticString) {
        raw = UnsafeRawBufferPointer(start: literal.utf8Start, count: literal.utf8CodeUnitCount)
    }

    package static func == (a: XMLBytes, b: XMLBytes) -> Bool {
        a.raw.count == b.raw.count && a.raw.elementsEqual(b.raw)
    }

    package var isEmpty: Bool { raw.isEmpty }

    /// A copy. The parser lets valid UTF-8 through only.
    package var string: String { String(decoding: raw, as: UTF8.self) }

    /// A copy.
    package var array: [UInt8] { Array(raw) }

    /// The decimal number that the text is, or nil where it is anything else: a sign other than minus, spaces, too great.
    package var integer: Int64? {
        var digits = raw[...]
        let isNegative = digits.first == UInt8(ascii: "-")
        if isNegative { digits = digits.dropFirst() }
        guard !digits.isEmpty else { return nil }
        var value: Int64 = 0
        for digit in digits {
            guard digit >= UInt8(ascii: "0"), digit <= UInt8(ascii: "9") else { return nil }
            let (shifted, isTooGreat) = value.multipliedReportingOverflow(by: 10)
            let (next, isStillTooGreat) = shifted.subtractingReportingOverflow(Int64(digit - UInt8(ascii: "0")))
            guard !isTooGreat, !isStillTooGreat else { return nil }
            value = next
        }
        // Summed up below zero, where there is one number more.
        return isNegative ? value : value == .min ? nil : -value
    }
}

extension XMLBytes: CustomStringConvertible {
    package var description: String { string }
}
