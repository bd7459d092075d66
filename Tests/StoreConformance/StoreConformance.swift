package import ObjectStores
import ReplicationModel

/// The contract of `ObjectStore` as checks that every store passes, each below a random prefix of its own that is emptied afterwards.
///
///     @Suite struct MemoryStoreTests {
///         static let suite = StoreConformance(store: MemoryStore(), fixture: ConformanceFixture())
///
///         @Test(arguments: StoreConformance.checks)
///         func conforms(_ check: ConformanceCheck) async throws { try await Self.suite.run(check) }
///     }
package struct StoreConformance: Sendable {
    private let store: any ObjectStore
    private let fixture: ConformanceFixture

    package init(store: any ObjectStore, fixture: ConformanceFixture) {
        self.store = store
        self.fixture = fixture
    }

    package static let checks: [ConformanceCheck] =
        writingChecks + readingChecks + conditionChecks + racingChecks + attributeChecks + checksumChecks
        + listingChecks
        + keyChecks + multipartChecks + uploadLifetimeChecks + continuationChecks + completionChecks + copyingChecks
        + deletingChecks
        + cancellationChecks

    /// Throws `ConformanceFailure` when the store breaks the contract, and the store's own error when it fails where it must not.
    package func run(_ check: ConformanceCheck) async throws {
        for group in check.needs {
            if let reason = fixture.omitted[group] ?? group.missing(in: store.capabilities) {
                print("conformance of \(store.name): left out “\(check.name)” (\(group)): \(reason)")
                return
            }
        }
        let context = ConformanceContext(check: check.name, store: store, fixture: fixture)
        do {
            try await check.body(context)
        } catch {
            // The failure that matters is the check's; what a broken store leaves behind is its own trouble.
            do { try await context.cleanUp() } catch { print("conformance: clean-up after a failed check: \(error)") }
            if error is ConformanceFailure { throw error }
            throw ConformanceFailure(check: check.name, expected: "no error", found: "\(error)")
        }
        try await context.cleanUp()
    }
}
