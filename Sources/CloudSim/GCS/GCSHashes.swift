import Digests

/// The checksums that a client claims for the bytes of an object or a part.
struct GCSHashes {
    private var crc32c: UInt32?
    private var md5: [UInt8]?

    init() {}

    /// Adds an `x-goog-hash` header: `crc32c=…`, `md5=…` or both with a comma. Other algorithms are ignored.
    mutating func add(header: String) throws {
        for item in header.split(separator: ",") {
            let item = item.drop { $0 == " " }
            guard let equals = item.firstIndex(of: "=") else {
                throw GCSError.invalidDigest("Invalid x-goog-hash header: \(header)")
            }
            let value = String(item[item.index(after: equals)...])
            switch item[..<equals] {
            case "crc32c": try add(crc32c: value)
            case "md5": try add(md5: value)
            default: break
            }
        }
    }

    mutating func add(crc32c text: String) throws {
        guard let bytes = Base64.decode(text), bytes.count == 4 else {
            throw GCSError.invalidDigest("Invalid CRC32C value: \(text)")
        }
        crc32c = bytes.reduce(0) { $0 << 8 | UInt32($1) }
    }

    mutating func add(md5 text: String) throws {
        guard let bytes = Base64.decode(text), bytes.count == 16 else {
            throw GCSError.invalidDigest("Invalid MD5 value: \(text)")
        }
        md5 = bytes
    }

    /// Refuses bytes whose digests are not the claimed ones.
    func verify(_ digests: BodyDigests) throws {
        if let crc32c {
            guard let actual = digests.crc32c else { preconditionFailure("every body has a CRC-32C") }
            guard actual == crc32c else {
                throw GCSError.wrongCRC32C(provided: Self.base64(crc32c), calculated: Self.base64(actual))
            }
        }
        if let md5 {
            guard let actual = digests.md5 else { preconditionFailure("a body with a claimed MD5 has one") }
            guard actual == md5 else {
                throw GCSError.wrongMD5(provided: Base64.encode(md5), calculated: Base64.encode(actual))
            }
        }
    }

    /// What must be computed to verify these.
    var needsMD5: Bool { md5 != nil }

    /// Base64 of the four bytes, most significant first.
    static func base64(_ crc32c: UInt32) -> String {
        ChecksumEncoding.base64BigEndian(crc32c)
    }

    /// The values of the `x-goog-hash` response header, one per algorithm.
    static func headerValues(_ digests: BodyDigests) -> [String] {
        var values: [String] = []
        if let crc32c = digests.crc32c { values.append("crc32c=" + base64(crc32c)) }
        if let md5 = digests.md5 { values.append("md5=" + Base64.encode(md5)) }
        return values
    }
}
