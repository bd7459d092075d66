import ArgumentParser
import Manifests
import Replication

/// A share of 100, written `5%` or `5`.
struct PercentQuantity: ExpressibleByArgument, Hashable {
    let percent: Double

    init?(argument: String) {
        guard let value = Double(argument.hasSuffix("%") ? String(argument.dropLast()) : argument), value > 0,
            value <= 100
        else { return nil }
        percent = value
    }
}

/// What counts as proof.
struct EvidenceOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            """
            What each object needs: 1 the ledger vouches for both versions, 2 both stores report equal checksums now, 3 the bytes of \
            both sides are read now (1 with a ledger, else 2; 3 with --sample).
            """, valueName: "1|2|3"))
    var evidence: Int?

    @Option(
        help: ArgumentHelp(
            "Check a random share of the objects at that level, the others by the ledger.", valueName: "p%"))
    var sample: PercentQuantity?

    @Option(help: ArgumentHelp("Chooses the sample; printed, so that it can be drawn again.", valueName: "n"))
    var seed: UInt64?

    @Flag(help: "Keys that only the target has do not count.")
    var oneWay = false

    @Flag(help: "Never read objects: those without a checksum in common stay unproven.")
    var noRead = false

    @Flag(help: "Compare bytes only, not content type, metadata and the like.")
    var ignoreAttributes = false

    @Flag(help: "Do as if there were no ledger.")
    var noLedger = false

    /// What stands for the source.
    enum Reference: String, ExpressibleByArgument, CaseIterable {
        case manifest
    }

    @Option(help: "Check the target alone with the manifest that was published there, the source being down.")
    var against: Reference?

    @Option(
        help: ArgumentHelp(
            "The public key that must have signed the manifest (signing-key.pub in the state directory).",
            valueName: "file"))
    var trustKey: String?

    @Option(
        help: ArgumentHelp(
            "With --against manifest: where the manifest was published, if not at the target (sync --control).",
            valueName: "location"))
    var control: String?

    func validate() throws {
        if let evidence, !(1...3).contains(evidence) { throw ValidationError("--evidence is 1, 2 or 3") }
        if noRead, level == .reread {
            throw ValidationError("--evidence 3 reads both sides, --no-read forbids it: use one of them")
        }
        if trustKey != nil, against == nil { throw ValidationError("--trust-key is the signer of --against manifest") }
        if seed != nil, sample == nil { throw ValidationError("--seed chooses a --sample; name its share too") }
    }

    var level: EvidenceLevel? {
        evidence.flatMap { EvidenceLevel(rawValue: $0) } ?? (sample == nil ? nil : .reread)
    }

    func apply(to options: inout CheckOptions) {
        options.evidence = level
        options.isOneWay = oneWay
        options.mayRead = !noRead
        options.comparesAttributes = !ignoreAttributes
        options.sample = sample.map {
            CheckSample(percent: $0.percent, seed: seed ?? UInt64.random(in: 0..<1_000_000_000))
        }
    }
}

/// Which objects belong together.
struct ArtifactSetOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Objects that share their first N folders are one artifact set.", valueName: "n"))
    var setDepth: Int?

    @Option(help: ArgumentHelp("Each folder that matches is one artifact set.", valueName: "pattern"))
    var set: String?

    func validate() throws {
        if setDepth != nil, set != nil { throw ValidationError("--set-depth and --set exclude each other") }
        if let setDepth, !(1...64).contains(setDepth) { throw ValidationError("--set-depth is between 1 and 64") }
        _ = try rule()
    }

    func rule() throws -> CheckedSetRule? {
        if let setDepth { return .depth(setDepth) }
        guard let set else { return nil }
        do { return .folders(try GlobPattern(set)) } catch { throw ValidationError("--set: \(error)") }
    }
}

/// What a check may use.
struct CheckLimitOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Bytes of all buffers (128M).", valueName: "bytes"))
    var memory: ByteQuantity?

    @Option(help: ArgumentHelp("Requests in flight at most (32).", valueName: "n"))
    var concurrency: Int?

    @Option(help: ArgumentHelp("Bytes per second that are read at the source, e.g. 50M.", valueName: "bytes/s"))
    var limitRate: ByteQuantity?

    @Option(help: ArgumentHelp("Directory of the ledgers ($XDG_STATE_HOME/lockstep).", valueName: "dir"))
    var state: String?

    func validate() throws {
        if let concurrency, !(1...1024).contains(concurrency) {
            throw ValidationError("--concurrency must be between 1 and 1024")
        }
        if let memory, memory.bytes < 8 << 20 { throw ValidationError("--memory must be at least 8M") }
        if let limitRate, limitRate.bytes < 1 { throw ValidationError("--limit-rate must be at least 1") }
    }

    func apply(to options: inout CheckOptions) {
        if let memory { options.memory = Int(memory.bytes) }
        if let concurrency { options.concurrency = concurrency }
        options.partSize = min(options.partSize, Int64(options.memory / 4))
    }
}

/// Where the answer goes.
struct CheckOutputOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "One line per key: = same, - only in target, + only in source, * differs, ! could not look, ? unproven.",
            valueName: "file"))
    var combined: String?

    @Option(help: ArgumentHelp("One self-contained page for people.", valueName: "file"))
    var html: String?

    @Flag(help: "Newline-delimited JSON on standard output, the summary last.")
    var json = false

    @Flag(name: .shortAndLong, help: "Name every key that is not the same, and every retry.")
    var verbose = false

    @Flag(name: .shortAndLong, help: "Only the verdict.")
    var quiet = false

    @Flag(help: "No progress bar and no line a minute.")
    var noProgress = false

    func validate() throws {
        if verbose, quiet { throw ValidationError("--verbose and --quiet exclude each other") }
        if html == "-" { throw ValidationError("--html needs a file: the page is written when the check has ended") }
        if json, combined == "-" {
            throw ValidationError("--json and --combined - both want standard output: name a file")
        }
    }
}
