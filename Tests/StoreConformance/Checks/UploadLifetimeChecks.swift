import Foundation
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
        ConformanceCheck("another process can continue an upload", needs: [.multipart]) { context in
            let content = TestContent(2 * context.partSize + 100, seed: 154)
            let parts = content.parts(of: context.partSize)
            let session = try await context.begin(context.key("object"), size: content.count)
            var receipts = [try await context.sendPart(parts[0], number: 1, of: session)]
            let stored = try JSONEncoder().encode(session)
            let restored = try JSONDecoder().decode(UploadSession.self, from: stored)
            try context.expectEqual(restored, session, "the session as it was stored")
            let other = try context.fixture.reopen?() ?? context.store
            for number in [2, 3] {
                receipts.append(
                    try await context.sendPart(parts[number - 1], number: number, of: restored, through: other))
            }
            let receipt = try await context.complete(restored, receipts, digest: content.digest, through: other)
            try await context.expectObject(context.key("object"), holds: content, version: receipt.version)
        },
        ConformanceCheck("open uploads are listed until they end", needs: [.multipart, .openUploads]) { context in
            let content = TestContent(context.partSize + 100, seed: 155)
            let parts = content.parts(of: context.partSize)
            var sessions: [ObjectKey: UploadSession] = [:]
            for name in ["one", "two", "three"] {
                let session = try await context.begin(context.key("folder/\(name)"), size: content.count)
                _ = try await context.sendPart(parts[0], number: 1, of: session)
                sessions[session.key] = session
            }
            let found = try await context.openUploads()
            try context.expectEqual(Set(found.map(\.session.key)), Set(sessions.keys), "the keys of the open uploads")
            // What the listing names can be ended, although it may know less than the session that was begun.
            for upload in found { try await context.store.abortUpload(upload.session) }
            let left = try await context.openUploads()
            try context.expect(left.isEmpty, "no open uploads", "\(left.map(\.session.key))")
            for session in sessions.values { try await context.store.abortUpload(session) }
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

extension ConformanceContext {
    fileprivate func openUploads() async throws -> [OpenUpload] {
        var uploads: [OpenUpload] = []
        var request = ListRequest(prefix: prefix, limit: 2)
        for _ in 0..<1000 {
            let page = try await store.openUploads(request)
            uploads += page.uploads
            guard let next = page.next else { return uploads }
            try expect(next != request.cursor, "a new cursor on every page", "the same one twice")
            request.cursor = next
        }
        throw failure("a listing of uploads that ends", "more than 1000 pages")
    }
}
