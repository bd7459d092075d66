package import Manifests
package import Replication

/// What a check of a pair looks at and what it takes for proof, as flags and the keys of the file say it alike.
package struct CheckSettings: Sendable, Hashable {
    package var filter = ObjectFilter()
    package var level: EvidenceLevel?
    package var sample: PercentQuantity?
    /// nil: another sample each time.
    package var seed: UInt64?
    package var isOneWay = false
    package var mayRead = true
    package var comparesAttributes = true
    package var usesLedger = true
    package var sets = CheckedSetSettings()
    /// Of these memory, concurrency and rate.
    package var limits = LimitSettings()

    package init() {}

    package func problems(_ name: SettingNames) -> [SettingProblem] {
        var problems = limits.problems(name) + sets.problems(name)
        if !mayRead, evidence == .reread {
            problems.append(
                SettingProblem(
                    .noRead,
                    "\(name(.evidence)) 3 reads both sides, \(name(.noRead)) forbids it: use one of them"))
        }
        if seed != nil, sample == nil {
            let text = "\(name(.seed)) chooses a \(name(.sample)); name its share too"
            problems.append(SettingProblem(.seed, text))
        }
        return problems
    }

    /// What each object needs; nil: what there is.
    package var evidence: EvidenceLevel? { level ?? (sample == nil ? nil : .reread) }

    /// - Parameter freshSeed: draws the sample that nobody has chosen.
    package func options(freshSeed: UInt64) -> CheckOptions {
        var options = CheckOptions()
        options.filter = filter
        options.evidence = evidence
        options.isOneWay = isOneWay
        options.mayRead = mayRead
        options.comparesAttributes = comparesAttributes
        options.sample = sample.map { CheckSample(percent: $0.percent, seed: seed ?? freshSeed) }
        options.sets = sets.rule
        if let memory = limits.memory { options.memory = Int(memory.bytes) }
        if let concurrency = limits.concurrency { options.concurrency = concurrency }
        options.partSize = min(options.partSize, Int64(options.memory / 4))
        return options
    }
}

/// Which objects a check reports on together.
package struct CheckedSetSettings: Sendable, Hashable {
    package var depth: Int?
    package var folder: GlobPattern?

    package init(depth: Int? = nil, folder: GlobPattern? = nil) {
        self.depth = depth
        self.folder = folder
    }

    package var rule: CheckedSetRule? {
        depth.map { .depth($0) } ?? folder.map { .folders($0) }
    }

    package func problems(_ name: SettingNames) -> [SettingProblem] {
        var problems = SettingBounds.checkedSetDepth.problem(depth, .checkedSetDepth, name)
        if depth != nil, folder != nil {
            let text = "\(name(.checkedSetDepth)) and \(name(.checkedSet)) exclude each other"
            problems.append(SettingProblem(.checkedSetDepth, text))
        }
        return problems
    }
}
