/// Names of buckets and containers become parts of URLs: what a service does not take there is refused before anything is sent.
package enum ContainerName {
    /// - Parameters:
    ///   - length: in bytes.
    ///   - rule: what a name must be, for people. The name itself is not quoted: a signature may have been pasted behind it.
    package static func check(
        _ name: String, length: ClosedRange<Int>, rule: String, _ isAllowed: (UInt8) -> Bool
    ) throws(SettingError) {
        guard !name.utf8.contains(UInt8(ascii: "?")) else {
            throw SettingError(
                "location", message: "a location has no query: what authorises requests belongs into the identity")
        }
        guard length.contains(name.utf8.count), name.utf8.allSatisfy(isAllowed), name != ".", name != ".." else {
            throw SettingError("location", message: rule)
        }
    }

    package static func isLowercaseOrDigit(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
        default: false
        }
    }

    package static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        isLowercaseOrDigit(byte) || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
    }
}
