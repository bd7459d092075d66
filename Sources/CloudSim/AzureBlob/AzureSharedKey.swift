/// The string that a SharedKey signature is made over, as the service builds it from the request it received.
///
/// Written from the published description, independently of the engine's signer.
enum AzureSharedKey {
    private static let signedHeaders = [
        "content-encoding", "content-language", "content-length", "content-md5", "content-type", "date",
        "if-modified-since", "if-match", "if-none-match", "if-unmodified-since", "range",
    ]

    static func stringToSign(_ request: AzureRequest) -> [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(768)
        func line(_ value: String) {
            text.append(contentsOf: value.utf8)
            text.append(UInt8(ascii: "\n"))
        }
        line(request.method)
        let usesOwnDate = request.header("x-ms-date") != nil
        for name in signedHeaders {
            let value = request.header(name) ?? ""
            switch name {
            case "content-length" where value == "0": line("")
            case "date" where usesOwnDate: line("")
            default: line(value)
            }
        }
        for (name, value) in canonicalHeaders(request) {
            text.append(contentsOf: name.utf8)
            text.append(UInt8(ascii: ":"))
            line(value)
        }
        text.append(UInt8(ascii: "/"))
        text.append(contentsOf: request.account.utf8)
        text.append(contentsOf: request.rawPath.utf8)
        for (name, value) in canonicalQuery(request) {
            text.append(UInt8(ascii: "\n"))
            text.append(contentsOf: name.utf8)
            text.append(UInt8(ascii: ":"))
            text.append(contentsOf: value.utf8)
        }
        return text
    }

    private static func canonicalHeaders(_ request: AzureRequest) -> [(name: String, value: String)] {
        var headers = request.headers.filter { $0.name.hasPrefix("x-ms-") }
        headers.sort { AzureHeaderOrder.precedes($0.name, $1.name) }
        return merged(headers)
    }

    private static func canonicalQuery(_ request: AzureRequest) -> [(name: String, value: String)] {
        guard !request.query.isEmpty else { return [] }
        return merged(request.query.sorted { ($0.name, $0.value) < ($1.name, $1.value) })
    }

    /// Neighbours of one name become one entry, values joined by commas.
    private static func merged(_ sorted: [(name: String, value: String)]) -> [(name: String, value: String)] {
        var result: [(name: String, value: String)] = []
        result.reserveCapacity(sorted.count)
        for entry in sorted {
            if let last = result.last, last.name == entry.name {
                result[result.count - 1].value = last.value + "," + entry.value
            } else {
                result.append(entry)
            }
        }
        return result
    }
}
