import Glibc

/// Which kind of server a request is meant for, and with it which addresses its connection may go to.
package enum HTTPReach: Sendable, Hashable {
    /// A service that somebody has named. Never an address of the machine's own link, where clouds hand out credentials, and
    /// this machine itself only where the URL says so: a name that suddenly resolves to either is an attack.
    case service
    /// A cloud's metadata service, asked by a credential provider. Its connection is not used for anything else.
    case metadata
}

/// Decides about the address that a host name has resolved to.
struct AddressRule {
    /// Whether names may mean this machine: asked for, or because a proxy is what is connected to.
    let allowsLoopback: Bool

    /// Why no connection may be made; nil when it may.
    ///
    /// - Parameters:
    ///   - address: a `sockaddr` of its family's size.
    ///   - host: of the URL, without a port.
    func refusal(of address: UnsafeRawPointer, reach: HTTPReach, host: String) -> String? {
        guard reach == .service, let kind = Self.kind(of: address) else { return nil }
        switch kind {
        case .linkLocal:
            return
                "it is at a link-local address, where metadata services hand out credentials; no object store is there"
        case .loopback:
            if allowsLoopback || Self.meansThisMachine(host) { return nil }
            return "the name resolves to this machine itself; write 127.0.0.1 or localhost if that is meant, "
                + "or set LOCKSTEP_ALLOW_LOOPBACK=1"
        }
    }

    enum Kind {
        case linkLocal, loopback
    }

    /// nil for an address of any other kind.
    static func kind(of address: UnsafeRawPointer) -> Kind? {
        switch Int32(address.loadUnaligned(as: sockaddr.self).sa_family) {
        case AF_INET:
            return kind(v4: UInt32(bigEndian: address.loadUnaligned(as: sockaddr_in.self).sin_addr.s_addr))
        case AF_INET6:
            return withUnsafeBytes(of: address.loadUnaligned(as: sockaddr_in6.self).sin6_addr) { kind(v6: $0) }
        default: return nil
        }
    }

    private static func kind(v4 address: UInt32) -> Kind? {
        if address >> 16 == 0xA9FE { return .linkLocal }
        // 0.0.0.0 connects to this machine too.
        return address >> 24 == 127 || address == 0 ? .loopback : nil
    }

    private static func kind(v6 bytes: UnsafeRawBufferPointer) -> Kind? {
        if bytes[0] == 0xFE, bytes[1] & 0xC0 == 0x80 { return .linkLocal }
        // Amazon's metadata services in IPv6: fd00:ec2::254, fd00:ec2::23.
        if bytes.starts(with: [0xFD, 0x00, 0x0E, 0xC2]) { return .linkLocal }
        let last = bytes[12...].reduce(0 as UInt32) { $0 << 8 | UInt32($1) }
        if bytes[..<10].allSatisfy({ $0 == 0 }) {
            if bytes[10] == 0xFF, bytes[11] == 0xFF { return kind(v4: last) }
            if bytes[10] == 0, bytes[11] == 0 { return last <= 1 ? .loopback : nil }
        }
        return nil
    }

    /// Whether the host of a URL says by itself that this machine is meant.
    private static func meansThisMachine(_ host: String) -> Bool {
        let host = host.lowercased()
        if host == "localhost" || host.hasSuffix(".localhost") || host == "[::1]" || host == "[::]" { return true }
        var address = in_addr()
        guard inet_pton(AF_INET, host, &address) == 1 else { return false }
        return kind(v4: UInt32(bigEndian: address.s_addr)) == .loopback
    }
}
