import Foundation
import ObjectStores
import ReplicationModel
import Testing

/// What writes leave on the disk, when they succeed and when they do not.
@Suite struct FileDurabilityTests {
    private let directory = TemporaryDirectory()

    @Test func nothingIsLeftBesidesTheObjects() async throws {
        do {
            let store = directory.store()
            try await store.write("x", to: "a/b/c")
            _ = try await store.upload([[1, 2], [3]], to: "a/d")
            _ = try await failure { try await store.write("y", to: "a/d", condition: .absent) }
            let open = try await store.upload([[1, 2]], to: "a/e", complete: false)
            try await store.abortUpload(open)
            try await store.write("x", to: "gone/with/its/folders")
            _ = await store.delete([DeleteRequest(key: "gone/with/its/folders", version: nil)])
        }
        // The store's last job may still hold it for a moment.
        for _ in 0..<1000 where directory.exists(".lockstep") { await Task.yield() }
        #expect(try directory.tree.filter { !$0.hasPrefix(".lockstep") } == ["a", "a/b", "a/b/c", "a/d"])
    }

    @Test func whatDeadProcessesLeftIsSwept() async throws {
        let living = directory.store()
        try await living.write("x", to: "x")
        let mine = try directory.tree.filter { $0.hasPrefix(".lockstep/tmp/") }
        #expect(mine.count == 1)
        try directory.write("half an object", to: ".lockstep/tmp/dead/1")
        try directory.write("half an upload", to: ".lockstep/tmp/dead/2/data")
        let next = directory.store()
        try await next.write("y", to: "y")
        #expect(!directory.exists(".lockstep/tmp/dead"))
        #expect(directory.exists(mine[0]))
        try await living.write("z", to: "x")
        #expect(try await next.text(of: "x") == "z")
    }

    @Test func anUploadWhoseEndWasInterruptedIsGone() async throws {
        let store = directory.store()
        let session = try await store.upload([[1, 2], [3]], to: "x", complete: false)
        // As a process leaves it that is killed between installing the object and removing the upload.
        try directory.remove(".lockstep/uploads/\(session.handle)/data")
        let error = try await failure { _ = try await directory.store().listParts(of: session) }
        #expect(error?.code == .missingUpload)
        #expect(try await store.openUploads(ListRequest()).uploads.map(\.session) == [session])
        try await store.abortUpload(session)
        #expect(try await store.openUploads(ListRequest()).uploads.isEmpty)
        #expect(!directory.exists(".lockstep/uploads/\(session.handle)"))
    }

    @Test func listingUploadsGoesOnBehindOneThatEnded() async throws {
        let store = directory.store()
        var sessions: [UploadSession] = []
        for key in ["a", "b", "c"] as [ObjectKey] {
            sessions.append(try await store.upload([[1, 2], [3]], to: key, complete: false))
        }
        let first = try await store.openUploads(ListRequest(limit: 2))
        #expect(first.uploads.map(\.session) == Array(sessions.prefix(2)))
        try await store.abortUpload(sessions[1])
        let second = try await store.openUploads(ListRequest(cursor: first.next, limit: 2))
        #expect(second.uploads.map(\.session) == [sessions[2]])
        #expect(second.next == nil)
    }

    @Test func deletesRemoveEmptyDirectoriesAndNoOthers() async throws {
        let store = directory.store()
        try directory.makeDirectory("empty")
        try directory.makeDirectory("a/sibling")
        try await store.write("x", to: "a/b/c/d")
        try await store.write("x", to: "a/b/e")
        _ = await store.delete([DeleteRequest(key: "a/b/c/d", version: nil)])
        #expect(directory.exists("a/b/e") && !directory.exists("a/b/c"))
        _ = await store.delete([DeleteRequest(key: "a/b/e", version: nil)])
        #expect(try directory.names.filter { $0 != ".lockstep" } == ["a", "empty"])
        #expect(directory.exists("a/sibling") && !directory.exists("a/b"))
    }

    @Test func writesAndDeletesInOneDirectoryDoNotLoseEachOther() async throws {
        let store = directory.store()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for worker in 0..<8 {
                group.addTask {
                    for round in 0..<25 {
                        let key = ObjectKey("deep/down/\(round % 3)/\(worker)")
                        try await store.write("\(worker) \(round)", to: key)
                        #expect(try await store.text(of: key) == "\(worker) \(round)")
                        for result in await store.delete([DeleteRequest(key: key, version: nil)]) { try result.get() }
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(try await store.everything().keys.isEmpty)
        #expect(!directory.exists("deep"))
    }

    @Test func aRootThatMayBeMadeIsMadeByTheFirstWrite() async throws {
        let root = directory.path + "/new/root"
        let store = FileStore(root: root, options: FileStoreOptions(createsRoot: true))
        #expect(try await store.everything().keys.isEmpty)
        #expect(try await failure { _ = try await store.head("x") }?.code == .notFound)
        for result in await store.delete([DeleteRequest(key: "x", version: nil)]) { try result.get() }
        try await store.write("x", to: "a/b")
        #expect(try directory.text(of: "new/root/a/b") == "x")
        #expect(try await store.everything().keys == ["a/b"])
    }

    @Test func aStoreForReadingLeavesNoTrace() async throws {
        try directory.write("x", to: "a/b")
        let store = directory.store(FileStoreOptions(isReadOnly: true))
        #expect(try await store.text(of: "a/b") == "x")
        #expect(try await store.everything().keys == ["a/b"])
        #expect(try await failure { try await store.write("x", to: "c") }?.code == .forbidden)
        #expect(try await failure { _ = try await store.upload([[1]], to: "c") }?.code == .forbidden)
        if case .success = await store.delete([DeleteRequest(key: "a/b", version: nil)])[0] { Issue.record("deleted") }
        #expect(try directory.tree == ["a", "a/b"])
    }

    @Test func aFullDiskDamagesNothing() async throws {
        let point = directory.path + "/disk"
        try directory.makeDirectory("disk")
        guard mount("none", point, "tmpfs", 0, "size=4m") == 0 else {
            return print("skipped: may not mount a small tmpfs")
        }
        defer { _ = umount2(point, Int32(MNT_DETACH)) }
        let store = FileStore(root: point)
        let old = [UInt8](repeating: 1, count: 1 << 20)
        let large = [UInt8](repeating: 2, count: 5 << 20)
        let version = try await store.write(old, to: "object").version
        let error = try await failure { try await store.write(large, to: "object", condition: .matches(version)) }
        #expect(error?.code == .noSpace)
        #expect(error?.message.contains("object") == true && error?.message.contains("\(large.count) bytes") == true)
        #expect(try await store.bytes(of: "object", version: version) == old)
        // Found out before the first part is sent.
        let upload = try await failure { _ = try await store.upload([large], to: "large", complete: false) }
        #expect(upload?.code == .noSpace)
        #expect(upload?.operation == .beginUpload)
        #expect(try await store.everything().keys == ["object"])
        // What failed has given its room back.
        try await store.write([UInt8](repeating: 3, count: 2 << 20), to: "other")
        #expect(try await store.everything().keys == ["object", "other"])
    }

    @Test func aReadOnlyDiskIsNamed() async throws {
        let point = directory.path + "/disk"
        try directory.makeDirectory("disk")
        guard mount("none", point, "tmpfs", 0, "size=1m") == 0 else {
            return print("skipped: may not mount a small tmpfs")
        }
        defer { _ = umount2(point, Int32(MNT_DETACH)) }
        let store = FileStore(root: point)
        try await store.write("x", to: "object")
        guard mount("none", point, "tmpfs", UInt(MS_REMOUNT | MS_RDONLY), "size=1m") == 0 else {
            return print("skipped: no remount")
        }
        let error = try await failure { try await store.write("y", to: "object") }
        #expect(error?.code == .forbidden)
        #expect(error?.message.contains("read-only") == true)
        #expect(try await store.text(of: "object") == "x")
    }
}
