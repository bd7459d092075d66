import AWS
package import HTTPStores

/// Where the requests of one bucket go: host, and the path before the key.
package struct S3Address: Sendable, Hashable {
    package var scheme: String
    /// `host[:port]`: sent and signed as the Host header.
    package var authority: String
    /// Encoded; empty or `/…` without a slash at the end.
    package var basePath: String

    package var isVirtualHost: Bool

    /// - Parameter endpoint: of the region that the request is signed for.
    package init(endpoint: Endpoint, bucket: String, addressing: S3Configuration.Addressing) {
        let virtualHost =
            switch addressing {
            case .path: false
            case .virtualHost: Self.fitsHost(bucket, dots: true)
            case .automatic: AWSHost(endpoint.host)?.takesVirtualHosts == true && Self.fitsHost(bucket, dots: false)
            }
        scheme = endpoint.scheme
        isVirtualHost = virtualHost
        if virtualHost {
            authority = "\(bucket).\(endpoint.authority)"
            basePath = endpoint.path
        } else {
            authority = endpoint.authority
            basePath = "\(endpoint.path)/\(PercentEncoding.encode(bucket))"
        }
    }

    /// Whether the bucket's name can be a label of a host name: anything else could move the request to another host.
    private static func fitsHost(_ bucket: String, dots: Bool) -> Bool {
        let bytes = Array(bucket.utf8)
        guard (3...63).contains(bytes.count), bytes.first != UInt8(ascii: "-"), bytes.first != UInt8(ascii: ".") else {
            return false
        }
        return bytes.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"): true
            case UInt8(ascii: "."): dots
            default: false
            }
        }
    }
}
