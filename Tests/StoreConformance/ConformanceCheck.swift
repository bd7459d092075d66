/// One question to a store; a test case of its own.
package struct ConformanceCheck: Sendable, CustomStringConvertible {
    package let name: String
    /// Left out when the store or its service lacks any of these.
    let needs: [ConformanceGroup]
    let body: @Sendable (ConformanceContext) async throws -> Void

    init(
        _ name: String, needs: [ConformanceGroup] = [],
        _ body: @escaping @Sendable (ConformanceContext) async throws -> Void
    ) {
        self.name = name
        self.needs = needs
        self.body = body
    }

    package var description: String { name }
}
