import Foundation
import ObjectStores
import ReplicationModel
import TestFixtures
import Testing

@Suite struct FileListingTests {
    /// Names around the slash in the order of bytes, as files and as directories.
    private static func randomTree(_ random: inout SeededRandom) -> Set<ObjectKey> {
        let names = ["a", "a!", "a-", "a.b", "a0", "aa", "b", "B", "~", "é"]
        return Set(
            (0..<150).map { _ in
                ObjectKey(
                    (0..<Int.random(in: 1...4, using: &random)).map { _ in names.randomElement(using: &random)! }
                        .joined(separator: "/"))
            })
    }

    @Test(arguments: [UInt64(1), 2, 3, 4])
    func directoriesSortAsTheirKeysDo(seed: UInt64) async throws {
        var random = SeededRandom(seed: seed)
        let directory = TemporaryDirectory()
        let store = directory.store()
        var keys: [ObjectKey] = []
        for key in Self.randomTree(&random) where try await failure(of: { try await store.write("x", to: key) }) == nil
        {
            keys.append(key)
        }
        keys.sort()
        #expect(try await store.everything().keys == keys)
        for _ in 0..<40 {
            let prefix = ObjectKey(
                Array(keys.randomElement(using: &random)!.bytes.prefix(Int.random(in: 0...6, using: &random))))
            let start = ObjectKey(
                keys.randomElement(using: &random)!.bytes.dropLast(Int.random(in: 0...2, using: &random)))
            let expected = keys.filter { $0.hasPrefix(prefix) && start < $0 }
            let limit = Int.random(in: 1...20, using: &random)
            #expect(
                try await store.everything(prefix, startAfter: start, limit: limit).keys == expected,
                "\(prefix) after \(start)")
        }
    }

    @Test func anotherProcessContinuesAListing() async throws {
        let directory = TemporaryDirectory()
        let store = directory.store()
        var keys: [ObjectKey] = []
        for name in ["a!", "a/", "a/b", "a/b!", "a/c/", "a/c/d", "a0", "b//x", "b/x", "c"] {
            keys.append(ObjectKey(name))
            try await store.write("x", to: ObjectKey(name))
        }
        for limit in 1...4 {
            var found: [ObjectKey] = []
            var request = ListRequest(limit: limit)
            repeat {
                // Knows nothing but the cursor.
                let page = try await directory.store().list(request)
                found += page.objects.map(\.key)
                request.cursor = page.next
            } while request.cursor != nil
            #expect(found == keys.sorted())
        }
    }

    @Test func directoriesWithoutFilesHoldNoObjects() async throws {
        let directory = TemporaryDirectory()
        for number in 0..<2500 { try directory.makeDirectory("empty/\(number)/x") }
        try directory.write("x", to: "last")
        let first = try await directory.store().list(ListRequest())
        #expect(first.objects.isEmpty)
        #expect(first.next != nil)
        #expect(try await directory.store().everything().keys == ["last"])
    }

    @Test func whatIsNotAFileIsReported() async throws {
        let directory = TemporaryDirectory()
        try directory.write("x", to: "real/file")
        try directory.link("real/link", to: "file")
        try directory.link("folder", to: "real")
        try directory.link("dangling", to: "nowhere")
        #expect(mkfifo(directory.path + "/pipe", 0o600) == 0)
        let store = directory.store()
        let found = try await store.everything()
        #expect(found.keys == ["real/file"])
        #expect(Set(found.unlistable.keys) == ["real/link", "folder", "dangling", "pipe"])
        #expect(found.unlistable["folder"]?.contains("symbolic link") == true)
        #expect(found.unlistable["pipe"]?.contains("pipe") == true)
        for key in ["real/link", "dangling", "pipe"] {
            let error = try await failure { _ = try await store.head(ObjectKey(key)) }
            #expect(error?.code == .invalidKey, "\(key)")
        }
    }

    @Test func aMissingRootIsNotAnEmptyOne() async throws {
        let directory = TemporaryDirectory()
        let missing = FileStore(root: directory.path + "/missing")
        #expect(try await failure { _ = try await missing.list(ListRequest()) }?.code == .missingContainer)
        #expect(try await failure { _ = try await missing.head("x") }?.code == .missingContainer)
        #expect(try await failure { try await missing.write("x", to: "x") }?.code == .missingContainer)
        try directory.write("x", to: "file")
        let file = FileStore(root: directory.path + "/file")
        #expect(try await failure { _ = try await file.list(ListRequest()) }?.code == .missingContainer)
    }

    @Test func aRootThatWasReplacedIsNotAnEmptyOne() async throws {
        let directory = TemporaryDirectory()
        try directory.write("x", to: "root/file")
        let store = FileStore(root: directory.path + "/root")
        #expect(try await store.everything().keys == ["file"])
        try FileManager.default.moveItem(atPath: directory.path + "/root", toPath: directory.path + "/moved")
        try directory.makeDirectory("root")
        #expect(try await failure { _ = try await store.list(ListRequest()) }?.code == .missingContainer)
    }

    /// A FUSE mount without a server stands for every directory that cannot be read; permissions do not bind root.
    @Test func aDirectoryThatCannotBeReadIsAnError() async throws {
        let directory = TemporaryDirectory()
        try directory.write("x", to: "a/file")
        try directory.makeDirectory("broken")
        let point = directory.path + "/broken"
        let device = open("/dev/fuse", O_RDWR)
        guard device >= 0 else { return print("skipped: no /dev/fuse to make an unreadable directory with") }
        let mounted = mount("none", point, "fuse", 0, "fd=\(device),rootmode=40000,user_id=0,group_id=0")
        close(device)
        guard mounted == 0 else { return print("skipped: may not mount a file system that cannot be read") }
        defer { _ = umount2(point, Int32(MNT_DETACH)) }
        let store = directory.store()
        let error = try await failure { _ = try await store.everything() }
        #expect(error?.code == .local)
        #expect(error?.message.contains("broken") == true)
        #expect(try await store.everything("a/").keys == ["a/file"])
        let other = FileStore(root: point)
        #expect(try await failure { _ = try await other.list(ListRequest()) } != nil)
    }

    @Test func aLargeDirectoryIsReadOnceForAllPages() async throws {
        let directory = TemporaryDirectory()
        let count = 100_000
        let root = open(directory.path, O_RDONLY | O_DIRECTORY)
        defer { close(root) }
        for number in 0..<count { close(openat(root, "object-\(number)", O_WRONLY | O_CREAT, 0o600)) }
        let store = directory.store()
        var request = ListRequest()
        var listed = 0
        var previous: ObjectKey?
        let started = ContinuousClock.now
        repeat {
            let page = try await store.list(request)
            for object in page.objects {
                if let previous { #expect(previous < object.key) }
                previous = object.key
            }
            listed += page.objects.count
            request.cursor = page.next
        } while request.cursor != nil
        #expect(listed == count)
        // Reading the names for each of the hundred pages again would take a hundred times as long as this allows for.
        print("listed \(count) files of one directory in \(ContinuousClock.now - started)")
    }
}
