import NIOCore
import NIOHTTP1

/// The `multipart/mixed` body of a batch (RFC 2046) whose parts are HTTP requests.
enum AzureBatchBody {
    struct Part {
        var id: String?
        var method: String
        var target: String
        var headers: [(name: String, value: String)]
    }

    /// The `boundary` parameter of a `multipart/mixed` content type.
    static func boundary(_ contentType: String) -> String? {
        let fields = contentType.split(separator: ";").map { $0.drop { $0 == " " } }
        guard let kind = fields.first, kind.lowercased() == "multipart/mixed" else { return nil }
        guard let field = fields.dropFirst().first(where: { $0.lowercased().hasPrefix("boundary=") }) else {
            return nil
        }
        let value = field.dropFirst(9)
        let bare =
            value.hasPrefix("\"") && value.hasSuffix("\"") && value.count >= 2 ? value.dropFirst().dropLast() : value
        return bare.isEmpty || bare.utf8.count > 70 ? nil : String(bare)
    }

    /// - Throws: `AzureError.invalidInput` for a body that is none of this form.
    static func parse(_ body: ByteBuffer, boundary: String) throws(AzureError) -> [Part] {
        let delimiter = Array("--\(boundary)".utf8)
        var parts: [[ArraySlice<UInt8>]] = []
        var current: [ArraySlice<UInt8>]?
        var isEnded = false
        // By bytes: to `String`, a carriage return and a line feed are one character.
        for line in Array(body.readableBytesView).split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        {
            let line = line.last == UInt8(ascii: "\r") ? line.dropLast() : line
            if line.starts(with: delimiter), line.dropFirst(delimiter.count).allSatisfy({ $0 == UInt8(ascii: "-") }) {
                if let current { parts.append(current) }
                isEnded = line.count > delimiter.count
                if isEnded { break }
                current = []
            } else {
                current?.append(line)
            }
        }
        guard isEnded else { throw .invalidInput }
        var result: [Part] = []
        for lines in parts { result.append(try part(lines)) }
        return result
    }

    /// MIME headers, an empty line, a request line, headers, an empty line.
    private static func part(_ lines: [ArraySlice<UInt8>]) throws(AzureError) -> Part {
        let groups = lines.split(omittingEmptySubsequences: true) { $0.isEmpty }
        guard groups.count >= 2, let requestLine = groups[1].first else { throw .invalidInput }
        let mime = try headers(groups[0])
        guard mime.first(where: { $0.name.lowercased() == "content-type" })?.value.lowercased() == "application/http"
        else {
            throw .invalidInput
        }
        let words = requestLine.split(separator: UInt8(ascii: " ")).map { String(decoding: $0, as: UTF8.self) }
        guard words.count == 3, words[2].hasPrefix("HTTP/1.") else { throw .invalidInput }
        return Part(
            id: mime.first { $0.name.lowercased() == "content-id" }?.value, method: words[0], target: words[1],
            headers: try headers(groups[1].dropFirst()))
    }

    private static func headers(
        _ lines: ArraySlice<ArraySlice<UInt8>>
    ) throws(AzureError) -> [(name: String, value: String)] {
        var result: [(name: String, value: String)] = []
        for line in lines {
            guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { throw .invalidInput }
            let value = line[(colon + 1)...].drop { $0 == UInt8(ascii: " ") }
            result.append((String(decoding: line[..<colon], as: UTF8.self), String(decoding: value, as: UTF8.self)))
        }
        return result
    }

    static func append(_ response: Response, id: String?, boundary: String, to body: inout ByteBuffer) {
        body.writeString("--\(boundary)\r\nContent-Type: application/http\r\n")
        if let id { body.writeString("Content-ID: \(id)\r\n") }
        body.writeString("\r\nHTTP/1.1 \(response.status.code) \(response.status.reasonPhrase)\r\n")
        for header in response.headers { body.writeString("\(header.name): \(header.value)\r\n") }
        body.writeString("Content-Length: \(response.body.count)\r\n\r\n")
        for case .memory(var segment) in response.body.segments { body.writeBuffer(&segment) }
        body.writeString("\r\n")
    }
}
