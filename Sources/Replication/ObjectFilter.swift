package import ReplicationModel

/// Which keys a run looks at: the first matching rule decides.
package struct ObjectFilter: Sendable, Hashable {
    package struct Rule: Sendable, Hashable {
        package var includes: Bool
        package var pattern: GlobPattern

        package init(includes: Bool, pattern: GlobPattern) {
            self.includes = includes
            self.pattern = pattern
        }
    }

    package var rules: [Rule]

    package init(_ rules: [Rule] = []) {
        self.rules = rules
    }

    /// A key that no rule matches is in, unless some rule includes: naming what is wanted leaves out the rest.
    package func includes(_ key: ObjectKey) -> Bool {
        if ReservedKeys.contains(key) { return false }
        for rule in rules where rule.pattern.matches(key.bytes) { return rule.includes }
        return !rules.contains { $0.includes }
    }
}
