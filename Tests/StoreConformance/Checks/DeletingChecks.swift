import ObjectStores
import ReplicationModel

extension StoreConformance {
    static let deletingChecks: [ConformanceCheck] = [
        ConformanceCheck("a deleted object is gone") { context in
            let key = context.key("folder/object")
            try await context.put(TestContent(10, seed: 100), at: key)
            try await context.put(TestContent(10, seed: 101), at: context.key("folder/other"))
            try await context.delete(key)
            try await context.expectAbsent(key)
            try await context.expectObject(context.key("folder/other"), holds: TestContent(10, seed: 101))
        },
        ConformanceCheck("an absent object is deleted already") { context in
            try await context.delete(context.key("absent"))
            try await context.delete(context.key("no/such/folder/absent"))
            let version = try await context.put(TestContent(10, seed: 102), at: context.key("object")).version
            try await context.delete(context.key("object"))
            try await context.delete(context.key("object"), version: version)
        },
        ConformanceCheck("nothing to delete gives no results") { context in
            let results = await context.store.delete([])
            try context.expect(results.isEmpty, "no results", "\(results.count)")
        },
        ConformanceCheck("a delete that names a version takes that version only", needs: [.conditionalDelete]) {
            context in
            let key = context.key("object")
            let old = try await context.put(TestContent(10, seed: 103), at: key).version
            let new = try await context.put(TestContent(10, seed: 104), at: key).version
            try await context.expectFailure(.preconditionFailed, of: "a delete that names the version before") {
                try await context.delete(key, version: old)
            }
            try await context.expectObject(key, holds: TestContent(10, seed: 104), version: new)
            try await context.delete(key, version: new)
            try await context.expectAbsent(key)
        },
        ConformanceCheck("a batch has one result for each request, in their order", needs: [.conditionalDelete]) {
            context in
            let keys = (0..<8).map { context.key("\($0)/a +%&<\($0)>") }
            let contents = (0..<8).map { TestContent(50, seed: 110 + UInt64($0)) }
            var versions: [VersionToken] = []
            for (key, content) in zip(keys, contents) {
                versions.append(try await context.put(content, at: key).version)
            }
            let requests = [
                DeleteRequest(key: keys[3], version: versions[3]), DeleteRequest(key: keys[0], version: versions[1]),
                DeleteRequest(key: context.key("absent"), version: nil), DeleteRequest(key: keys[1], version: nil),
                DeleteRequest(key: keys[5], version: versions[4]), DeleteRequest(key: keys[2], version: versions[2]),
            ]
            var results: [Result<Void, StoreError>] = []
            let batch = context.capabilities.deleteBatch
            for start in stride(from: 0, to: requests.count, by: batch) {
                results += await context.store.delete(Array(requests[start..<min(start + batch, requests.count)]))
            }
            let expected: [StoreError.Code?] = [nil, .preconditionFailed, nil, nil, .preconditionFailed, nil]
            let found: [StoreError.Code?] = results.map { if case .failure(let error) = $0 { error.code } else { nil } }
            try context.expectEqual(found, expected, "the results")
            for index in [1, 2, 3] { try await context.expectAbsent(keys[index]) }
            for index in [0, 4, 5, 6, 7] {
                try await context.expectObject(keys[index], holds: contents[index], version: versions[index])
            }
        },
        ConformanceCheck("a full batch is deleted") { context in
            let count = min(context.capabilities.deleteBatch, 1000)
            let keys = (0..<count).map { context.key("batch/\($0)") }
            _ = try await context.bounded(keys) { try await context.put(TestContent(1, seed: 1), at: $0) }
            let results = await context.store.delete(keys.map { DeleteRequest(key: $0, version: nil) })
            try context.expectEqual(results.count, count, "the number of results")
            for result in results { try result.get() }
            let left = try await context.list()
            try context.expect(left.isEmpty, "nothing left", "\(left.count) objects")
        },
    ]
}
