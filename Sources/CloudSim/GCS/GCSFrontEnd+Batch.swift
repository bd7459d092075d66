import Digests
import NIOCore
import NIOHTTP1

extension GCSFrontEnd {
    /// `multipart/mixed` of complete requests, answered in their order; each has its own status.
    func batch(_ call: GCSCall, body: [UInt8]) throws -> Response {
        guard let boundary = GCSMultipart.boundary(of: call.request.header("content-type") ?? "", "multipart/mixed")
        else { throw GCSError.invalid("A batch is multipart/mixed with a boundary.") }
        let calls = try GCSBatchPart.parse(body, boundary: boundary)
        guard calls.count <= GCSLimits.batchCalls else {
            throw GCSError.invalid("The batch request could not be processed: at most \(GCSLimits.batchCalls) calls.")
        }
        let mark = "batch_" + Hex.encode(storage.randomBytes(16))
        let fault = call.exchange?.fault(.errorIn200).map { rule in
            GCSError.ofStatus(rule.status ?? 500, rule.code, rule.message).response(to: call)
        }
        var output = ByteBuffer()
        for part in calls {
            output.writeString("--\(mark)\r\nContent-Type: application/http\r\n")
            if let id = part.contentID { output.writeString("Content-ID: \(Self.responseID(id))\r\n") }
            output.writeString("\r\n")
            try write(fault ?? answer(part, in: call), to: &output)
        }
        output.writeString("--\(mark)--")
        return Response(.ok, contentType: "multipart/mixed; boundary=\(mark)", bytes: output)
    }

    private func answer(_ part: GCSBatchPart, in batch: GCSCall) -> Response {
        guard part.hasRequest else { return GCSError.invalid("Failed to parse batch request.").response(to: batch) }
        var head = HTTPRequestHead(version: .http1_1, method: .RAW(value: part.method), uri: part.uri)
        for (name, value) in part.headers { head.headers.add(name: name, value: value) }
        // A call without credentials of its own has those of the batch.
        if !head.headers.contains(name: "authorization"), let own = batch.request.header("authorization") {
            head.headers.add(name: "authorization", value: own)
        }
        let call = GCSCall(partOf: batch, Request(head))
        do {
            guard call.route.api == .json else { throw GCSError.notFoundPath }
            if case .getMedia = call.route.action { throw GCSError.invalid("A batch cannot read or write media.") }
            try access.check(call)
            return try answer(call, body: part.body)
        } catch {
            return refusal(error, call)
        }
    }

    private func write(_ response: Response, to output: inout ByteBuffer) throws {
        output.writeString("HTTP/1.1 \(response.status.code) \(response.status.reasonPhrase)\r\n")
        for (name, value) in response.headers { output.writeString("\(name): \(value)\r\n") }
        output.writeString("Content-Length: \(response.body.count)\r\n\r\n")
        var body = try response.body.collected()
        output.writeBuffer(&body)
        output.writeString("\r\n")
    }

    /// `<x>` is answered as `<response-x>`.
    private static func responseID(_ id: String) -> String {
        id.hasPrefix("<") ? "<response-" + id.dropFirst() : "response-" + id
    }
}

/// One request in a batch. Lines may end in CRLF or in a bare LF.
struct GCSBatchPart {
    var contentID: String?
    var method = ""
    var uri = ""
    var headers: [(name: String, value: String)] = []
    var body: [UInt8] = []

    var hasRequest: Bool { !method.isEmpty && !uri.isEmpty }

    static func parse(_ bytes: [UInt8], boundary: String) throws -> [GCSBatchPart] {
        let separator = Array("--\(boundary)".utf8)
        let closing = separator + Array("--".utf8)
        var parts: [GCSBatchPart] = []
        var lines: [ArraySlice<UInt8>]?
        for line in bytes.split(separator: 10, omittingEmptySubsequences: false) {
            let text = line.last == 13 ? line.dropLast() : line
            if text.elementsEqual(separator) || text.elementsEqual(closing) {
                if let lines { parts.append(GCSBatchPart(lines)) }
                guard parts.count <= 10 * GCSLimits.batchCalls else { break }
                if text.elementsEqual(closing) { return parts }
                lines = []
            } else {
                lines?.append(text)
            }
        }
        throw GCSError.invalid("Failed to parse batch request: the closing boundary is missing.")
    }

    private init(_ lines: [ArraySlice<UInt8>]) {
        var rest = lines[...]
        for (name, value) in Self.headers(&rest) where name.lowercased() == "content-id" { contentID = value }
        guard let requestLine = rest.popFirst() else { return }
        let words = String(decoding: requestLine, as: UTF8.self).split(separator: " ")
        guard words.count >= 2 else { return }
        method = String(words[0])
        uri = String(words[1])
        headers = Self.headers(&rest)
        body = Array(rest.joined(separator: [10]))
        // Line breaks behind the body belong to the batch.
        let length = headers.first { $0.name.lowercased() == "content-length" }.flatMap { Int($0.value) }
        if let length, length >= 0, length < body.count { body.removeSubrange(length...) }
    }

    /// The header lines up to the blank one, which is taken too.
    private static func headers(_ lines: inout ArraySlice<ArraySlice<UInt8>>) -> [(name: String, value: String)] {
        var headers: [(String, String)] = []
        while let line = lines.popFirst(), !line.isEmpty {
            guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { continue }
            headers.append(
                (
                    String(decoding: line[..<colon], as: UTF8.self),
                    String(decoding: line[(colon + 1)...].drop { $0 == 32 }, as: UTF8.self)
                ))
        }
        return headers
    }
}
