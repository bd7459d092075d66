import Foundation

/// What is known of the process that serves.
package struct ServiceFacts: Sendable {
    package var version: String
    /// Absolute.
    package var configurationPath: String
    package var isConfigurationGood: Bool
    /// When the configuration was last taken, seconds since 1970.
    package var configured: Int64
    /// Keys of the configuration whose change waits for a restart.
    package var needsRestart: [String]
    /// Bytes in buffers of runs under way.
    package var bufferBytes: Int
    /// Notifications by channel and by result.
    package var notifications: [String: [String: Int]]

    package init(
        version: String, configurationPath: String, isConfigurationGood: Bool, configured: Int64,
        needsRestart: [String] = [], bufferBytes: Int,
        notifications: [String: [String: Int]]
    ) {
        self.version = version
        self.configurationPath = configurationPath
        self.isConfigurationGood = isConfigurationGood
        self.configured = configured
        self.needsRestart = needsRestart
        self.bufferBytes = bufferBytes
        self.notifications = notifications
    }
}

/// The metrics of the process, which belong to no pair: never in a textfile, where those of two files would clash.
package enum ServiceMetrics {
    package static func write(_ facts: ServiceFacts, to page: inout PrometheusText) {
        page.begin("lockstep_build_info", .gauge, "1; the version is a label.")
        page.add(1, [("version", facts.version)])
        page.begin(
            "lockstep_config_last_reload_successful", .gauge,
            "Whether the configuration file was good when it was last read.")
        page.add(facts.isConfigurationGood ? 1 : 0)
        page.begin(
            "lockstep_config_last_reload_success_timestamp_seconds", .gauge, "When a good configuration was last read.")
        page.add(facts.configured)
        page.begin("lockstep_buffer_bytes", .gauge, "Bytes that runs under way may hold in buffers.")
        page.add(facts.bufferBytes)
        page.begin("lockstep_notifications_total", .counter, "Notifications by channel.")
        for (name, results) in facts.notifications.sorted(by: { $0.key < $1.key }) {
            for result in ["sent", "failed"] { page.add(results[result] ?? 0, [("name", name), ("result", result)]) }
        }
        writeProcess(&page)
    }

    private static func writeProcess(_ page: inout PrometheusText) {
        var usage = rusage()
        if getrusage(Int32(RUSAGE_SELF.rawValue), &usage) == 0 {
            let seconds =
                Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
                + Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6
            page.begin("process_cpu_seconds_total", .counter, "Processor time of user and system.")
            page.add(seconds)
        }
        #if os(Linux)
            if let resident = ProcessFacts.residentBytes {
                page.begin("process_resident_memory_bytes", .gauge, "Memory that is resident.")
                page.add(resident)
            }
            if let start = ProcessFacts.start {
                page.begin("process_start_time_seconds", .gauge, "When the process began.")
                page.add(start)
            }
        #endif
    }
}

#if os(Linux)
    /// What the kernel says of this process.
    private enum ProcessFacts {
        static var residentBytes: Int? {
            guard let text = contents("/proc/self/statm") else { return nil }
            let fields = text.split(separator: " ")
            guard fields.count > 1, let pages = Int(fields[1]) else { return nil }
            return pages * sysconf(Int32(_SC_PAGESIZE))
        }

        /// Seconds since 1970.
        static let start: Double? = {
            guard let text = contents("/proc/self/stat"), let end = text.lastIndex(of: ")"), let boot = bootTime else {
                return nil
            }
            // The name may hold anything; after it comes the third field, and the start is the 22nd, in clock ticks.
            let fields = text[text.index(after: end)...].split(separator: " ")
            guard fields.count > 19, let ticks = Double(fields[19]) else { return nil }
            return boot + ticks / Double(sysconf(Int32(_SC_CLK_TCK)))
        }()

        private static var bootTime: Double? {
            contents("/proc/stat")?.split(separator: "\n").first { $0.hasPrefix("btime ") }.flatMap {
                Double($0.dropFirst(6))
            }
        }

        private static func contents(_ path: String) -> String? {
            guard let file = fopen(path, "re") else { return nil }
            defer { fclose(file) }
            var bytes = [UInt8](repeating: 0, count: 1 << 16)
            let count = fread(&bytes, 1, bytes.count, file)
            return String(decoding: bytes[..<count], as: UTF8.self)
        }
    }
#endif
