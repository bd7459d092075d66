package import HTTPStores

extension GCSConfiguration {
    /// Refuses what no bucket can be called: 3 to 63 bytes, with dots up to 222.
    package func check(bucket: String) throws(SettingError) {
        try ContainerName.check(
            bucket, length: isGoogle ? 3...222 : 1...222,
            rule: "a bucket's name has 3 to 63 lower-case letters, digits, '-', '_' and '.'"
        ) { byte in
            switch byte {
            case UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"): true
            default: ContainerName.isLowercaseOrDigit(byte)
            }
        }
    }
}
