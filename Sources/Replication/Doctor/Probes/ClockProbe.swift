import ObjectStores
import ReplicationModel

/// How far this machine's clock is from the server's.
struct ClockProbe: DoctorProbe {
    let clock: @Sendable () -> ServerClock?
    var subject: String { "clock" }

    /// Seconds. Services refuse requests that are dated further off than the second.
    private static let tolerated: Int64 = 60
    private static let refused: Int64 = 900

    func examine(_ bench: DoctorBench) async throws(StoreError) {
        guard let ahead = Self.ahead(clock(), bench.written) else { return }
        let seconds = abs(ahead) / 1_000_000_000
        guard seconds > Self.tolerated else {
            bench.tell(
                .ok, subject, "this machine's clock and the server's differ by \(Duration.seconds(seconds).text)")
            return
        }
        let text =
            "this machine's clock is \(Duration.seconds(seconds).text) \(ahead > 0 ? "behind" : "ahead of") the server's"
        bench.tell(
            .warning, subject, text,
            engine: seconds >= Self.refused
                ? "requests are dated by the server's clock instead; set this machine's"
                : "ages and schedules are off by as much; set this machine's clock")
    }

    /// Nanoseconds that the server is ahead. A header has whole seconds; a write happened at some time while it was waited for.
    private static func ahead(
        _ told: ServerClock?, _ written: (before: Int64, after: Int64, server: Int64)?
    ) -> Int64? {
        if let told { return told.server - told.local }
        guard let written, written.server != 0 else { return nil }
        if written.server > written.after { return written.server - written.after }
        return min(0, written.server - written.before)
    }
}
