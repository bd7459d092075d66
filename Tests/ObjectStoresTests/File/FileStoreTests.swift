import ObjectStores
import StoreConformance
import Testing

@Suite struct FileStoreTests {
    static let directory = TemporaryDirectory(onDisk: true)
    static let suite = StoreConformance(
        store: directory.store(),
        fixture: ConformanceFixture(reopen: { directory.store() }, refusesObjectAndFolderOfOneName: true))

    @Test(arguments: StoreConformance.checks)
    func conforms(_ check: ConformanceCheck) async throws {
        try await Self.suite.run(check)
    }
}
