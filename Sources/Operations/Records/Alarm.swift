/// Whether something is wrong, since when, and when somebody was last told: once when it begins, and again each day that it lasts.
package struct Alarm: Sendable, Hashable, Codable {
    package static let reminder: Int64 = 86400

    /// Seconds since 1970; nil while all is well.
    package private(set) var since: Int64?
    private var told: Int64?

    package init() {}

    /// True when somebody should be told.
    package mutating func raise(at moment: Int64) -> Bool {
        if since == nil { since = moment }
        // A clock that was set back must not silence it for ever.
        if let told, moment < told + Self.reminder, moment >= told { return false }
        told = moment
        return true
    }

    /// True when somebody should be told that it is over.
    package mutating func clear() -> Bool {
        guard since != nil else { return false }
        self = Alarm()
        return true
    }
}
