import Digests
import HTTPTransport
import ReplicationModel

/// The whole-object checksums of S3 that combine over parts.
enum S3ChecksumAlgorithm: String, Sendable, CaseIterable {
    case crc64nvme
    case crc32c

    /// `x-amz-checksum-crc64nvme`.
    var header: String {
        switch self {
        case .crc64nvme: "x-amz-checksum-crc64nvme"
        case .crc32c: "x-amz-checksum-crc32c"
        }
    }

    /// The value of `x-amz-checksum-algorithm`.
    var name: String {
        switch self {
        case .crc64nvme: "CRC64NVME"
        case .crc32c: "CRC32C"
        }
    }

    /// The element of a part in the document that completes an upload.
    var element: String { "Checksum" + name }

    /// Base64 of the big-endian bytes.
    func value(of digest: ContentDigest) -> String {
        switch self {
        case .crc64nvme: ChecksumEncoding.base64BigEndian(digest.crc64nvme)
        case .crc32c: ChecksumEncoding.base64BigEndian(digest.crc32c)
        }
    }
}

/// The algorithm that a request carries: nil on servers that refuse both.
extension S3ChecksumAlgorithm? {
    /// What to try when a server refuses this one.
    var weaker: S3ChecksumAlgorithm? { self == .crc64nvme ? .crc32c : nil }
}

extension ObjectChecksums {
    init(_ digest: ContentDigest) {
        self.init(crc32c: digest.crc32c, crc64nvme: digest.crc64nvme)
    }

    /// The full-object checksums of a reply. A composite (type `COMPOSITE`, or a value ending in `-N`) describes parts,
    /// not bytes.
    ///
    /// A clone that repeats the headers of the upload repeats its claim too, which proves nothing about the bytes it
    /// holds: such a reply shows itself by headers that only requests have.
    init(s3 headers: HTTPHeaders) {
        guard headers["x-amz-content-sha256"] == nil else {
            self.init()
            return
        }
        self.init(
            crc32c: Self.mayBeComposite(headers) ? nil : headers[S3ChecksumAlgorithm.crc32c.header],
            crc64nvme: headers[S3ChecksumAlgorithm.crc64nvme.header],
            type: headers["x-amz-checksum-type"])
    }

    /// The full-object CRC-32 of a reply, with the same reservations.
    static func crc32(s3 headers: HTTPHeaders) -> UInt32? {
        guard headers["x-amz-content-sha256"] == nil, headers["x-amz-checksum-type"] != "COMPOSITE",
            !mayBeComposite(headers)
        else { return nil }
        return headers["x-amz-checksum-crc32"].flatMap { ChecksumEncoding.fromBase64BigEndian($0) }
    }

    /// Whether the object was made of parts, as its ETag tells, and the server does not say of what its checksum is: some
    /// emulators leave out both the type and the count behind a composite one. CRC-64/NVME is never composite.
    private static func mayBeComposite(_ headers: HTTPHeaders) -> Bool {
        headers["x-amz-checksum-type"] == nil && headers["etag"]?.contains("-") == true
    }

    /// From base64 texts; what is no such text is not a checksum.
    init(crc32c: String?, crc64nvme: String?, type: String?) {
        self.init()
        guard type != "COMPOSITE" else { return }
        self.crc32c = crc32c.flatMap { ChecksumEncoding.fromBase64BigEndian($0) }
        self.crc64nvme = crc64nvme.flatMap { ChecksumEncoding.fromBase64BigEndian($0) }
    }
}
