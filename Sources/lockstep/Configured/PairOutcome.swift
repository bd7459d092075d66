import Configuration

/// What began a run of a configured pair.
enum PairTrigger: String, Sendable {
    case manual, schedule, events
}

/// How one run or one check of a configured pair ended.
struct PairOutcome: Sendable {
    enum Result: Sendable {
        case ran(RunReport, RunProblems)
        case checked(CheckReport)
        /// It did not come so far that there is a report.
        case failed(CommandFailure)
    }

    let pair: String
    let trigger: PairTrigger
    let result: Result

    /// 130 or 143 when a signal ended it.
    let exitCode: Int32
}

extension PairOutcome {
    /// Exit codes from the best to the worst: what `lockstep run` ends with is the worst of its pairs.
    ///
    /// What another run mends by itself is better than what somebody has to look at, and a signal says nothing about the pairs.
    static let order: [Int32] =
        [
            .ok, .unproven, .limit, .locked, .temporary, .partial, .drift, .refused, .usage, .configuration,
            .internalError,
        ]
        .map { (status: ExitStatus) in status.rawValue }

    static func worst(_ codes: some Sequence<Int32>) -> Int32 {
        func rank(_ code: Int32) -> Int { order.firstIndex(of: code) ?? order.count }
        return codes.max { rank($0) < rank($1) } ?? ExitStatus.ok.rawValue
    }
}
