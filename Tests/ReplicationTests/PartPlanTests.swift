import ObjectStores
import Replication
import ReplicationModel
import Testing

@Suite struct PartPlanTests {
    private let s3 = StoreCapabilities(
        partSize: (5 << 20)...(5 << 30), maxParts: 10_000, maxObjectSize: 10_000 * (5 << 30), maxPutSize: 5 << 30,
        maxCopySize: 5 << 30, copiesParts: true, conditionalWrites: .enforced, listPageLimit: 1000, deleteBatch: 1000,
        versionCoversAttributes: false, reportsChecksums: true)

    @Test func `parts grow with the object and never pass the store's limits`() throws {
        for size: Int64 in [
            1, 5 << 20, 16 << 20, 16 << 20 + 1, 1 << 30, 160_000 << 20, 160_000 << 20 + 1, 5 << 40, 10_000 * (5 << 30),
        ] {
            let plan = try #require(PartPlan(size: size, preferred: 16 << 20, memory: .max, store: s3))
            #expect(plan.count <= 10_000)
            #expect(s3.partSize.contains(plan.partSize))
            var covered: Int64 = 0
            for number in [1, plan.count] {
                let range = plan.range(number)
                #expect(range.offset == Int64(number - 1) * plan.partSize)
                covered = range.end
            }
            #expect(covered == size)
        }
    }

    @Test func `what does not fit is refused`() {
        #expect(PartPlan(size: 10_000 * (5 << 30) + 1, preferred: 16 << 20, memory: .max, store: s3) == nil)
        #expect(PartPlan(size: 5 << 40, preferred: 16 << 20, memory: 256 << 20, store: s3) == nil)
        #expect(PartPlan(size: 0, preferred: 16 << 20, memory: .max, store: s3) == nil)
    }
}
