import ObjectStores
import ReplicationModel

extension StoreConformance {
    static let uploadLifetimeChecks: [ConformanceCheck] = [
        ConformanceCheck("an unfinished upload shows nothing and changes nothing", needs: [.multipart]) { context in
            let content = TestContent(context.partSize + 100, seed: 150)
            let fresh = try await context.begin(context.key("new"), size: content.count)
            _ = try await context.sendParts(content.parts(of: context.partSize), of: fresh)
            try await context.expectAbsent(context.key("new"))
            let old = TestContent(100, seed: 151)
            let version = try await context.put(old, at: context.key("old")).version
            let replacing = try await context.begin(context.key("old"), size: content.count)
            _ = try await context.sendParts(content.parts(of: context.partSize), of: replacing)
            try await context.expectObject(context.key("old"), holds: old, version: version)
            try context.expectEqual(try await context.list().map(\.key), [context.key("old")], "the listing")
        },
        ConformanceCheck("an aborted upload is gone, and may be aborted again", needs: [.multipart]) { context in
            let content = TestContent(context.partSize + 100, seed: 152)
            let session = try await context.begin(context.key("object"), size: content.count)
            let receipts = try await context.sendParts(content.parts(of: context.partSize), of: session)
            try await context.store.abortUpload(session)
            try await context.store.abortUpload(session)
            try await context.expectFailure(.missingUpload, of: "completing an aborted upload") {
                try await context.complete(session, receipts, digest: content.digest)
            }
            try await context.expectAbsent(context.key("object"))
        },
        ConformanceCheck("aborting before the first part is allowed", needs: [.multipart]) { context in
            let session = try await context.begin(context.key("object"), size: 10 * context.partSize)
            try await context.store.abortUpload(session)
            try await context.expectAbsent(context.key("object"))
        },
        ConformanceCheck("aborting a completed upload leaves the object", needs: [.multipart]) { context in
            let content = TestContent(context.partSize + 100, seed: 153)
            let session = try await context.begin(context.key("object"), size: content.count)
            let receipts = try await context.sendParts(content.parts(of: context.partSize), of: session)
            let receipt = try await context.complete(session, receipts, digest: content.digest)
            try await context.store.abortUpload(session)
            try await context.expectObject(context.key("object"), holds: content, version: receipt.version)
        },
        ConformanceCheck("two uploads of one key do not mix", needs: [.multipart]) { context in
            let key = context.key("object")
            let contents = [
                TestContent(context.partSize + 100, seed: 156), TestContent(context.partSize + 100, seed: 157),
            ]
            let parts = contents.map { $0.parts(of: context.partSize) }
            var sessions: [UploadSession] = []
            for content in contents { sessions.append(try await context.begin(key, size: content.count)) }
            var receipts: [[PartReceipt]] = [[], []]
            for number in 1...2 {
                for upload in 0..<2 {
                    receipts[upload].append(
                        try await context.sendPart(parts[upload][number - 1], number: number, of: sessions[upload]))
                }
            }
            let first = try await context.complete(sessions[0], receipts[0], digest: contents[0].digest)
            try await context.expectObject(key, holds: contents[0], version: first.version)
            do {
                let second = try await context.complete(sessions[1], receipts[1], digest: contents[1].digest)
                try await context.expectObject(key, holds: contents[1], version: second.version)
            } catch let error as StoreError {
                // Azure drops all uncommitted blocks of a name when a list is committed.
                try context.expectEqual(error.code, .missingUpload, "the failure of the second upload")
                try await context.expectObject(key, holds: contents[0], version: first.version)
            }
        },
    ]
}
