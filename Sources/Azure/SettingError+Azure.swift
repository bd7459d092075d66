import Cryptography
import Digests
package import HTTPStores

extension SettingError {
    package static func mismatch(_ origin: String, _ other: String, _ account: String) -> SettingError {
        SettingError(
            message:
                "\(origin) is for account \(other), the location is in account \(account); set it for \(account), or keep the "
                + "settings of two accounts apart with a profile")
    }

    /// The bytes of an account key.
    static func key(_ text: String, origin: String) throws(SettingError) -> Secret {
        guard let bytes = Base64.decode(text.trimmed), !bytes.isEmpty else {
            throw SettingError(
                message: "\(origin) is not base64; copy the account key again, with its equals signs")
        }
        return Secret(bytes)
    }

    /// The query string of a shared access signature, without its question mark.
    static func sas(_ text: String, origin: String) throws(SettingError) -> Secret {
        var query = text.trimmed[...]
        while query.hasPrefix("?") || query.hasPrefix("&") { query.removeFirst() }
        let isQuery = query.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "#") }
        guard isQuery, query.split(separator: "&").contains(where: { $0.hasPrefix("sig=") }) else {
            throw SettingError(
                message: "\(origin) is no shared access signature: it must be a query string with sig=")
        }
        return Secret(query.utf8.map { $0 })
    }
}

extension StringProtocol {
    /// Without blanks at the ends.
    var trimmed: String {
        var rest = self[...]
        while let first = rest.first, first.isWhitespace { rest.removeFirst() }
        while let last = rest.last, last.isWhitespace { rest.removeLast() }
        return String(rest)
    }
}
