import Replication

extension ConfiguredPair {
    /// Runs the pair once, under its lease. Never throws: whatever happens is an outcome, which has been told already.
    func run(
        _ trigger: PairTrigger, keys: KeySelection = .all, dryRun: Bool = false, output: RunOutput,
        context: CommandContext
    ) async -> PairOutcome {
        await outcome(trigger, output, context) {
            let problems = RunProblems(output.observer)
            let run = PairRun(
                request: request(keys: keys, dryRun: dryRun), context: context.speaking(through: output.console),
                observer: problems,
                watch: output.watch)
            let report = try await run.report()
            output.finish(report)
            return (.ran(report, problems), report.exitCode)
        }
    }

    /// Checks the pair once. Never throws.
    func check(
        _ trigger: PairTrigger, shown: CheckOutput, output: RunOutput, context: CommandContext
    ) async -> PairOutcome {
        await outcome(trigger, output, context) {
            // Lines for programs say themselves which pair they are about.
            let console = shown.json ? context.console : output.console
            let collector = try CheckCollector(shown, pair: name, console: console, time: context.time)
            let report = try await CheckRun(
                request: checkRequest(), context: context.speaking(through: output.console), observer: collector
            ).report()
            try collector.finish(report)
            return (.checked(report), report.exitCode)
        }
    }

    private func outcome(
        _ trigger: PairTrigger, _ output: RunOutput, _ context: CommandContext,
        _ body: () async throws -> (PairOutcome.Result, Int32)
    ) async -> PairOutcome {
        do {
            let (result, code) = try await body()
            return PairOutcome(pair: name, trigger: trigger, result: result, exitCode: code)
        } catch {
            let failure = CommandContext.failure(error, nil)
            let code = context.interruption.exitCode ?? failure.status.rawValue
            output.fail(failure, exitCode: code)
            return PairOutcome(pair: name, trigger: trigger, result: .failed(failure), exitCode: code)
        }
    }
}
