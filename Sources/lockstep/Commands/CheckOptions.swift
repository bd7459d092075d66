import ArgumentParser
import Configuration
import Manifests
import Replication

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
        if trustKey != nil, against == nil { throw ValidationError("--trust-key is the signer of --against manifest") }
        try Setting.refuse(settings.problems)
    }

    var settings: CheckSettings {
        var settings = CheckSettings()
        settings.level = evidence.flatMap { EvidenceLevel(rawValue: $0) }
        settings.sample = sample
        settings.seed = seed
        settings.isOneWay = oneWay
        settings.mayRead = !noRead
        settings.comparesAttributes = !ignoreAttributes
        settings.usesLedger = !noLedger
        return settings
    }
}

/// Which objects belong together.
struct ArtifactSetOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Objects that share their first N folders are one artifact set.", valueName: "n"))
    var setDepth: Int?

    @Option(
        help: ArgumentHelp("Each folder that matches is one artifact set.", valueName: "pattern"),
        transform: {
            do throws(GlobPattern.SyntaxError) {
                return try GlobPattern($0)
            } catch {
                throw ValidationError("--set: \(error)")
            }
        })
    var set: GlobPattern?

    var settings: CheckedSetSettings { CheckedSetSettings(depth: setDepth, folder: set) }

    func validate() throws { try Setting.refuse(settings.problems) }
}

/// What a check may use.
struct CheckLimitOptions: ParsableArguments {
    @OptionGroup var buffers: BufferOptions
    @OptionGroup var directory: StateDirectoryOptions
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

    var showsProgress: Bool { !quiet && !noProgress }

    var output: CheckOutput {
        CheckOutput(combined: combined, html: html, json: json, verbose: verbose, quiet: quiet)
    }

    func validate() throws {
        if verbose, quiet { throw ValidationError("--verbose and --quiet exclude each other") }
        if html == "-" { throw ValidationError("--html needs a file: the page is written when the check has ended") }
        if json, combined == "-" {
            throw ValidationError("--json and --combined - both want standard output: name a file")
        }
    }
}
