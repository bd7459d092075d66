import Digests
import ObjectStores
import ReplicationModel
import StoreConformance
import Testing

/// A service that ignores conditions, and the store that makes up for it by looking.
@Suite struct ConditionCheckingStoreTests {
    private static func careless(_ base: any ObjectStore = MemoryStore()) -> HookedStore {
        HookedStore(base, condition: { _ in .unconditional })
    }

    static let suite = StoreConformance(
        store: ConditionCheckingStore(careless()),
        fixture: ConformanceFixture(omitted: [.racingWriters: "looking before writing cannot exclude another writer"]))

    @Test(arguments: StoreConformance.checks)
    func conforms(_ check: ConformanceCheck) async throws { try await Self.suite.run(check) }

    @Test func aWriterInBetweenIsNoticed() async throws {
        let memory = MemoryStore()
        // Another writer comes right after ours.
        let base = HookedStore(
            Self.careless(memory),
            before: { (operation, key, number) throws(StoreError) in
                guard operation == .head, number == 2, let key else { return }
                _ = try await memory.put(
                    PutRequest(
                        key: key, body: nil, digest: ContentDigest(), attributes: ObjectAttributes(),
                        condition: .unconditional)
                )
            })
        let store = ConditionCheckingStore(base)
        let error = try await failure { try await store.write("ours", to: "key", condition: .absent) }
        #expect(error?.code == .preconditionFailed)
        #expect(try await memory.bytes(of: "key").isEmpty)
    }

    @Test func unconditionalWritesAreNotDelayedByLookingFirst() async throws {
        let meter = MeteredStore(Self.careless())
        try await ConditionCheckingStore(meter).write("x", to: "key")
        #expect(meter.meter.requests[.head] == 1)
    }
}
