/// Where objects live: `s3://bucket/prefix`, `gs://bucket/prefix`, `az://account/container/prefix`, `file:///dir` or a plain path; with
/// `vault+` before it the objects are those inside a vault.
package struct ObjectLocation: Hashable, Sendable {
    package enum Service: String, Sendable, Hashable {
        case s3, gs, az, file, memory
    }

    package var service: Service
    /// The storage account (Azure only), else empty.
    package var account: String
    /// Bucket or container; for files the absolute directory.
    package var bucket: String
    /// Prefix of every key, empty or ending in `/`. A location names a folder, so `s3://b/data` does not cover `database`.
    package var prefix: ObjectKey
    /// The path leads into a vault: its first part names the vault, and the rest, which may be empty, a folder inside. Where the one ends
    /// and the other begins, the location does not know.
    package var isVault: Bool

    package init(
        service: Service, account: String = "", bucket: String, prefix: ObjectKey = ObjectKey([]), isVault: Bool = false
    ) {
        self.service = service
        self.account = account
        self.bucket = bucket
        self.prefix = prefix
        self.isVault = isVault
    }

    /// Where the objects lie that a vault is made of; a plain location is its own.
    package var underlying: ObjectLocation {
        var plain = self
        plain.isVault = false
        return plain
    }
}

extension ObjectLocation: CustomStringConvertible {
    package var description: String {
        let plain =
            switch service {
            case .file: "file://\(bucket)"
            case .az: "az://\(account)/\(bucket)/\(prefix)"
            default: "\(service.rawValue)://\(bucket)/\(prefix)"
            }
        return isVault ? Self.vaultMark + plain : plain
    }
}
