import ArgumentParser
import Configuration
import Foundation
import Operations

/// `lockstep run [PAIR…]`: runs pairs of the configuration file once.
struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Runs the pairs of the configuration file once, or checks them.",
        discussion: """
            Pairs run one after another in the order of the file, or several at a time with --parallel. The exit code is the worst of all
            pairs, from the best: 0 done, 5 unproven, 8 limit, 7 locked, 75 try again later, 3 some objects failed, 4 drift, 6 refused,
            2 usage, 78 configuration or credentials, 1; after a signal 130 or 143.

            EXAMPLES
              lockstep run
              lockstep run models datasets --config lockstep.yaml
              lockstep run --check
              lockstep run --json | jq -r 'select(.event=="failed") | [.pair, .key] | @tsv'
            """)

    @Argument(help: ArgumentHelp("Only these pairs.", valueName: "pair"))
    var pairs: [String] = []
    @OptionGroup var file: ConfigurationOptions
    @Flag(help: "Check the pairs instead of running them; reads only.")
    var check = false
    @Flag(name: [.customShort("n"), .long], help: "Print what would be done; read only.")
    var dryRun = false
    @Option(help: ArgumentHelp("Pairs that run at the same time (1).", valueName: "n"))
    var parallel = 1
    @Option(
        help: ArgumentHelp(
            "Where lockstep_PAIR.prom is written after each run, instead of the file's metrics.textfile.",
            valueName: "directory"))
    var metricsTextfile: String?
    @OptionGroup(title: "Output")
    var output: OutputOptions

    func validate() throws {
        if check, dryRun { throw ValidationError("--check reads only, as --dry-run does: use one of them") }
        guard (1...64).contains(parallel) else { throw ValidationError("--parallel must be between 1 and 64") }
    }

    func run() async throws {
        let environment = ProcessInfo.processInfo.environment
        let loaded = Result { try ConfigurationFile.load(file.config, environment) }
        let context = CommandContext(verbose: output.verbose, log: try? loaded.get().configuration.log)
        let command = self
        try await context.run { try await command.runPairs(of: try loaded.get(), context) }
    }

    private func runPairs(of file: ConfigurationFile, _ context: CommandContext) async throws -> Int32 {
        let pairs = try file.pairs(pairs)
        let isAlone = pairs.count == 1
        let journal = RunJournal(file.configuration, textfile: metricsTextfile, context: context)
        let command = self
        let codes = await withTaskGroup(of: Int32.self) { group in
            var codes: [Int32] = []
            var active = 0
            for pair in pairs {
                if active == command.parallel, let code = await group.next() {
                    codes.append(code)
                    active -= 1
                }
                // Nothing new begins after a signal.
                guard !Task.isCancelled else { break }
                active += 1
                group.addTask { await command.run(pair, isAlone: isAlone, journal, context) }
            }
            for await code in group { codes.append(code) }
            return codes
        }
        return context.interruption.exitCode ?? PairOutcome.worst(codes)
    }

    private func run(
        _ pair: ConfiguredPair, isAlone: Bool, _ journal: RunJournal, _ context: CommandContext
    ) async -> Int32 {
        let output = RunOutput(output, context, pair: pair.name, isLabelled: !isAlone, showsProgress: parallel == 1)
        // What only would be done is nothing that a record, a metric or a person should be told of.
        if dryRun { return await pair.run(.manual, dryRun: true, output: output, context: context).exitCode }
        guard check else {
            return await journal.accompany(.sync, of: pair) {
                await pair.run(.manual, output: output, context: context)
            }
        }
        let shown = CheckOutput(json: self.output.json, verbose: self.output.verbose, quiet: self.output.quiet)
        return await journal.accompany(.check, of: pair) {
            await pair.check(.manual, shown: shown, output: output, context: context)
        }
    }
}
