/// What a store did against the contract: which check, what was expected, what came.
package struct ConformanceFailure: Error, Sendable, CustomStringConvertible {
    package var check: String
    package var expected: String
    package var found: String

    package var description: String { "\(check): expected \(expected); found \(found)" }
}
