import Foundation
import ObjectStores
import ReplicationModel
import Testing

/// Nothing outside the root is read or written, whatever keys and links say.
@Suite struct FileConfinementTests {
    private let outside = TemporaryDirectory()
    private let directory = TemporaryDirectory()

    @Test func keysThatClimbStayInside() async throws {
        let store = directory.store()
        let name = (outside.path as NSString).lastPathComponent
        for key in [
            "../\(name)/x", "../../../../../../tmp/\(name)/x", "a/../../\(name)/x",
            "/tmp/\(name)/x",
        ] {
            try await store.write("x", to: ObjectKey(key))
            #expect(try await store.text(of: ObjectKey(key)) == "x")
        }
        #expect(try outside.names.isEmpty)
        #expect(try await store.everything().keys.count == 4)
    }

    @Test func plantedLinksAreNotFollowed() async throws {
        try outside.write("secret", to: "file")
        try directory.link("link", to: outside.path + "/file")
        try directory.link("folder", to: outside.path)
        try directory.write("inside", to: "real")
        try directory.link("inner", to: "real")
        let store = directory.store()
        for key in ["link", "folder/file", "inner"] as [ObjectKey] {
            #expect(try await failure { _ = try await store.head(key) }?.code == .invalidKey)
            for condition in [.unconditional, .absent, .matches(VersionToken("1.1.1.1"))] as [WriteCondition] {
                let error = try await failure { try await store.write("changed", to: key, condition: condition) }
                #expect(error?.code == .invalidKey, "\(key) \(condition)")
            }
            let results = await store.delete([DeleteRequest(key: key, version: nil)])
            if case .success = results[0] { Issue.record("deleted \(key)") }
        }
        #expect(try await failure { try await store.write("new", to: "folder/new") }?.code == .invalidKey)
        #expect(try await store.everything("folder/").keys.isEmpty)
        #expect(try outside.names == ["file"])
        #expect(try outside.text(of: "file") == "secret")
        #expect(try directory.text(of: "real") == "inside")
        #expect(try directory.names.filter { $0 != ".lockstep" } == ["folder", "inner", "link", "real"])
    }

    @Test func aLinkInPlaceOfTheReservedDirectoryIsNotFollowed() async throws {
        try directory.link(".lockstep", to: outside.path)
        let store = directory.store()
        #expect(try await failure { try await store.write("x", to: "x") }?.code == .invalidKey)
        #expect(try await failure { _ = try await store.upload([[1]], to: "x") }?.code == .invalidKey)
        #expect(try outside.names.isEmpty)
    }

    @Test func aLinkThatIsSwappedInDuringWritesIsNotFollowed() async throws {
        let store = directory.store()
        try directory.makeDirectory("folder")
        let isDone = Flag()
        let (inside, elsewhere) = (directory.path, outside.path)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                // Turns `folder` into a link to the outside and back, as fast as it goes.
                let (folder, real) = (inside + "/folder", inside + "/real")
                while !isDone.isRaised {
                    rename(folder, real)
                    symlink(elsewhere, folder)
                    await Task.yield()
                    unlink(folder)
                    rename(real, folder)
                    await Task.yield()
                }
            }
            group.addTask {
                defer { isDone.raise() }
                var refused = 0
                for number in 0..<120 {
                    do {
                        try await store.write("x", to: ObjectKey("folder/\(number)"))
                    } catch let error as StoreError {
                        #expect([.invalidKey, .unavailable].contains(error.code), "\(error)")
                        refused += 1
                    }
                    _ = await store.delete([DeleteRequest(key: ObjectKey("folder/\(number - 1)"), version: nil)])
                    _ = try? await store.everything("folder/")
                }
                print("\(refused) of 120 writes met the swapped link")
            }
            try await group.waitForAll()
        }
        #expect(try outside.names.isEmpty)
    }

    @Test func handlesOfUploadsNameNothingElse() async throws {
        let store = directory.store()
        try directory.write("x", to: "victim/data")
        for handle in [
            "", ".", "..", "../../victim", "../uploads", String(repeating: "0", count: 32),
            String(repeating: "g", count: 32),
        ] {
            let session = UploadSession(key: "k", handle: handle, size: 1, partSize: 1)
            #expect(
                try await failure { _ = try await store.send([1], number: 1, of: session) }?.code == .missingUpload,
                "\(handle)")
            try await store.abortUpload(session)
        }
        #expect(try directory.text(of: "victim/data") == "x")
    }
}
