/// Where objects live: `s3://bucket/prefix`, `gs://bucket/prefix`, `az://account/container/prefix`, `file:///dir` or a plain path.
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

    package init(service: Service, account: String = "", bucket: String, prefix: ObjectKey = ObjectKey([])) {
        self.service = service
        self.account = account
        self.bucket = bucket
        self.prefix = prefix
    }
}

extension ObjectLocation: CustomStringConvertible {
    package var description: String {
        switch service {
        case .file: "file://\(bucket)"
        case .az: "az://\(account)/\(bucket)/\(prefix)"
        default: "\(service.rawValue)://\(bucket)/\(prefix)"
        }
    }
}
