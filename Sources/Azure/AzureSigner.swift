package import Cryptography
import Digests
package import HTTPTransport

/// SharedKey authorisation: a pure function from a request to the value of its Authorization header.
///
/// Source: Azure Storage REST reference, authorize with Shared Key.
package enum AzureSigner {
    /// What a signature covers of a request.
    package struct Input {
        package var method: HTTPMethod
        package var account: String
        /// Percent-encoded, as it is sent; path-style endpoints have the account in it once more.
        package var path: String
        package var query: AzureQuery
        /// Of these the conditions, the content headers and everything that starts with `x-ms-` are signed.
        package var headers: HTTPHeaders
        package var contentLength: Int

        package init(
            method: HTTPMethod, account: String, path: String, query: AzureQuery, headers: HTTPHeaders,
            contentLength: Int = 0
        ) {
            self.method = method
            self.account = account
            self.path = path
            self.query = query
            self.headers = headers
            self.contentLength = contentLength
        }
    }

    package static func authorization(_ input: Input, key: Secret) -> String {
        let signature = HMACSHA256.authenticate(key: key, message: stringToSign(input))
        return "SharedKey \(input.account):\(Base64.encode(signature))"
    }

    /// Headers of the first lines in their order, without Content-Length, which stands after the second.
    private static let lines = [
        "content-encoding", "content-language", "content-md5", "content-type", "date", "if-modified-since", "if-match",
        "if-none-match", "if-unmodified-since", "range",
    ]

    package static func stringToSign(_ input: Input) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(1024)
        func line(_ text: String) {
            bytes.append(contentsOf: text.utf8)
            bytes.append(newline)
        }
        var plain: [HTTPHeaders.Field] = []
        var canonical: [HTTPHeaders.Field] = []
        canonical.reserveCapacity(input.headers.fields.count)
        for field in input.headers.fields {
            if field.name.hasPrefix("x-ms-") { canonical.append(field) } else { plain.append(field) }
        }
        line(input.method.rawValue)
        for (index, name) in lines.enumerated() {
            if index == 2 { line(input.contentLength == 0 ? "" : String(input.contentLength)) }
            line(plain.first { $0.name == name }?.value ?? "")
        }
        canonical.sort { precedes($0.name, $1.name) }
        for field in canonical {
            bytes.append(contentsOf: field.name.utf8)
            bytes.append(UInt8(ascii: ":"))
            line(field.value)
        }
        bytes.append(UInt8(ascii: "/"))
        bytes.append(contentsOf: input.account.utf8)
        bytes.append(contentsOf: input.path.utf8)
        for (name, value) in input.query.items {
            bytes.append(newline)
            bytes.append(contentsOf: name.utf8)
            bytes.append(UInt8(ascii: ":"))
            bytes.append(contentsOf: value.utf8)
        }
        return bytes
    }

    /// Whether the service sorts header name `a` before `b`: by a culture's rules, in which `_` comes before digits and
    /// digits before letters, and a hyphen counts only where nothing else differs. For lower-case letters, digits, `_`
    /// and `-`.
    package static func precedes(_ a: String, _ b: String) -> Bool {
        var left = a.utf8.makeIterator()
        var right = b.utf8.makeIterator()
        while true {
            let x = nextWeight(&left)
            let y = nextWeight(&right)
            if x != y { return x < y }
            if x == 0 { break }
        }
        for (x, y) in zip(a.utf8, b.utf8) where x != y { return y == hyphen }
        return a.utf8.count < b.utf8.count
    }

    /// 0 at the end, so that a name sorts before those it is a prefix of.
    private static func nextWeight(_ bytes: inout String.UTF8View.Iterator) -> UInt8 {
        while let byte = bytes.next() {
            if byte == hyphen { continue }
            return byte == UInt8(ascii: "_") ? UInt8(ascii: "0") - 1 : byte
        }
        return 0
    }

    private static let newline = UInt8(ascii: "\n")
    private static let hyphen = UInt8(ascii: "-")
}
