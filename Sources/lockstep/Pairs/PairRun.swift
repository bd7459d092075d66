import Buffers
import Configuration
import Cryptography
import Digests
import ObjectStores
import Replication
import ReplicationModel
import Vault

/// One run over one pair, from locations to a report.
struct PairRun {
    let request: PairRequest
    let context: CommandContext
    let observer: any ReplicationObserver
    /// Shows how far the run is, until it is cancelled; nil: nobody looks.
    var watch: (@Sendable (RunProgress) async -> Void)?

    func report() async throws -> RunReport {
        var options = request.settings.options(runFolder: runFolder)
        options.dryRun = request.dryRun
        let notices = try request.keys.apply(to: &options)
        let pace = Pace(
            try request.windows ?? RateWindows(otherwise: request.settings.limits.rate?.bytes), time: context.time)
        let closing = pace.untilClosing
        guard closing != .zero else { throw CommandFailure(.limit, "nothing runs now: a window with rate 0 is open") }
        let endsByWindow = closing.map { $0 <= options.maxDuration ?? $0 } ?? false
        if endsByWindow { options.maxDuration = closing }
        // Out of a vault, memory serves better for blocks of packs, which many parts share, than for parts that wait.
        let parts =
            request.source.location.isVault ? max(Int(options.partSize), options.memory / 2) : options.memory
        let source = try await context.stores.open(
            request.source.location, request.source.connection, for: .reading, rate: pace.limit,
            memory: 2 * options.memory - parts)
        let target = try await context.stores.open(
            request.target.location, request.target.connection, for: .writing(source: source.location.description),
            memory: options.memory)
        guard !source.overlaps(target) else {
            throw CommandFailure(
                .usage, "source and target overlap: \(source.location) and \(target.location) share objects")
        }
        if !request.target.location.isVault { options.refusal = refusesVaults(target.location) }
        for notice in notices { observer.handle(.notice(notice)) }
        let pool = BufferPool(limit: parts)
        let pacing = Task { await pace.keep() }
        defer { pacing.cancel() }
        let pair = try await PairState.open(request.state, source: source, target: target, context: context)
        var report: RunReport
        do {
            report = try await leased(pair, source, target, options, pool)
        } catch {
            // This process may live on, as the daemon does: a lease that it kept would lock out the next run.
            try? await pair.close()
            throw error
        }
        try await pair.close()
        report.windowBegan = endsByWindow && report.summary.stop == .maxDuration
        return report
    }

    private func leased(
        _ pair: PairState, _ source: OpenStore, _ target: OpenStore, _ options: ReplicationOptions, _ pool: BufferPool
    ) async throws -> RunReport {
        let observer = observer
        let manifest = try await PairManifest.open(
            request, source: source, target: target, pool: pool, context: context,
            say: { observer.handle(.notice($0)) })
        return try await LeasedRun(
            source: source, target: target, pair: pair, manifest: manifest, options: options, pool: pool,
            observer: observer, watch: watch, context: context
        ).report()
    }

    private var runFolder: String {
        CivilTime(secondsSince1970: context.time.nowSeconds()).basic + "-" + Hex.encode(SecureRandom.bytes(4))
    }

    /// Whoever forgets `vault+` must not put plain objects between a vault's, or delete these: neither of a vault at the target or below
    /// it, nor in one of a vault's own folders. A copy of a whole vault has them on both sides.
    private func refusesVaults(_ target: ObjectLocation) -> @Sendable (ObjectKey) -> String? {
        let folder = String(target.description.split(separator: "/").last ?? "")
        return { key in
            guard let name = key.utf8 else { return nil }
            let parts = name.split(separator: "/", omittingEmptySubsequences: false).suffix(2)
            let last = parts.joined(separator: "/")
            if VaultName.sequence(of: last, prefix: VaultName.keyPrefix) != nil {
                return last == name
                    ? "\(target) holds a vault (\(name)): write vault+\(target) to sync into it"
                    : "there is a vault below \(target) (\(name)): choose a place of its own for one of them"
            }
            guard last == name, VaultName.isPart("\(folder)/\(last)") else { return nil }
            return "\(target) is a folder of a vault (\(name)): nothing but lockstep vault may write there"
        }
    }
}
