import Synchronization

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Tells the service manager how the service is: sd_notify(3), datagrams to the socket that `NOTIFY_SOCKET` names. Does nothing where
/// there is none.
package final class ServiceNotifier: Sendable {
    /// Half of what the service manager waits for a sign of life; nil when it does not ask for any.
    package let watchdogInterval: Duration?
    private let address: [UInt8]?

    /// - Parameter process: this process: a watchdog may be meant for another.
    package init(environment: [String: String], process: Int32 = getpid()) {
        address = Self.address(environment["NOTIFY_SOCKET"])
        let isMine = environment["WATCHDOG_PID"].map { Int32($0) == process } ?? true
        if address != nil, isMine, let limit = environment["WATCHDOG_USEC"].flatMap({ Int64($0) }), limit > 0 {
            watchdogInterval = .microseconds(limit / 2)
        } else {
            watchdogInterval = nil
        }
    }

    package func ready(status: String) { send("READY=1\nSTATUS=\(Self.oneLine(status))") }
    package func status(_ text: String) { send("STATUS=\(Self.oneLine(text))") }
    package func watchdog() { send("WATCHDOG=1") }
    package func stopping(status: String) { send("STOPPING=1\nSTATUS=\(Self.oneLine(status))") }

    /// `ready` follows when the configuration has been read, be it good or bad.
    package func reloading() {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        send("RELOADING=1\nMONOTONIC_USEC=\(Int64(now.tv_sec) * 1_000_000 + Int64(now.tv_nsec) / 1000)")
    }

    private static func oneLine(_ text: String) -> String {
        String(text.map { $0.isNewline ? " " : $0 })
    }

    /// The bytes of `sun_path`; a leading `@` stands for the zero byte of an abstract name.
    private static func address(_ name: String?) -> [UInt8]? {
        guard let name, let first = name.utf8.first, first == UInt8(ascii: "/") || first == UInt8(ascii: "@") else {
            return nil
        }
        var path = Array(name.utf8)
        guard path.count < 108 else { return nil }
        if first == UInt8(ascii: "@") { path[0] = 0 } else { path.append(0) }
        return path
    }

    /// One datagram; a service manager that does not listen is no reason to stop.
    private func send(_ message: String) {
        guard let address else { return }
        #if canImport(Glibc)
            let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        #else
            let descriptor = socket(AF_UNIX, SOCK_DGRAM, 0)
        #endif
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        var target = sockaddr_un()
        target.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &target.sun_path) { $0.copyBytes(from: address) }
        let length = socklen_t(MemoryLayout<sockaddr_un>.offset(of: \.sun_path)! + address.count)
        let bytes = Array(message.utf8)
        _ = withUnsafePointer(to: &target) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                #if canImport(Glibc)
                    sendto(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT), pointer, length)
                #else
                    sendto(descriptor, bytes, bytes.count, MSG_DONTWAIT, pointer, length)
                #endif
            }
        }
    }
}
