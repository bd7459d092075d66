/// A setting that a rule speaks of. Flags and keys of the file have different names for it, and the rule uses those that were written.
package enum Setting: Sendable, CaseIterable {
    case pointers, setDepth, sets
    case backupPrefix
    case noManifest, control, signingKey, keptManifests
    case rate, memory, concurrency, partSize
    case lease
    case checkedSetDepth, checkedSet
    case evidence, noRead, seed, sample

    /// Below a pair of the file.
    package var key: String {
        switch self {
        case .pointers: "pointers.patterns"
        case .setDepth: "pointers.set_depth"
        case .sets: "pointers.sets"
        case .backupPrefix: "delete.backup_prefix"
        case .noManifest: "manifest.enabled"
        case .control: "manifest.control"
        case .signingKey: "manifest.signing_key"
        case .keptManifests: "manifest.keep"
        case .rate: "limits.rate"
        case .memory: "limits.memory"
        case .concurrency: "limits.concurrency"
        case .partSize: "limits.part_size"
        case .lease: "lease"
        case .checkedSetDepth: "check.set_depth"
        case .checkedSet: "check.set"
        case .evidence: "check.evidence"
        case .noRead: "check.read"
        case .seed: "check.seed"
        case .sample: "check.sample"
        }
    }

    /// In a sentence about the file, where what a flag negates is a key with a value.
    package var keyName: String {
        switch self {
        case .noManifest, .noRead: "\(key): false"
        default: key
        }
    }
}

/// A value that cannot be used, or that contradicts another.
package struct SettingProblem: Error, Sendable, Hashable {
    package let setting: Setting
    package let text: String

    package init(_ setting: Setting, _ text: String) {
        self.setting = setting
        self.text = text
    }
}

/// What a setting is called where it was written.
package typealias SettingNames = (Setting) -> String

extension Bounds {
    /// The problem with a value, if it has one.
    func problem(_ value: Value?, _ setting: Setting, _ name: SettingNames) -> [SettingProblem] {
        guard let value, !allows(value) else { return [] }
        return [SettingProblem(setting, "\(name(setting)) \(rule)")]
    }
}
