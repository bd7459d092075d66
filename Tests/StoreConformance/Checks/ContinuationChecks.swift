import Foundation
import ObjectStores
import ReplicationModel

/// Uploads that one process began and another one continues, or sweeps away.
extension StoreConformance {
    static let continuationChecks: [ConformanceCheck] = [
        ConformanceCheck("another process can continue an upload", needs: [.multipart]) { context in
            let content = TestContent(2 * context.partSize + 100, seed: 154)
            let parts = content.parts(of: context.partSize)
            let session = try await context.begin(context.key("object"), size: content.count)
            var receipts = [try await context.sendPart(parts[0], number: 1, of: session)]
            let restored = try context.stored(session)
            let other = try context.otherProcess()
            for number in [2, 3] {
                receipts.append(
                    try await context.sendPart(parts[number - 1], number: number, of: restored, through: other))
            }
            let receipt = try await context.complete(restored, receipts, digest: content.digest, through: other)
            try await context.expectObject(context.key("object"), holds: content, version: receipt.version)
        },
        ConformanceCheck("another process continues an upload with what is listed", needs: [.multipart, .listParts]) {
            context in
            let content = TestContent(4 * context.partSize + 100, seed: 158)
            let parts = content.parts(of: context.partSize)
            let session = try context.stored(try await context.begin(context.key("object"), size: content.count))
            var receipts: [Int: PartReceipt] = [:]
            for number in session.partOrder == .parallel ? [4, 1, 3] : [1, 2, 3] {
                receipts[number] = try context.stored(
                    try await context.sendPart(parts[number - 1], number: number, of: session))
            }
            let other = try context.otherProcess()
            let listed = try await other.listParts(of: session)
            try context.expectEqual(listed.map(\.number), receipts.keys.sorted(), "the parts that were sent")
            for part in listed {
                try context.expectEqual(part.tag, receipts[part.number]!.tag, "the tag of part \(part.number)")
                try context.expectEqual(part.size, receipts[part.number]!.size, "the size of part \(part.number)")
                try context.expectChecksums(part.checksums, of: parts[part.number - 1], "the list of parts")
                // What the ledger lost, the list tells too.
                if part.number == 3 {
                    receipts[3] = PartReceipt(number: 3, size: part.size, tag: part.tag, digest: parts[2].digest)
                }
            }
            for number in 1...5 where receipts[number] == nil {
                receipts[number] = try await context.sendPart(
                    parts[number - 1], number: number, of: session, through: other)
            }
            let receipt = try await context.complete(
                session, (1...5).map { receipts[$0]! }, digest: content.digest, through: other)
            try await context.expectObject(context.key("object"), holds: content, version: receipt.version)
        },
        ConformanceCheck("another process begins with the first part of an upload", needs: [.multipart, .listParts]) {
            context in
            let content = TestContent(2 * context.partSize + 100, seed: 159)
            let session = try await context.begin(context.key("object"), size: content.count)
            let other = try context.otherProcess()
            let listed = try await other.listParts(of: session)
            try context.expect(listed.isEmpty, "no parts of an upload that was only begun", "\(listed)")
            var receipts: [PartReceipt] = []
            for (index, part) in content.parts(of: context.partSize).enumerated() {
                receipts.append(try await context.sendPart(part, number: index + 1, of: session, through: other))
            }
            let receipt = try await context.complete(session, receipts, digest: content.digest, through: other)
            try await context.expectObject(context.key("object"), holds: content, version: receipt.version)
        },
        ConformanceCheck("parts are listed of their own upload only", needs: [.multipart, .listParts]) { context in
            let key = context.key("object")
            let contents = (0..<3).map { TestContent(2 * context.partSize + 100, seed: 160 + $0) }
            var sessions: [UploadSession] = []
            for content in contents { sessions.append(try await context.begin(key, size: content.count)) }
            // Of the first upload no part, of the second one, of the third two.
            for (index, content) in contents.enumerated() {
                for (number, part) in content.parts(of: context.partSize).prefix(index).enumerated() {
                    _ = try await context.sendPart(part, number: number + 1, of: sessions[index])
                }
            }
            for (index, session) in sessions.enumerated() {
                let listed = try await context.otherProcess().listParts(of: session)
                try context.expectEqual(listed.map(\.number), Array(1..<(index + 1)), "the parts of upload \(index)")
                let parts = contents[index].parts(of: context.partSize)
                for part in listed {
                    try context.expectChecksums(part.checksums, of: parts[part.number - 1], "the list of parts")
                }
            }
        },
        ConformanceCheck("an upload that was completed lists no parts", needs: [.multipart, .listParts]) { context in
            let content = TestContent(context.partSize + 100, seed: 163)
            let session = try await context.begin(context.key("object"), size: content.count)
            let receipts = try await context.sendParts(content.parts(of: context.partSize), of: session)
            _ = try await context.complete(session, receipts, digest: content.digest)
            for store in [context.store, try context.otherProcess()] {
                try await context.expectFailure(.missingUpload, of: "listing the parts of a completed upload") {
                    try await store.listParts(of: session)
                }
            }
        },
        ConformanceCheck("an upload that was aborted lists no parts", needs: [.multipart, .listParts]) { context in
            let (session, _) = try await context.unfinished(context.key("object"), seed: 164)
            try await context.store.abortUpload(session)
            try await context.expectFailure(.missingUpload, of: "listing the parts of an aborted upload") {
                try await context.store.listParts(of: session)
            }
        },
        ConformanceCheck("an upload that was aborted is gone for all", needs: [.multipart, .listParts, .sharedAborts]) {
            context in
            let (session, content) = try await context.unfinished(context.key("object"), seed: 165)
            try await context.otherProcess().abortUpload(context.stored(session))
            try await context.expectGone(session, content)
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
            try context.expectEqual(
                found.map(\.session.key).sorted(), sessions.keys.sorted(), "the keys of the open uploads")
            let one = try await context.openUploads(below: context.key("folder/o"))
            try context.expectEqual(one.map(\.session.key), [context.key("folder/one")], "the uploads below a prefix")
            // What the listing names can be ended, although it may know less than the session that was begun.
            for upload in found { try await context.store.abortUpload(upload.session) }
            let left = try await context.openUploads()
            try context.expect(left.isEmpty, "no open uploads", "\(left.map(\.session.key))")
            for session in sessions.values { try await context.store.abortUpload(session) }
        },
        ConformanceCheck(
            "a sweeper in another process finds an upload and aborts it",
            needs: [.multipart, .listParts, .openUploads, .sharedAborts]
        ) { context in
            let key = context.key("folder/a+b ü")
            let (session, content) = try await context.unfinished(key, seed: 166)
            // Replacing an object leaves it as it is.
            let old = TestContent(100, seed: 167)
            let version = try await context.put(old, at: key).version
            let sweeper = try context.otherProcess()
            let found = try await context.openUploads(through: sweeper)
            try context.expectEqual(found.map(\.session.key), [key], "the keys of the open uploads")
            for upload in found {
                try context.expect(upload.initiated >= 0, "the time at which it began", "\(upload.initiated)")
                try await sweeper.abortUpload(context.stored(upload.session))
            }
            let left = try await context.openUploads()
            try context.expect(left.isEmpty, "no open uploads", "\(left.map(\.session.key))")
            try await context.expectGone(session, content)
            try await context.expectObject(key, holds: old, version: version)
        },
    ]
}

extension ConformanceContext {
    /// The store as another process has it: with nothing but what is stored.
    fileprivate func otherProcess() throws -> any ObjectStore { try fixture.reopen?() ?? store }

    /// What the next process reads from the ledger.
    fileprivate func stored<Value: Codable & Equatable>(_ value: Value) throws -> Value {
        let restored = try JSONDecoder().decode(Value.self, from: try JSONEncoder().encode(value))
        try expect(restored == value, "a \(Value.self) that survives being stored", "another one")
        return restored
    }

    /// An upload of three parts of which the first has been sent.
    fileprivate func unfinished(_ key: ObjectKey, seed: UInt64) async throws -> (UploadSession, TestContent) {
        let content = TestContent(2 * partSize + 100, seed: seed)
        let session = try await begin(key, size: content.count)
        _ = try await sendPart(content.parts(of: partSize)[0], number: 1, of: session)
        return (session, content)
    }

    /// Whoever began the upload finds it gone.
    fileprivate func expectGone(_ session: UploadSession, _ content: TestContent) async throws {
        try await expectFailure(.missingUpload, of: "listing the parts of an aborted upload") {
            try await self.store.listParts(of: session)
        }
        try await expectFailure(.missingUpload, of: "sending a part of an aborted upload") {
            try await self.sendPart(content.parts(of: self.partSize)[1], number: 2, of: session)
        }
    }

    fileprivate func openUploads(
        below prefix: ObjectKey? = nil, through other: (any ObjectStore)? = nil
    ) async throws -> [OpenUpload] {
        var uploads: [OpenUpload] = []
        var request = ListRequest(prefix: prefix ?? self.prefix, limit: 2)
        for _ in 0..<1000 {
            let page = try await (other ?? store).openUploads(request)
            try expect(page.uploads.count <= 2, "at most 2 uploads in a page", "\(page.uploads.count)")
            uploads += page.uploads
            guard let next = page.next else { return uploads }
            try expect(next != request.cursor, "a new cursor on every page", "the same one twice")
            request.cursor = next
        }
        throw failure("a listing of uploads that ends", "more than 1000 pages")
    }
}
