#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

extension LeaseHolder {
    /// This process.
    package static func current() -> LeaseHolder {
        let process = getpid()
        return LeaseHolder(machine: thisMachine(), process: process, started: startTime(of: process) ?? 0)
    }

    /// Whether the process is known to have ended: it was one of this machine, since its last boot, and is no more.
    package var hasEnded: Bool {
        guard machine == Self.thisMachine(), !machine.isEmpty else { return false }
        return Self.startTime(of: process) != started
    }

    /// Boot and process namespace: only where both are the same do process numbers name the same processes.
    private static func thisMachine() -> String {
        let boot = contents(of: "/proc/sys/kernel/random/boot_id").prefix { !$0.isWhitespace }
        var link = [CChar](repeating: 0, count: 64)
        let length = readlink("/proc/self/ns/pid", &link, link.count)
        guard !boot.isEmpty, length > 0 else { return "" }
        return boot + "/" + String(decoding: link[..<length].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Field 22 of `/proc/PID/stat` (proc(5)): clock ticks since boot. nil when there is no such process.
    private static func startTime(of process: Int32) -> UInt64? {
        let stat = contents(of: "/proc/\(process)/stat")
        // The second field, the name in parentheses, may hold anything.
        guard let end = stat.lastIndex(of: ")") else { return nil }
        let fields = stat[stat.index(after: end)...].split(separator: " ")
        // A zombie holds nothing any more.
        guard fields.count > 19, fields[0] != "Z" else { return nil }
        return UInt64(fields[19])
    }

    private static func contents(of path: String) -> String {
        guard let file = fopen(path, "r") else { return "" }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = fread(&bytes, 1, bytes.count, file)
        return String(decoding: bytes[..<count], as: UTF8.self)
    }
}
