import Azure
import Digests
import HTTPStores
import HTTPTransport
import ObjectStores
import ReplicationModel

/// One request to the container or to a blob in it, before it has a host and a signature.
struct AzureBlobRequest: Sendable {
    var operation: StoreOperation
    /// The blob that the path names and that errors are about; nil for requests to the container.
    var key: ObjectKey?
    var method: HTTPMethod
    var query: AzureQuery
    var headers: HTTPHeaders
    var body: HTTPBody = .empty
    var sink: HTTPSink = .collect(limit: AzureBlobRequest.replyLimit)
    var timeouts = HTTPTimeouts()
    /// The only status that means success, for calls whose reply may not be anything else; nil takes every 2xx.
    var success: Int?

    /// Largest document that is read: 5,000 blobs with names of 1,024 characters and all their properties, or 50,000
    /// blocks.
    static let replyLimit = 32 << 20

    init(
        _ operation: StoreOperation, _ method: HTTPMethod, key: ObjectKey?, query: AzureQuery = AzureQuery(),
        headers: HTTPHeaders = [:]
    ) {
        self.operation = operation
        self.method = method
        self.key = key
        self.query = query
        self.headers = headers
    }
}

/// Where the blobs of one container are.
struct AzureContainerAddress: Sendable {
    /// `https://host[:port]`
    let origin: String
    /// Encoded, without a slash at the end.
    let path: String

    init(_ configuration: AzureBlobConfiguration, container: String) {
        origin = configuration.endpoint.origin
        path = "\(configuration.endpoint.path)/\(PercentEncoding.encode(container))"
    }

    /// The encoded path of a blob, or of the container.
    func path(of key: ObjectKey?) -> String {
        guard let key else { return path }
        return path + "/" + PercentEncoding.encode(key.bytes, keepSlash: true)
    }
}

extension AzureBlobConfiguration {
    /// What every call that writes bytes must say of their encryption: blocks and the blob that is made of them alike.
    var encryption: HTTPHeaders {
        var headers = HTTPHeaders()
        headers.appendIfPresent("x-ms-encryption-scope", encryptionScope)
        return headers
    }
}

extension HTTPHeaders {
    mutating func append(_ headers: HTTPHeaders) {
        for field in headers.fields { append(field.name, field.value) }
    }

    /// The condition of a write.
    mutating func append(_ condition: WriteCondition) {
        switch condition {
        case .absent: append("if-none-match", "*")
        case .matches(let version): append("if-match", version.quoted)
        case .unconditional: break
        }
    }

    /// Attributes of a blob that is written; the headers of a request are not those of its blob.
    /// - Precondition: the attributes have passed `AzureBlobRules.fit`, so no value can break out of its field.
    mutating func append(_ attributes: ObjectAttributes) {
        appendIfPresent("x-ms-blob-cache-control", attributes.cacheControl)
        appendIfPresent("x-ms-blob-content-disposition", attributes.contentDisposition)
        appendIfPresent("x-ms-blob-content-encoding", attributes.contentEncoding)
        appendIfPresent("x-ms-blob-content-language", attributes.contentLanguage)
        appendIfPresent("x-ms-blob-content-type", attributes.contentType)
        for (name, value) in attributes.userMetadata {
            append(AzureMetadataNames.prefix + AzureMetadataNames.encode(name), AzureMetadataNames.encodeValue(value))
        }
    }

    /// The CRC-64 that the service verifies against the body, or against the range of a copy's source.
    mutating func appendChecksum(_ crc64: UInt64, source: Bool = false) {
        append(source ? "x-ms-source-content-crc64" : "x-ms-content-crc64", ChecksumEncoding.base64LittleEndian(crc64))
    }

    /// The CRC-64 that the service says it computed.
    var contentCRC64: UInt64? {
        self["x-ms-content-crc64"].flatMap { ChecksumEncoding.fromBase64LittleEndian($0) }
    }
}

extension ObjectAttributes {
    /// From the headers of a reply to HEAD or GET.
    init(azure headers: HTTPHeaders) {
        func text(_ name: String) -> String? { headers[name].flatMap { $0.isEmpty ? nil : $0 } }
        self.init(
            contentType: text("content-type"), contentEncoding: text("content-encoding"),
            contentLanguage: text("content-language"),
            contentDisposition: text("content-disposition"), cacheControl: text("cache-control"))
        for field in headers.fields where field.name.hasPrefix(AzureMetadataNames.prefix) {
            let name = AzureMetadataNames.decode(String(field.name.dropFirst(AzureMetadataNames.prefix.utf8.count)))
            userMetadata[name] = AzureMetadataNames.decodeValue(field.value)
        }
    }
}

extension VersionToken {
    /// An entity tag as headers carry it.
    var quoted: String { "\"\(text)\"" }

    /// From an ETag with or without quotes: listings leave them out. nil for none and for weak tags, which do not
    /// promise the same bytes.
    init?(entityTag: String?) {
        guard var text = entityTag?[...], !text.hasPrefix("W/") else { return nil }
        if text.utf8.count >= 2, text.hasPrefix("\""), text.hasSuffix("\"") { text = text.dropFirst().dropLast() }
        guard !text.isEmpty, text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "\"") }) else {
            return nil
        }
        self.init(String(text))
    }
}
