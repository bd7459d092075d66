package import Replication
import ReplicationModel

/// How a pair is replicated, as flags of one run and the keys of the file say it alike.
package struct PairSettings: Sendable, Hashable {
    package var filter = ObjectFilter()
    package var pointers = PointerSettings()
    package var comparison = ReplicationOptions.Comparison.versions
    package var onConflict = ReplicationOptions.ConflictPolicy.keep
    package var delta = false
    package var deletion = DeletionSettings()
    package var manifest = ManifestSettings()
    package var limits = LimitSettings()
    package var lease = LeaseSettings()

    package init() {}

    package func problems(_ name: SettingNames) -> [SettingProblem] {
        pointers.problems(name) + deletion.problems(name) + manifest.problems(name) + limits.problems(name)
            + lease.problems(name)
    }
}

/// What is written last, and after what.
package struct PointerSettings: Sendable, Hashable {
    package var patterns: [GlobPattern]
    package var setDepth: Int?
    package var folders: [GlobPattern]

    package init(patterns: [GlobPattern] = [], setDepth: Int? = nil, folders: [GlobPattern] = []) {
        self.patterns = patterns
        self.setDepth = setDepth
        self.folders = folders
    }

    /// nil without pointers.
    package var sets: ArtifactSets? {
        guard !patterns.isEmpty else { return nil }
        if let setDepth { return ArtifactSets(pointers: patterns, extent: .depth(setDepth)) }
        return ArtifactSets(pointers: patterns, extent: folders.isEmpty ? .folder : .matching(folders))
    }

    package func problems(_ name: SettingNames) -> [SettingProblem] {
        var problems: [SettingProblem] = []
        let extent: Setting = setDepth != nil ? .setDepth : .sets
        if patterns.isEmpty, setDepth != nil || !folders.isEmpty {
            problems.append(
                SettingProblem(
                    extent,
                    "\(name(.setDepth)) and \(name(.sets)) say what belongs to a pointer: name pointers with \(name(.pointers))"
                ))
        }
        if setDepth != nil, !folders.isEmpty {
            problems.append(
                SettingProblem(
                    .setDepth,
                    "\(name(.setDepth)) and \(name(.sets)) exclude each other: both say how far a set extends"))
        }
        return problems + SettingBounds.setDepth.problem(setDepth, .setDepth, name)
    }
}

/// Whether and how target objects that the source does not have are deleted.
package struct DeletionSettings: Sendable, Hashable {
    package var isEnabled: Bool
    package var limits: [DeleteQuantity]
    package var backupPrefix: String
    package var isPermanent: Bool

    package init(
        isEnabled: Bool = false, limits: [DeleteQuantity] = [],
        backupPrefix: String = ReservedKeys.deletedPrefix.text, isPermanent: Bool = false
    ) {
        self.isEnabled = isEnabled
        self.limits = limits
        self.backupPrefix = backupPrefix
        self.isPermanent = isPermanent
    }

    package func problems(_ name: SettingNames) -> [SettingProblem] {
        guard !ReservedKeys.contains(ObjectKey(backupPrefix + "/")) else { return [] }
        return [
            SettingProblem(
                .backupPrefix,
                "\(name(.backupPrefix)) must be below \(ReservedKeys.prefix), which no run replicates or deletes; e.g. .lockstep/deleted/2026"
            )
        ]
    }
}

/// Whether the pair's manifest is published, who signs it, and how many are kept. Where, the request says.
package struct ManifestSettings: Sendable, Hashable {
    package var isEnabled: Bool
    /// The location's text; nil: the target.
    package var control: String?
    /// Path of an Ed25519 key; nil: the one of the state directory.
    package var signingKey: String?
    package var kept: Int

    package static let standardKept = 30

    package init(
        isEnabled: Bool = true, control: String? = nil, signingKey: String? = nil, kept: Int = Self.standardKept
    ) {
        self.isEnabled = isEnabled
        self.control = control
        self.signingKey = signingKey
        self.kept = kept
    }

    package func problems(_ name: SettingNames) -> [SettingProblem] {
        var problems = SettingBounds.keptManifests.problem(kept, .keptManifests, name)
        if !isEnabled, control != nil || signingKey != nil {
            let text = "\(name(.noManifest)) excludes \(name(.control)) and \(name(.signingKey))"
            problems.append(SettingProblem(.noManifest, text))
        }
        return problems
    }
}

/// Ceilings of one run; nil: the standard ones, or none.
package struct LimitSettings: Sendable, Hashable {
    /// Bytes per second that are read at the source.
    package var rate: ByteQuantity?
    package var maxTransfer: ByteQuantity?
    package var maxDuration: TimeQuantity?
    package var memory: ByteQuantity?
    package var concurrency: Int?
    package var partSize: ByteQuantity?

    package init(
        rate: ByteQuantity? = nil, maxTransfer: ByteQuantity? = nil, maxDuration: TimeQuantity? = nil,
        memory: ByteQuantity? = nil, concurrency: Int? = nil, partSize: ByteQuantity? = nil
    ) {
        self.rate = rate
        self.maxTransfer = maxTransfer
        self.maxDuration = maxDuration
        self.memory = memory
        self.concurrency = concurrency
        self.partSize = partSize
    }

    package func problems(_ name: SettingNames) -> [SettingProblem] {
        var problems =
            SettingBounds.concurrency.problem(concurrency, .concurrency, name)
            + SettingBounds.memory.problem(memory?.bytes, .memory, name)
            + SettingBounds.partSize.problem(partSize?.bytes, .partSize, name)
            + SettingBounds.rate.problem(rate?.bytes, .rate, name)
        if let partSize, partSize.bytes > memory?.bytes ?? Int64(ReplicationOptions().memory) {
            let text =
                "\(name(.partSize)) \(partSize) does not fit into \(name(.memory)): a part is a buffer; raise \(name(.memory))"
            problems.append(SettingProblem(.partSize, text))
        }
        return problems
    }
}

/// How long a pair stays reserved for a run that shows no sign of life; nil: the standard length.
package struct LeaseSettings: Sendable, Hashable {
    package var length: TimeQuantity?

    package init(length: TimeQuantity? = nil) {
        self.length = length
    }

    package func problems(_ name: SettingNames) -> [SettingProblem] {
        SettingBounds.lease.problem(length?.duration, .lease, name)
    }
}
