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

/// A host name of Amazon's own service, taken apart.
struct AWSHost: Sendable, Hashable {
    /// Labels before the domain: `s3.eu-west-1`, `s3.dualstack.us-east-1`.
    private var labels: [Substring]
    /// `amazonaws.com` and its partitions.
    let domain: String

    private static let domains = ["amazonaws.com", "amazonaws.com.cn", "amazonaws.eu"]

    /// nil when the host is not one of Amazon's.
    init?(_ host: String) {
        guard let domain = Self.domains.first(where: { host.hasSuffix("." + $0) }) else { return nil }
        self.domain = domain
        labels = host.dropLast(domain.utf8.count + 1).split(separator: ".")
    }

    /// The service's host in a region when nobody gave an endpoint.
    static func standard(_ region: String) -> String {
        let domain =
            region.hasPrefix("cn-") ? "amazonaws.com.cn" : region.hasPrefix("eusc-") ? "amazonaws.eu" : "amazonaws.com"
        return "s3.\(region).\(domain)"
    }

    /// Private links (`vpce-…`) have certificates for their own names.
    var takesVirtualHosts: Bool { labels.first.map { $0.hasPrefix("s3") } ?? false }

    var region: String? { labels.first { Self.looksLikeRegion($0) }.map(String.init) }

    /// The same kind of host in another region; nil for hosts that serve every region (`s3-accelerate`).
    func host(in region: String) -> String? {
        if let index = labels.firstIndex(where: { Self.looksLikeRegion($0) }) {
            var moved = labels
            moved[index] = region[...]
            return moved.joined(separator: ".") + "." + domain
        }
        return labels == ["s3"] ? Self.standard(region) : nil
    }

    /// `eu-west-1`, `us-gov-east-1`.
    private static func looksLikeRegion(_ label: Substring) -> Bool {
        let parts = label.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count >= 3, let number = parts.last, !number.isEmpty, number.allSatisfy(\.isNumber) else {
            return false
        }
        return !label.hasPrefix("s3-") && !label.hasPrefix("vpce-")
    }
}
