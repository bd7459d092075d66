/// The values that a setting can have, wherever it is written.
package struct Bounds<Value: Comparable & Sendable>: Sendable {
    package let least: Value
    /// nil: no limit.
    package let most: Value?
    /// What follows the setting's name in an error: `must be at least 8M`.
    package let rule: String

    package func allows(_ value: Value) -> Bool {
        value >= least && most.map { value <= $0 } ?? true
    }
}

package enum SettingBounds {
    package static let concurrency = Bounds(least: 1, most: 1024, rule: "must be between 1 and 1024")
    package static let memory = Bounds<Int64>(least: 8 << 20, most: nil, rule: "must be at least 8M")
    package static let partSize = Bounds<Int64>(least: 5 << 20, most: nil, rule: "must be at least 5M")
    package static let rate = Bounds<Int64>(least: 1, most: nil, rule: "must be at least 1")
    package static let keptManifests = Bounds(least: 1, most: nil, rule: "must be at least 1")
    package static let lease = Bounds<Duration>(least: .seconds(2), most: nil, rule: "must be at least 2s")
    package static let setDepth = Bounds(least: 0, most: nil, rule: "must be 0 (the whole location) or more")
    package static let checkedSetDepth = Bounds(least: 1, most: 64, rule: "must be between 1 and 64")
}
