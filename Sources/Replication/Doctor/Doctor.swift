package import ObjectStores
import ReplicationModel

/// Proves a place before its first use: asks the server what the engine will rely on, and tells right answers from wrong ones.
///
/// Everything that is written lies below `.lockstep/doctor/NONCE/` and is removed in the end, also after a failure and after
/// cancellation. Requests and bytes are bounded: each probe makes a fixed number of calls, and few are tried again.
package struct Doctor: Sendable {
    /// What the place is for.
    package enum Use: String, Sendable {
        case source, target
    }

    /// Calls of the store that are tried again in the whole examination.
    static let retries = 2
    /// Objects of the doctor that are removed in the end, at most.
    static let cleaningLimit = 1000

    private let once: any ObjectStore
    private let around: (any ObjectStore)?
    private let use: Use
    private let isReadOnly: Bool
    private let nonce: String
    private let who: String
    private let time: any Timekeeper
    private let clock: @Sendable () -> ServerClock?

    /// - Parameters:
    ///   - store: rooted at the location, one attempt per call.
    ///   - around: the bucket that the location is a part of; nil where the location is all of it.
    ///   - isReadOnly: nothing is written; much remains unknown.
    ///   - nonce: makes the folder unguessable.
    ///   - who: whose rights are looked at, for sentences.
    ///   - clock: the server's clock as its replies tell it.
    package init(
        store: any ObjectStore, around: (any ObjectStore)?, use: Use, isReadOnly: Bool, nonce: String,
        who: String = "the credentials", time: any Timekeeper, clock: @escaping @Sendable () -> ServerClock? = { nil }
    ) {
        once = store
        self.around = around
        self.use = use
        self.isReadOnly = isReadOnly
        self.nonce = nonce
        self.who = who
        self.time = time
        self.clock = clock
    }

    /// - Parameter observer: told each finding when it is made.
    package func examine(_ observer: @escaping @Sendable (DoctorFinding) -> Void = { _ in }) async -> DoctorReport {
        let policy = RetryPolicy(
            maxAttempts: 3, maxRefusals: 3, base: .milliseconds(200), cap: .seconds(5), reserve: Double(Self.retries),
            earned: 0)
        let bench = DoctorBench(
            store: RetryingStore(once, policy: policy, time: time), once: once, around: around, nonce: nonce, who: who,
            time: time, observer: observer)
        if await run(ReachProbe(), bench) { await examine(bench) }
        // The clock is told by every reply, also by refusals.
        _ = await run(ClockProbe(clock: clock), bench)
        // In a task of its own: cancellation ends the examination, not the tidying.
        let leftBehind = await Task { await DoctorCleaning(bench: bench).run() }.value
        return DoctorReport(findings: bench.findings, leftBehind: leftBehind, wasCancelled: Task.isCancelled)
    }

    private func examine(_ bench: DoctorBench) async {
        guard !isReadOnly else { return await lookOnly(bench, "nothing was written (--read-only)") }
        guard await run(WriteProbe(use: use), bench) else { return }
        guard bench.subject != nil else { return await lookOnly(bench, "nothing could be written") }
        var probes: [any DoctorProbe] = [RangeProbe(), PinProbe(), NamesProbe()]
        if use == .target {
            probes += [
                ConditionProbes.Create(), ConditionProbes.Replace(), ChecksumProbe(), MetadataProbe(), MultipartProbe(),
                ConditionProbes.Complete(), AbortProbe(), CopyProbe(), PartCopyProbe(), ConditionProbes.Delete(),
            ]
        }
        probes += [DeleteProbe(), OutsideProbe(use: use)]
        for probe in probes {
            guard await run(probe, bench) else { return }
        }
    }

    /// What can be learned from objects that are there already.
    private func lookOnly(_ bench: DoctorBench, _ reason: String) async {
        for probe in [ExistingListProbe(), ExistingReadProbe()] as [any DoctorProbe] {
            guard await run(probe, bench) else { return }
        }
        bench.tell(
            .unknown, "writing",
            use == .source
                ? "\(reason): whether a write is seen at once by reads and listings is not known"
                : "\(reason): conditional writes, checksums of what is sent, uploads in parts, copies, odd keys, metadata and "
                    + "whether a write is seen at once are not known")
    }

    /// Whether the examination goes on.
    private func run(_ probe: any DoctorProbe, _ bench: DoctorBench) async -> Bool {
        guard !Task.isCancelled else { return false }
        do throws(StoreError) {
            try await probe.examine(bench)
            return true
        } catch {
            return explain(error, probe.subject, bench)
        }
    }

    /// Makes a finding of an error that no probe expected. Returns whether it makes sense to ask on.
    private func explain(_ error: StoreError, _ subject: String, _ bench: DoctorBench) -> Bool {
        switch error.code {
        case .cancelled: return false
        case .unreachable, .network, .throttled, .unavailable:
            bench.tell(.unavailable, subject, "\(error)")
            return error.code != .unreachable && error.code != .throttled && subject != ReachProbe.subject
        case .unauthenticated, .missingContainer:
            bench.tell(.denied, subject, error.message)
            return false
        case .forbidden:
            if bench.isDenied(error.operation) {
                bench.tell(.unknown, subject, "cannot be found out without the right to \(error.operation.rawValue)")
            } else {
                bench.tell(.denied, subject, "\(error)", operation: error.operation)
            }
            return true
        case .noSpace, .quotaExceeded:
            bench.tell(.denied, subject, "\(error)")
            return false
        case .unsupportedOperation where use == .target && [.put, .beginUpload].contains(error.operation):
            bench.tell(.failure, subject, "\(error)", engine: "nothing could be copied to this place")
            return true
        case .unsupportedOperation:
            bench.tell(
                .instead, subject, "\(error)", engine: "what needs this call fails, and each such object is named")
            return true
        default:
            bench.tell(
                .failure, subject, "\(error)", engine: "the engine refuses such an answer: nothing could be copied so")
            return true
        }
    }
}

/// A server's clock as one of its replies told it, and this machine's at that moment.
package struct ServerClock: Sendable {
    /// Nanoseconds since 1970.
    package var server: Int64
    package var local: Int64

    package init(server: Int64, local: Int64) {
        self.server = server
        self.local = local
    }
}
