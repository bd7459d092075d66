import NIOHTTP1

/// Encryption at rest as a write asks for it: checked, remembered and told again. The bytes stay as they are.
enum S3Encryption {
    private static let header = "x-amz-server-side-encryption"
    private static let keyHeader = "x-amz-server-side-encryption-aws-kms-key-id"
    private static let bucketKeyHeader = "x-amz-server-side-encryption-bucket-key-enabled"
    /// The key that the service itself keeps for each account.
    private static let ownKey = "arn:aws:kms:us-east-1:000000000000:alias/aws/s3"

    static func read(_ request: Request, into attributes: inout ObjectAttributes) throws(S3Error) {
        if request.headers.contains(name: "x-amz-server-side-encryption-customer-algorithm") {
            throw .notImplemented("x-amz-server-side-encryption-customer-algorithm")
        }
        let method = request.header(header) ?? "AES256"
        let key = request.header(keyHeader)
        guard ["AES256", "aws:kms", "aws:kms:dsse"].contains(method) else {
            throw S3Error(
                400, "InvalidEncryptionAlgorithmError", "The encryption request you specified is not valid.")
        }
        guard method != "AES256" || key == nil else {
            throw .invalidArgument(
                "Server Side Encryption with AWS KMS managed key requires HTTP header \(header) : aws:kms",
                name: header, value: method)
        }
        let isKMS = method != "AES256"
        attributes.extras["sse"] = isKMS ? method : nil
        attributes.extras["sse-key"] = isKMS ? key ?? ownKey : nil
        let usesBucketKey = request.header(bucketKeyHeader)?.lowercased() == "true"
        attributes.extras["sse-bucket-key"] = method == "aws:kms" && usesBucketKey ? "true" : nil
    }

    static func write(_ attributes: ObjectAttributes, to headers: inout HTTPHeaders) {
        headers.add(name: header, value: attributes.extras["sse"] ?? "AES256")
        if let key = attributes.extras["sse-key"] { headers.add(name: keyHeader, value: key) }
        if let value = attributes.extras["sse-bucket-key"] { headers.add(name: bucketKeyHeader, value: value) }
    }
}
