import Digests

/// The checksums of the protocol as header text: CRC64 in little-endian order and MD5, both in base64.
enum AzureChecksum {
    static func text(_ crc64: UInt64) -> String {
        withUnsafeBytes(of: crc64.littleEndian) { Base64.encode($0) }
    }

    static func crc64(_ text: String) throws(AzureError) -> UInt64 {
        guard let bytes = Base64.decode(text), bytes.count == 8 else {
            throw .invalidHeader("x-ms-content-crc64", text)
        }
        return bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }

    static func md5(_ text: String) throws(AzureError) -> [UInt8] {
        guard let bytes = Base64.decode(text), bytes.count == 16 else { throw .invalidMD5 }
        return bytes
    }
}
