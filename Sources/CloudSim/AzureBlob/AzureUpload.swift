import Digests
import NIOCore
import NIOHTTP1

/// The body of a Put Blob or Put Block on its way in: what the client said of it, and what it turned out to be.
final class AzureUpload {
    private let md5s: [[UInt8]]
    private let crc64: UInt64?
    private let length: Int
    private let isStructured: Bool
    private var decoder: StructuredMessageDecoder?
    private let writer: BodyWriter

    /// - Parameters:
    ///   - limit: the largest content the operation takes.
    ///   - md5Headers: headers with an MD5 that must be that of the content.
    ///   - computesMD5: whether an MD5 is wanted even when none was sent.
    init(
        _ request: AzureRequest, limit: Int, md5Headers: [String], computesMD5: Bool, storage: CloudStorage
    ) throws {
        guard let sent = request.header("content-length").flatMap({ Int($0) }), sent >= 0 else {
            throw AzureError.missingContentLength
        }
        md5s = try md5Headers.compactMap { name in try request.header(name).map { try AzureChecksum.md5($0) } }
        crc64 = try request.header("x-ms-content-crc64").map { try AzureChecksum.crc64($0) }
        if crc64 != nil && request.header("content-md5") != nil { throw AzureError.invalidInput }
        if let form = request.header("x-ms-structured-body") {
            try AzureBlobFrontEnd.checkStructuredForm(form, request)
            guard let inner = request.header("x-ms-structured-content-length").flatMap({ Int($0) }), inner >= 0 else {
                throw AzureError.missingHeader("x-ms-structured-content-length")
            }
            isStructured = true
            length = inner
        } else {
            isStructured = false
            length = sent
        }
        guard length <= limit else { throw AzureError.requestBodyTooLarge }
        var digests: DigestSet = .crc64nvme
        if computesMD5 || !md5s.isEmpty { digests.insert(.md5) }
        writer = try storage.makeWriter(expectedLength: length, digests: digests)
        if isStructured { decoder = StructuredMessageDecoder(into: writer, messageLength: sent, contentLength: length) }
    }

    var isEmpty: Bool { length == 0 }

    /// What the exchange streams the body to.
    var sink: any BodySink { decoder ?? writer }

    /// The content and its digests, once they are known to be what the client said.
    func finish() throws -> (body: Body, digests: BodyDigests) {
        try decoder?.finish()
        let (body, digests) = try writer.finish()
        guard body.count == length else {
            throw AzureError(400, "IncompleteBody", "The body has \(body.count) bytes, not \(length).")
        }
        if let crc64, let computed = digests.crc64nvme, crc64 != computed {
            throw AzureError.crc64Mismatch(given: crc64, computed: computed)
        }
        for md5 in md5s where digests.md5 != md5 {
            throw AzureError.md5Mismatch(given: md5, computed: digests.md5 ?? [])
        }
        return (body, digests)
    }

    /// Headers that tell the client what arrived.
    func addHeaders(_ digests: BodyDigests, md5: Bool, to response: inout Response) {
        if md5, let value = digests.md5 { response.headers.add(name: "Content-MD5", value: Base64.encode(value)) }
        if let value = digests.crc64nvme {
            response.headers.add(name: "x-ms-content-crc64", value: AzureChecksum.text(value))
        }
        if isStructured { response.headers.add(name: "x-ms-structured-body", value: StructuredMessage.headerValue) }
        response.headers.add(name: "x-ms-request-server-encrypted", value: "true")
    }
}
