#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Scheme, host and port of a service, as a user writes it: `https://host`, `http://127.0.0.1:9000`.
package struct Endpoint: Sendable, Hashable, CustomStringConvertible {
    package var scheme: String
    package var host: String
    /// nil: the scheme's default.
    package var port: Int?
    /// Path before bucket and key, without a trailing slash; empty for most.
    package var path: String

    package init(scheme: String = "https", host: String, port: Int? = nil, path: String = "") {
        self.scheme = scheme
        self.host = host
        self.port = port
        self.path = path
    }

    /// What is wrong with a text that is none.
    package static let advice =
        "is not a URL: write https://host or http://host:port, without user, query and fragment, and a port up to 65535"

    /// nil when the text is not `http(s)://host[:port][/path]`; user info, query and fragment are refused.
    package init?(_ text: String) {
        guard let separator = text.firstRange(of: "://") else { return nil }
        let scheme = text[..<separator.lowerBound].lowercased()
        guard scheme == "http" || scheme == "https" else { return nil }
        let rest = text[separator.upperBound...]
        let slash = rest.firstIndex(of: "/") ?? rest.endIndex
        var authority = rest[..<slash]
        guard !rest.contains(where: { "@?#".contains($0) || $0.isWhitespace }), !authority.isEmpty else { return nil }
        var port: Int?
        if let colon = authority.lastIndex(of: ":"), !authority[colon...].contains("]") {
            guard let value = Int(authority[authority.index(after: colon)...]), (1...65535).contains(value) else {
                return nil
            }
            port = value
            authority = authority[..<colon]
        }
        var path = String(rest[slash...])
        while path.hasSuffix("/") { path.removeLast() }
        let standard = scheme == "https" ? 443 : 80
        self.init(scheme: scheme, host: authority.lowercased(), port: port == standard ? nil : port, path: path)
    }

    /// `host[:port]`: the value of the Host header.
    package var authority: String { port.map { "\(host):\($0)" } ?? host }

    /// `scheme://host[:port]`, without the path.
    package var origin: String { "\(scheme)://\(authority)" }

    package var description: String { origin + path }

    /// Whether the host says by itself that this machine is meant. A name that only begins like an address does not.
    package var isLoopback: Bool {
        host == "localhost" || host.hasSuffix(".localhost") || host == "[::1]" || ipv4.map { $0 >> 24 == 127 } ?? false
    }

    /// Whether the host is an IPv4 address of the machine's own link, or of a network that no packet from outside reaches (RFC 1918).
    package var isLocalAddress: Bool {
        guard let ipv4 else { return false }
        return ipv4 >> 16 == 0xA9FE || ipv4 >> 24 == 10 || ipv4 >> 20 == 0xAC1 || ipv4 >> 16 == 0xC0A8
    }

    private var ipv4: UInt32? {
        var address = in_addr()
        return inet_pton(AF_INET, host, &address) == 1 ? UInt32(bigEndian: address.s_addr) : nil
    }
}
