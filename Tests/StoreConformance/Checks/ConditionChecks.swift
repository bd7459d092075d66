import ObjectStores
import ReplicationModel

extension StoreConformance {
    static let conditionChecks: [ConformanceCheck] = [
        ConformanceCheck("a create-only put makes the object once", needs: [.createOnly]) { context in
            for size in [0, 1000] {
                let key = context.key("object-\(size)")
                let content = TestContent(size, seed: 11)
                let first = try await context.put(content, at: key, condition: .absent)
                try await context.expectFailure(.preconditionFailed, of: "a second create-only put") {
                    try await context.put(TestContent(1000, seed: 12), at: key, condition: .absent)
                }
                try await context.expectObject(key, holds: content, version: first.version)
            }
        },
        ConformanceCheck("after a delete a create-only put makes the object again", needs: [.createOnly]) { context in
            let key = context.key("object")
            try await context.put(TestContent(10, seed: 13), at: key, condition: .absent)
            try await context.delete(key)
            try await context.put(TestContent(20, seed: 14), at: key, condition: .absent)
            try await context.expectObject(key, holds: TestContent(20, seed: 14))
        },
        ConformanceCheck("a put that names the version replaces it", needs: [.compareAndSwap]) { context in
            let key = context.key("object")
            var version = try await context.put(TestContent(100, seed: 15), at: key).version
            for step in 1...3 {
                let content = TestContent(100 * step, seed: 15 + UInt64(step))
                let receipt = try await context.put(content, at: key, condition: .matches(version))
                try context.expect(receipt.version != version, "a new version", "the same")
                version = try await context.expectObject(key, holds: content, version: receipt.version).object.version
            }
        },
        ConformanceCheck("a put that names another version replaces nothing", needs: [.compareAndSwap]) { context in
            let key = context.key("object")
            let old = try await context.put(TestContent(100, seed: 20), at: key).version
            let new = try await context.put(TestContent(100, seed: 21), at: key).version
            try await context.expectFailure(.preconditionFailed, of: "a put that names the version before") {
                try await context.put(TestContent(100, seed: 22), at: key, condition: .matches(old))
            }
            try await context.expectObject(key, holds: TestContent(100, seed: 21), version: new)
        },
        ConformanceCheck("a put that names a version makes no object where none is", needs: [.compareAndSwap]) {
            context in
            let key = context.key("object")
            let gone = try await context.put(TestContent(100, seed: 23), at: key).version
            try await context.delete(key)
            try await context.expectFailure(.preconditionFailed, of: "a put that names a deleted version") {
                try await context.put(TestContent(100, seed: 24), at: key, condition: .matches(gone))
            }
            try await context.expectAbsent(key)
        },
    ]
}
