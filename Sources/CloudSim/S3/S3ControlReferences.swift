/// References to control characters, which XML 1.0 does not have and the service takes in keys nonetheless.
///
/// The parser refuses `&#x1;`, so the document is rewritten before: each reference becomes a character of the last
/// private plane, and the text that comes out is rewritten back.
enum S3ControlReferences {
    private static let base: UInt32 = 0x10FF00

    /// The document with a stand-in for every reference to a control character that the parser would refuse.
    static func hiding(_ document: [UInt8]) -> [UInt8] {
        var output: [UInt8] = []
        output.reserveCapacity(document.count)
        var index = 0
        while index < document.count {
            if document[index] == UInt8(ascii: "&"), let (value, end) = reference(document, index),
                value < 0x20, value != 0x09, value != 0x0A, value != 0x0D, value != 0
            {
                output += String(Unicode.Scalar(base + value)!).utf8
                index = end
            } else {
                output.append(document[index])
                index += 1
            }
        }
        return output
    }

    /// The text that was meant.
    static func revealing(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: { $0.value >= base && $0.value < base + 0x20 }) else { return text }
        var output = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            let isHidden = scalar.value >= base && scalar.value < base + 0x20
            output.append(isHidden ? Unicode.Scalar(scalar.value - base)! : scalar)
        }
        return String(output)
    }

    /// The number of a `&#N;` or `&#xN;` that starts at `index`, and where it ends.
    private static func reference(_ document: [UInt8], _ index: Int) -> (value: UInt32, end: Int)? {
        guard index + 1 < document.count, document[index + 1] == UInt8(ascii: "#"),
            let semicolon = document[index..<min(document.count, index + 10)].firstIndex(of: UInt8(ascii: ";"))
        else { return nil }
        let digits = String(decoding: document[(index + 2)..<semicolon], as: UTF8.self)
        let isHex = digits.first == "x"
        guard let value = UInt32(isHex ? digits.dropFirst() : digits[...], radix: isHex ? 16 : 10) else { return nil }
        return (value, semicolon + 1)
    }
}
