import Cryptography
import HTTPStores
import ObjectStores
import Operations
import Replication
import ReplicationModel
import Testing

private func message(
    _ id: String, _ keys: [String], _ kind: ObjectChange.Kind = .written, deliveries: Int = 1,
    container: String = "bucket"
) -> EventMessage {
    EventMessage(
        id: id, receipt: Secret("receipt-\(id)"), deliveries: deliveries,
        content: .changes(keys.map { ObjectChange(kind: kind, container: container, key: ObjectKey($0)) }))
}

private func scope(_ rules: [ObjectFilter.Rule] = []) throws -> EventScope {
    EventScope(
        location: ObjectLocation(service: .s3, bucket: "bucket", prefix: ObjectKey("data/")),
        filter: ObjectFilter(rules),
        sets: ArtifactSets(pointers: [try GlobPattern("**/latest")], extent: .folder))
}

struct EventScopeTests {
    @Test(
        "only what is below the pair's location and passes its filters is of interest",
        arguments: [
            ("data/a/b", EventScope.Placement.copy(ObjectKey("a/b"))), ("data/tmp/x", .foreign), ("database", .foreign),
            ("data/", .foreign), ("data/.lockstep/x", .foreign), ("data/model/latest", .reconcile),
        ])
    func places(key: String, expected: EventScope.Placement) throws {
        let scope = try scope([ObjectFilter.Rule(includes: false, pattern: GlobPattern("tmp/**"))])
        #expect(scope.place(ObjectChange(kind: .written, container: "bucket", key: ObjectKey(key))) == expected)
        #expect(scope.place(ObjectChange(kind: .written, container: "other", key: ObjectKey(key))) == .foreign)
    }

    @Test("removed objects are never copied, and of another account nothing is")
    func removedAndAccounts() throws {
        let change = ObjectChange(kind: .removed, container: "bucket", key: ObjectKey("data/a"))
        #expect(try scope().place(change) == .removed)
        let azure = EventScope(
            location: ObjectLocation(service: .az, account: "mine", bucket: "bucket"), filter: ObjectFilter(), sets: nil
        )
        for (account, expected) in [("mine", EventScope.Placement.copy(ObjectKey("k"))), ("theirs", .foreign)] {
            let change = ObjectChange(kind: .written, account: account, container: "bucket", key: ObjectKey("k"))
            #expect(azure.place(change) == expected)
        }
    }
}

struct EventBatchTests {
    @Test("keys are copied once however often they are named, and messages go when their keys are settled")
    func settles() throws {
        var batch = EventBatch(scope: try scope())
        let first = batch.add([
            message("1", ["data/a", "data/b"]), message("2", ["data/b"]), message("3", ["elsewhere"]),
            message("4", ["data/c"], .removed), message("5", ["data/a"], container: "other"),
            EventMessage(id: "6", receipt: Secret("r"), deliveries: 1, content: .test),
        ])
        #expect(first.acknowledged.map(\.id) == ["3", "4", "5", "6"])
        #expect(first.counts == [.ignored: 3, .removed: 1])
        #expect(batch.keys == [ObjectKey("a"), ObjectKey("b")])
        let last = batch.settle(unsettled: [ObjectKey("a")])
        #expect(last.acknowledged.map(\.id) == ["2"])
        #expect(last.later.map(\.message.id) == ["1"])
        #expect(!last.needsReconciliation)
    }

    @Test("a message that is delivered again takes the place of the first")
    func redelivery() throws {
        var batch = EventBatch(scope: try scope())
        _ = batch.add([message("1", ["data/a"])])
        var again = message("1", ["data/a"], deliveries: 2)
        again.receipt = Secret("newer")
        _ = batch.add([again])
        #expect(batch.messages.count == 1)
        #expect(batch.settle(unsettled: []).acknowledged.map(\.receipt) == [Secret("newer")])
    }

    @Test("what fails comes again later and later, and after five deliveries a full run takes it over")
    func handsOver() throws {
        var waits: [Duration] = []
        for deliveries in 1...4 {
            var batch = EventBatch(scope: try scope())
            _ = batch.add([message("1", ["data/a"], deliveries: deliveries)])
            let settlement = batch.settle(unsettled: nil)
            #expect(settlement.acknowledged.isEmpty && !settlement.needsReconciliation)
            waits += settlement.later.map(\.wait)
        }
        #expect(waits == [.seconds(30), .seconds(60), .seconds(120), .seconds(240)])
        var batch = EventBatch(scope: try scope())
        _ = batch.add([message("1", ["data/a"], deliveries: 5)])
        let settlement = batch.settle(unsettled: [ObjectKey("a")])
        #expect(settlement.acknowledged.map(\.id) == ["1"])
        #expect(settlement.needsReconciliation)
        #expect(settlement.counts == [.failed: 1])
        #expect(settlement.warnings.count == 1)
    }

    @Test("a pointer asks for a full run, and what is written with it is copied")
    func pointers() throws {
        var batch = EventBatch(scope: try scope())
        let settlement = batch.add([
            message("1", ["data/m/latest"]), message("2", ["data/m/latest", "data/m/weights"]),
        ])
        #expect(settlement.needsReconciliation)
        #expect(settlement.acknowledged.map(\.id) == ["1"])
        #expect(batch.keys == [ObjectKey("m/weights")])
    }

    @Test("what cannot be read is left to the queue for four deliveries, and then taken off with a warning")
    func unreadable() throws {
        var batch = EventBatch(scope: try scope())
        for deliveries in 1...5 {
            let poison = EventMessage(
                id: "p", receipt: Secret("r"), deliveries: deliveries, content: .unreadable("it is not JSON"))
            let settlement = batch.add([poison])
            #expect(settlement.counts == [.unreadable: 1])
            #expect(settlement.acknowledged.isEmpty == (deliveries < 5))
            #expect(settlement.needsReconciliation == (deliveries == 5))
            #expect(settlement.warnings.contains { $0.contains("it is not JSON") } == (deliveries == 5))
        }
        #expect(batch.isEmpty)
    }

    @Test("a batch is bounded by keys and by messages")
    func bounds() throws {
        var batch = EventBatch(scope: try scope())
        _ = batch.add((0..<EventBatch.maxMessages).map { message("\($0)", ["data/same"]) })
        #expect(batch.isFull)
        #expect(batch.keys.count == 1)
        var wide = EventBatch(scope: try scope())
        _ = wide.add([message("1", (0..<EventBatch.maxKeys).map { "data/\($0)" })])
        #expect(wide.isFull)
    }
}
