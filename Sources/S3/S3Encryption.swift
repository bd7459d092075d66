package import HTTPStores
package import HTTPTransport

/// How objects are encrypted at rest, where that is not left to the bucket. Readers need nothing to know of it.
package enum S3Encryption: Sendable, Hashable {
    /// With keys of S3's own.
    case aes256
    /// With a key of the key service: nil is the account's own key for S3. `bucketKey` asks the key service once for many objects;
    /// false leaves that to the bucket. `dual` encrypts twice.
    case kms(key: String?, bucketKey: Bool = false, dual: Bool = false)

    /// `AES256`, `aws:kms`, `aws:kms:KEY`, `aws:kms:dsse` or `aws:kms:dsse:KEY`.
    package init(_ text: String) throws(SettingError) {
        let refusal = SettingError(
            message: "the encryption is AES256, aws:kms, aws:kms:KEY, aws:kms:dsse or aws:kms:dsse:KEY")
        if text == "AES256" {
            self = .aes256
            return
        }
        guard text == "aws:kms" || text.hasPrefix("aws:kms:"), text.utf8.allSatisfy({ (0x21...0x7E).contains($0) })
        else {
            throw refusal
        }
        var rest = text.dropFirst("aws:kms:".count)
        let isDual = rest == "dsse" || rest.hasPrefix("dsse:")
        if isDual { rest = rest.dropFirst("dsse:".count) }
        guard !text.hasSuffix(":") else { throw refusal }
        self = .kms(key: rest.isEmpty ? nil : String(rest), dual: isDual)
    }
}

extension HTTPHeaders {
    /// What a write of a whole object, an upload or a copy says about encryption; parts say nothing.
    package mutating func append(_ encryption: S3Encryption?) {
        let name = "x-amz-server-side-encryption"
        switch encryption {
        case nil: break
        case .aes256: append(name, "AES256")
        case .kms(let key, let bucketKey, let dual):
            append(name, dual ? "aws:kms:dsse" : "aws:kms")
            appendIfPresent("\(name)-aws-kms-key-id", key)
            if bucketKey { append("\(name)-bucket-key-enabled", "true") }
        }
    }
}
