/// A host name of Amazon's own service, taken apart.
package struct AWSHost: Sendable, Hashable {
    /// Labels before the domain: `s3.eu-west-1`, `s3.dualstack.us-east-1`.
    private var labels: [Substring]
    /// `amazonaws.com` and its partitions.
    package let domain: String

    private static let domains = ["amazonaws.com", "amazonaws.com.cn", "amazonaws.eu"]

    /// nil when the host is not one of Amazon's.
    package init?(_ host: String) {
        guard let domain = Self.domains.first(where: { host.hasSuffix("." + $0) }) else { return nil }
        self.domain = domain
        labels = host.dropLast(domain.utf8.count + 1).split(separator: ".")
    }

    /// A service's host in a region when nobody gave an endpoint: `s3`, `portal.sso` and so on before the region.
    package static func standard(_ service: String, in region: String) -> String {
        let domain =
            region.hasPrefix("cn-") ? "amazonaws.com.cn" : region.hasPrefix("eusc-") ? "amazonaws.eu" : "amazonaws.com"
        return "\(service).\(region).\(domain)"
    }

    /// Private links (`vpce-…`) have certificates for their own names.
    package var takesVirtualHosts: Bool { labels.first.map { $0.hasPrefix("s3") } ?? false }

    package var region: String? { labels.first { Self.looksLikeRegion($0) }.map(String.init) }

    /// The same kind of host in another region; nil for hosts that serve every region (`s3-accelerate`).
    package func host(in region: String) -> String? {
        if let index = labels.firstIndex(where: { Self.looksLikeRegion($0) }) {
            var moved = labels
            moved[index] = region[...]
            return moved.joined(separator: ".") + "." + domain
        }
        return labels == ["s3"] ? Self.standard("s3", in: region) : nil
    }

    /// `eu-west-1`, `us-gov-east-1`.
    package static func looksLikeRegion(_ label: some StringProtocol) -> Bool {
        let parts = label.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count >= 3, let number = parts.last, !number.isEmpty, number.allSatisfy(\.isNumber) else {
            return false
        }
        return !label.hasPrefix("s3-") && !label.hasPrefix("vpce-")
    }

    /// Whether it can be a region: one becomes part of host names, also when a server names it.
    package static func isRegion(_ text: String) -> Bool {
        (1...40).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"),
                    UInt8(ascii: "-"):
                    true
                default: false
                }
            }
    }
}
