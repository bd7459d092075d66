import Foundation
package import Manifests
import ObjectStores
package import ReplicationModel

/// Objects of one kind and their bytes.
package struct ObjectTally: Sendable, Hashable {
    package var objects = 0
    package var bytes: Int64 = 0

    package init() {}

    mutating func add(_ size: Int64) {
        objects += 1
        bytes.addSize(size)
    }
}

/// What a check has seen.
package struct CheckCounts: Sendable, Hashable {
    package var source = ObjectTally()
    package var target = ObjectTally()
    /// By the evidence obtained.
    package var same: [EvidenceLevel: ObjectTally] = [:]
    package var differs: [KeyVerdict.Difference: ObjectTally] = [:]
    package var onlyInSource = ObjectTally()
    package var onlyInTarget = ObjectTally()
    package var unproven: [KeyVerdict.Doubt: ObjectTally] = [:]
    /// Only at the target, and the check goes one way.
    package var ignoredInTarget = 0
    /// On neither side any more.
    package var gone = 0
    /// Found by asking for them, although a listing did not show them.
    package var hidden = 0
    package var filtered = 0

    package init() {}

    package var differences: Int {
        differs.values.reduce(0) { $0 + $1.objects } + onlyInSource.objects + onlyInTarget.objects
    }

    package var unprovenObjects: Int { unproven.values.reduce(0) { $0 + $1.objects } }
    package var sameObjects: Int { same.values.reduce(0) { $0 + $1.objects } }
}

/// How far the target is behind: the source's changes that are not verified there.
package struct RecoveryPoint: Sendable, Hashable {
    /// Objects whose current source version is not verified at the target.
    package var waiting = ObjectTally()
    /// Source modification time of the oldest, nanoseconds since 1970; nil when none is waiting or none has a time.
    package var oldest: Int64?
    /// Of those waiting, objects whose store does not say when they changed.
    package var untimed = 0

    package init() {}

    mutating func add(_ finding: CheckFinding) {
        guard let source = finding.source else { return }
        waiting.add(source.size)
        guard source.modified != 0 else {
            untimed += 1
            return
        }
        oldest = min(oldest ?? .max, source.modified)
    }
}

/// One folder whose objects belong together.
package struct CheckedSet: Sendable, Hashable {
    package var name: ObjectKey
    package var objects = ObjectTally()
    /// Objects that are not the same on both sides.
    package var problems = 0
    /// Newest source modification inside, nanoseconds since 1970; 0 when no store says.
    package var newest: Int64 = 0

    package var isComplete: Bool { problems == 0 }
}

/// The sets of a check.
package struct CheckedSets: Sendable, Hashable {
    /// Incomplete ones that are named.
    package static let named = 1000

    package var complete = 0
    package var incomplete = 0
    /// The first by name.
    package var firstIncomplete: [CheckedSet] = []
    /// The complete one with the newest change.
    package var newestComplete: CheckedSet?

    package init() {}

    mutating func close(_ set: CheckedSet) {
        if set.isComplete {
            complete += 1
            if set.newest > newestComplete?.newest ?? -1 { newestComplete = set }
        } else {
            incomplete += 1
            if firstIncomplete.count < Self.named { firstIncomplete.append(set) }
        }
    }
}

/// What a random sample allows to say about all.
package struct SampleResult: Sendable, Hashable {
    package var seed: UInt64
    /// Objects that both sides have.
    package var population = 0
    /// Of these, checked at the level asked for.
    package var checked = 0
    package var differing = 0

    package init(seed: UInt64) {
        self.seed = seed
    }

    /// With 95 % confidence fewer than this share of the population differ, given that none of the checked ones does; nil where one
    /// does or nothing was checked.
    ///
    /// Drawing without replacement: the smallest number D of differing objects for which missing all of them has a probability of
    /// at most 5 %, C(N-D, n) / C(N, n) ≤ 0.05. For a large population it is 1 - 0.05^(1/n).
    package var upperBound: Double? {
        guard checked > 0, differing == 0 else { return nil }
        guard checked < population else { return 0 }
        let total = Double(population)
        let drawn = Double(checked)
        func logMissed(_ differing: Double) -> Double {
            guard total - differing >= drawn else { return -.infinity }
            return lgamma(total - differing + 1) - lgamma(total - differing - drawn + 1) - lgamma(total + 1)
                + lgamma(total - drawn + 1)
        }
        var low = 0
        var high = population - checked + 1
        while low < high {
            let middle = (low + high) / 2
            if logMissed(Double(middle)) <= log(0.05) { high = middle } else { low = middle + 1 }
        }
        return Double(low) / total
    }
}

/// How a check ended. Verdict and exit code follow from it alone.
package struct CheckSummary: Sendable {
    /// The level asked for.
    package var evidence: EvidenceLevel
    package var counts: CheckCounts
    package var recovery: RecoveryPoint
    package var sets: CheckedSets?
    package var sample: SampleResult?
    /// Why the check could not finish.
    package var failure: TransferFailure?
    /// Largest sum of bytes in buffers.
    package var peakBuffers: Int

    package var verdict: CheckVerdict {
        if failure != nil { return .unproven }
        if counts.differences > 0 { return .drift }
        return counts.unprovenObjects > 0 ? .unproven : .inSync
    }
}
