package import HTTPStores

extension S3Configuration {
    /// Refuses what no bucket there can be called.
    ///
    /// Amazon's oldest buckets have up to 255 letters of both cases and `_`; other servers have rules of their own, and some write a
    /// tenant and `:` before the bucket.
    package func check(bucket: String) throws(SettingError) {
        let isAWS = isAWS
        try ContainerName.check(
            bucket, length: isAWS ? 3...255 : 1...255,
            rule: "a bucket's name has 3 to 63 lower-case letters, digits, '.' and '-'"
        ) { byte in
            switch byte {
            case UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"): true
            case UInt8(ascii: ":"): !isAWS
            default: ContainerName.isLetterOrDigit(byte)
            }
        }
    }
}
