import Cryptography
import Digests
import NIOHTTP1

/// The checksum algorithms of the API that the simulator computes.
enum S3ChecksumAlgorithm: String, CaseIterable {
    case crc32 = "CRC32"
    case crc32c = "CRC32C"
    case crc64nvme = "CRC64NVME"
    case sha1 = "SHA1"
    case sha256 = "SHA256"

    /// What the service knows besides; requests that name one are refused as not implemented.
    private static let unsupported: Set<String> = ["SHA512", "MD5", "XXHASH64", "XXHASH3", "XXHASH128"]

    var headerName: String {
        switch self {
        case .crc32: "x-amz-checksum-crc32"
        case .crc32c: "x-amz-checksum-crc32c"
        case .crc64nvme: "x-amz-checksum-crc64nvme"
        case .sha1: "x-amz-checksum-sha1"
        case .sha256: "x-amz-checksum-sha256"
        }
    }

    /// `ChecksumCRC32C` in XML.
    var elementName: String { "Checksum\(rawValue)" }

    var digest: DigestSet {
        switch self {
        case .crc32: .crc32
        case .crc32c: .crc32c
        case .crc64nvme: .crc64nvme
        case .sha1: .sha1
        case .sha256: .sha256
        }
    }

    /// The algorithm that `x-amz-checksum-algorithm` or `x-amz-sdk-checksum-algorithm` names.
    static func named(_ name: String) throws(S3Error) -> S3ChecksumAlgorithm {
        if let algorithm = S3ChecksumAlgorithm(rawValue: name.uppercased()) { return algorithm }
        if unsupported.contains(name.uppercased()) { throw .notImplemented("checksum algorithm \(name)") }
        throw .invalidRequest(
            "Checksum algorithm provided is unsupported. Please try again with any of the valid types: "
                + "[CRC32, CRC32C, CRC64NVME, SHA1, SHA256]")
    }

    /// The algorithm whose header has this name, such as an `x-amz-trailer` value.
    static func header(_ name: String) -> S3ChecksumAlgorithm? {
        let lower = name.lowercased()
        return allCases.first { $0.headerName == lower }
    }

    /// The digest as big-endian bytes; nil when it was not computed.
    func bytes(_ digests: BodyDigests) -> [UInt8]? {
        switch self {
        case .crc32: digests.crc32.map(Self.bigEndian)
        case .crc32c: digests.crc32c.map(Self.bigEndian)
        case .crc64nvme: digests.crc64nvme.map(Self.bigEndian)
        case .sha1: digests.sha1
        case .sha256: digests.sha256
        }
    }

    func base64(_ digests: BodyDigests) -> String? {
        bytes(digests).map { Base64.encode($0) }
    }

    /// The algorithm applied to bytes at hand.
    func hash(_ bytes: [UInt8]) -> [UInt8] {
        var running = RunningDigests(digest)
        bytes.withUnsafeBytes { running.update($0) }
        return self.bytes(running.finish())!
    }

    private static func bigEndian(_ value: some FixedWidthInteger) -> [UInt8] {
        withUnsafeBytes(of: value.bigEndian) { Array($0) }
    }
}

enum S3ChecksumType: String {
    case fullObject = "FULL_OBJECT"
    case composite = "COMPOSITE"
}

/// An object's checksum as the service reports it.
struct S3Checksum {
    var algorithm: S3ChecksumAlgorithm
    var type: S3ChecksumType
    /// Base64, with `-N` for composite ones.
    var value: String

    private static let algorithmKey = "checksum-algorithm"
    private static let valueKey = "checksum-value"

    init(_ algorithm: S3ChecksumAlgorithm, _ type: S3ChecksumType, _ value: String) {
        self.algorithm = algorithm
        self.type = type
        self.value = value
    }

    /// The checksum of a stored object: a composite one is written out, a full one is one of the digests.
    init?(_ attributes: ObjectAttributes) {
        if let name = attributes.extras[Self.algorithmKey], let algorithm = S3ChecksumAlgorithm(rawValue: name),
            let value = attributes.extras[Self.valueKey]
        {
            self.init(algorithm, .composite, value)
            return
        }
        for algorithm in [S3ChecksumAlgorithm.crc64nvme, .crc32c, .crc32, .sha256, .sha1] {
            if let value = algorithm.base64(attributes.digests) {
                self.init(algorithm, .fullObject, value)
                return
            }
        }
        return nil
    }

    static func setComposite(_ algorithm: S3ChecksumAlgorithm, _ value: String, _ attributes: inout ObjectAttributes) {
        attributes.extras[algorithmKey] = algorithm.rawValue
        attributes.extras[valueKey] = value
    }

    static func removeComposite(_ attributes: inout ObjectAttributes) {
        attributes.extras[algorithmKey] = nil
        attributes.extras[valueKey] = nil
    }

    func add(to headers: inout HTTPHeaders) {
        headers.add(name: algorithm.headerName, value: value)
        headers.add(name: "x-amz-checksum-type", value: type.rawValue)
    }
}

extension BodyDigests {
    /// Only what is stored with an object: the digest that is its checksum.
    func keeping(_ algorithm: S3ChecksumAlgorithm) -> BodyDigests {
        var kept = BodyDigests()
        switch algorithm {
        case .crc32: kept.crc32 = crc32
        case .crc32c: kept.crc32c = crc32c
        case .crc64nvme: kept.crc64nvme = crc64nvme
        case .sha1: kept.sha1 = sha1
        case .sha256: kept.sha256 = sha256
        }
        return kept
    }
}

/// The checksum a client sends with a body, in a header or announced for the trailer.
struct S3ClaimedChecksum {
    var algorithm: S3ChecksumAlgorithm?
    /// Nil when it comes in the trailer.
    var value: String?
    var isInTrailer = false

    /// None.
    init() {}

    init(_ request: Request) throws(S3Error) {
        for (name, value) in request.headers
        where name.utf8.count > 15 && name.lowercased().hasPrefix("x-amz-checksum-") {
            let lower = name.lowercased()
            if ["x-amz-checksum-mode", "x-amz-checksum-type", "x-amz-checksum-algorithm"].contains(lower) { continue }
            guard let known = S3ChecksumAlgorithm.header(lower) else { throw .notImplemented(lower) }
            guard algorithm == nil else {
                throw .invalidRequest(
                    "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.")
            }
            try Self.check(value, known)
            algorithm = known
            self.value = value
        }
        if let trailer = request.header("x-amz-trailer") {
            guard let known = S3ChecksumAlgorithm.header(trailer) else {
                throw .invalidRequest("The value specified in the x-amz-trailer header is not supported")
            }
            guard algorithm == nil else {
                throw .invalidRequest(
                    "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.")
            }
            algorithm = known
            isInTrailer = true
        }
        if let name = request.header("x-amz-sdk-checksum-algorithm") {
            let named = try S3ChecksumAlgorithm.named(name)
            guard algorithm == nil || algorithm == named else {
                throw .invalidRequest("Value for x-amz-sdk-checksum-algorithm header is invalid.")
            }
            guard algorithm != nil || request.header("content-md5") != nil else {
                throw .invalidRequest(
                    "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or "
                        + "x-amz-trailer headers were found."
                )
            }
        }
    }

    /// A checksum must be base64 of the algorithm's length.
    static func check(_ value: String, _ algorithm: S3ChecksumAlgorithm) throws(S3Error) {
        let lengths: [S3ChecksumAlgorithm: Int] = [.crc32: 4, .crc32c: 4, .crc64nvme: 8, .sha1: 20, .sha256: 32]
        guard let bytes = Base64.decode(value), bytes.count == lengths[algorithm] else {
            throw .invalidRequest("Value for \(algorithm.headerName) header is invalid.")
        }
    }
}
