import CloudSim
import Testing

@Suite struct FaultPlanTests {
    private func target(_ operation: String, _ kind: RequestTarget.Kind = .read, key: String? = "k") -> RequestTarget {
        RequestTarget(operation, kind, bucket: "b", key: key.map { ObjectName($0) })
    }

    /// The requests, counted from 1, in which the plan had a fault.
    private func hits(_ plan: FaultPlan, of count: Int) -> [Int] {
        (1...count).filter { _ in !plan.match(.s3, target("GetObject"), method: "GET").isEmpty }
    }

    @Test func ordinalsAndCounts() {
        #expect(hits(FaultPlan([.status(500)]), of: 3) == [1, 2, 3])
        #expect(hits(FaultPlan([.status(500).on(nth: 2)]), of: 4) == [2])
        #expect(hits(FaultPlan([.status(500).on(count: 2)]), of: 4) == [1, 2])
        #expect(hits(FaultPlan([.status(500).on(nth: 2, count: 2)]), of: 5) == [2, 3])
    }

    @Test func patterns() {
        let plan = FaultPlan()
        func matches(_ rule: FaultRule, _ target: RequestTarget) -> Bool {
            plan.clear()
            plan.add(rule)
            return !plan.match(.s3, target, method: "GET").isEmpty
        }
        #expect(!matches(FaultRule.status(500).on(.gcs), target("GetObject")))
        #expect(matches(FaultRule.status(500).on(operation: "Get*"), target("GetObject")))
        #expect(!matches(FaultRule.status(500).on(operation: "Put*"), target("GetObject")))
        #expect(matches(FaultRule.status(500).on(key: "dir/*.bin"), target("GetObject", key: "dir/a/b.bin")))
        #expect(!matches(FaultRule.status(500).on(key: "dir/*"), target("ListBuckets", key: nil)))
        #expect(!matches(FaultRule.status(500).on(bucket: "other"), target("GetObject")))
        // Actions stay with the kind of request that they can apply to, unless an operation is named.
        #expect(!matches(FaultRule(.listDuplicate), target("GetObject")))
        #expect(matches(FaultRule(.listDuplicate).on(key: "x*"), target("ListObjectsV2", .list, key: nil)))
        #expect(!matches(FaultRule(.dropReplyAfterCommit), target("GetObject")))
    }

    @Test func probabilityFollowsTheSeed() {
        func trace(_ seed: UInt64) -> [Int] {
            var rule = FaultRule.status(500)
            rule.probability = 0.3
            rule.seed = seed
            return hits(FaultPlan([rule]), of: 1_000)
        }
        #expect(trace(1) == trace(1))
        #expect(trace(1) != trace(2))
        #expect((200...400).contains(trace(1).count))
    }

    @Test func unfiredRulesAreKnown() {
        let plan = FaultPlan()
        let fired = plan.add(.status(500).on(operation: "GetObject"))
        plan.add(.status(500).on(operation: "PutObject"))
        _ = plan.match(.s3, target("GetObject"), method: "GET")
        #expect(plan.fired(fired) == 1)
        #expect(plan.unfired.map(\.operation) == ["PutObject"])
        plan.clear()
        #expect(plan.entries.isEmpty)
        #expect(hits(plan, of: 3).isEmpty)
    }
}
