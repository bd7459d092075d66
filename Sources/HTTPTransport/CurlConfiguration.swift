import Glibc

/// What all requests of one `CurlTransport` have in common.
package struct CurlConfiguration: Sendable {
    /// Threads that move bytes; each owns its connections. One for two processors: a thread with more to do at each turn wakes less often
    /// (1.10 instead of 1.35 CPU seconds for 5,000 small objects on two processors), and moves more than a gigabyte per second.
    package var loops = max(1, min(8, sysconf(Int32(_SC_NPROCESSORS_ONLN)) / 2))
    /// Certificates (PEM) to trust instead of the system's.
    package var caFile: String?
    /// Idle connections that each loop keeps open; at least the largest number of parallel requests, or connections churn.
    package var idleConnections = 256
    /// A connection is not reused when it is older, so that load spreads over the addresses that DNS gives today.
    package var connectionLifetime: Duration = .seconds(300)
    /// A connection is not reused when it idled for longer.
    package var connectionIdleTime: Duration = .seconds(60)
    /// How long an answer of DNS is used.
    package var dnsCacheTime: Duration = .seconds(60)

    /// Whether host names may resolve to this machine. Behind a proxy they do when the proxy runs here.
    package var allowsLoopback = false

    /// Honours `SSL_CERT_FILE` and `LOCKSTEP_ALLOW_LOOPBACK`.
    package init() {
        caFile = Self.environment("SSL_CERT_FILE")
        let proxies = ["http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]
        allowsLoopback =
            Self.environment("LOCKSTEP_ALLOW_LOOPBACK") == "1" || proxies.contains { Self.environment($0) != nil }
    }

    /// Addresses that are never reached through a proxy: the host itself and the clouds' metadata services.
    static let direct = [
        "169.254.169.254", "169.254.170.2", "169.254.170.23", "metadata.google.internal", "localhost", "127.0.0.1",
        "::1",
    ]

    /// `direct` and what the environment asks for; the library looks at its own variable no more once this is set.
    static func hostsWithoutProxy() -> String {
        let asked = environment("no_proxy") ?? environment("NO_PROXY")
        if asked == "*" { return "*" }
        return (direct + (asked.map { [$0] } ?? [])).joined(separator: ",")
    }

    /// Nil where the variable is unset or empty.
    private static func environment(_ name: String) -> String? {
        guard let value = getenv(name), value.pointee != 0 else { return nil }
        return String(cString: value)
    }
}
