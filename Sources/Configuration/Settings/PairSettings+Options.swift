package import Replication
import ReplicationModel

extension PairSettings {
    /// The engine's options for a run of a pair that has no problems.
    /// - Parameter runFolder: unique to the run, so that what an earlier run kept is never overwritten.
    package func options(runFolder: String) -> ReplicationOptions {
        var options = ReplicationOptions()
        options.filter = filter
        options.sets = pointers.sets
        options.comparison = comparison
        options.onConflict = onConflict
        options.deletion = deletion.deletion(runFolder: runFolder)
        options.delta = delta
        limits.apply(to: &options)
        return options
    }
}

extension DeletionSettings {
    func deletion(runFolder: String) -> ReplicationOptions.Deletion {
        guard isEnabled else { return .off }
        var limit = ReplicationOptions.DeleteLimit.standard
        for quantity in limits {
            switch quantity {
            case .count(let count):
                limit.count = count
                // A number that somebody chose is the limit, whatever its share.
                if limits.count == 1 { limit.percent = 100 }
            case .percent(let percent):
                limit.percent = percent
                limit.percentFloor = 0
            }
        }
        guard !isPermanent else { return .on(limit: limit, backupPrefix: nil) }
        let prefix = backupPrefix.hasSuffix("/") ? backupPrefix : backupPrefix + "/"
        return .on(limit: limit, backupPrefix: ObjectKey(prefix + runFolder + "/"))
    }
}

extension LimitSettings {
    func apply(to options: inout ReplicationOptions) {
        if let memory { options.memory = Int(memory.bytes) }
        if let concurrency { options.concurrency = concurrency }
        if let partSize {
            options.partSize = partSize.bytes
        } else {
            // The pool should hold several parts, so that reading and writing overlap.
            let mebibyte: Int64 = 1 << 20
            options.partSize = max(5 << 20, min(options.partSize, Int64(options.memory / 4) / mebibyte * mebibyte))
        }
        options.maxTransfer = maxTransfer?.bytes
        options.maxDuration = maxDuration?.duration
    }
}
