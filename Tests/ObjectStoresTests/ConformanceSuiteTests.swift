import ObjectStores
import ReplicationModel
import StoreConformance
import Testing

/// The suite finds what is wrong: stores that break one rule each fail it.
@Suite struct ConformanceSuiteTests {
    private func failedChecks(_ store: any ObjectStore) async -> Set<String> {
        let suite = StoreConformance(store: store, fixture: ConformanceFixture(manyKeys: 50))
        var failed: Set<String> = []
        for check in StoreConformance.checks {
            do { try await suite.run(check) } catch { failed.insert(check.name) }
        }
        return failed
    }

    @Test func ignoredConditionsAreFound() async {
        let failed = await failedChecks(HookedStore(condition: { _ in .unconditional }))
        #expect(
            failed.isSuperset(of: [
                "a create-only put makes the object once", "a put that names another version replaces nothing",
                "a create-only upload replaces nothing", "a delete that names a version takes that version only",
                "the condition of a copy holds or nothing happens", "of racing create-only puts exactly one wins",
            ]))
        #expect(!failed.contains("a put that names the version replaces it"))
    }

    @Test func unpinnedReadsAreFound() async {
        let failed = await failedChecks(
            HookedStore(reading: { request in
                var request = request
                request.version = nil
                return request
            }))
        #expect(failed.contains("a pinned read never gives bytes of another version"))
    }

    @Test func listingsOutOfOrderAreFound() async {
        let failed = await failedChecks(
            HookedStore(page: { ListPage(objects: $0.objects.reversed(), next: $0.next) }))
        #expect(failed.contains("keys come in the order of their bytes"))
    }

    @Test func hiddenKeysAreFound() async {
        let failed = await failedChecks(
            HookedStore(page: { page in
                ListPage(objects: page.objects.filter { !$0.key.text.hasSuffix("/a/c") }, next: page.next)
            }))
        #expect(failed.contains("pages of any size make up the same listing"))
    }

    @Test func aCursorThatRepeatsIsFound() async {
        let failed = await failedChecks(
            HookedStore(page: { page in ListPage(objects: page.objects, next: page.next == nil ? nil : "the same") }))
        #expect(failed.contains("pages of any size make up the same listing"))
    }
}
