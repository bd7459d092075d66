import Foundation
import ObjectStores
import ReplicationModel
import Testing

/// What other programs do to files while the store looks at them.
@Suite struct FileVersionTests {
    private let directory = TemporaryDirectory()

    @Test func everyChangeMakesAnotherVersion() async throws {
        let store = directory.store()
        var versions: Set<VersionToken> = [try await store.write("12345", to: "file").version]
        let path = directory.path + "/file"
        try directory.write("54321", to: "file")
        versions.insert(try await store.head("file").object.version)
        let handle = try #require(FileHandle(forUpdatingAtPath: path))
        try handle.write(contentsOf: Data("xy".utf8))
        try handle.close()
        versions.insert(try await store.head("file").object.version)
        #expect(run("touch", "-d", "2001-01-01", path))
        versions.insert(try await store.head("file").object.version)
        #expect(versions.count == 4)
        // As long and with the same time of modification: the time of the inode still tells.
        try directory.write("56789", to: "file")
        #expect(run("touch", "-d", "2001-01-01", path))
        versions.insert(try await store.head("file").object.version)
        #expect(versions.count == 5)
    }

    @Test func quickReplacementsNeverShareAVersion() async throws {
        let store = directory.store()
        var versions: Set<VersionToken> = []
        for round in 0..<200 { versions.insert(try await store.write("\(round % 10)", to: "file").version) }
        #expect(versions.count == 200)
    }

    @Test func aFileThatChangesWhileItIsReadHasNoVersion() async throws {
        let size = 1 << 20
        let store = directory.store()
        try await store.write([UInt8](repeating: 0, count: size), to: "file")
        let path = directory.path + "/file"
        let isDone = Flag()
        let writer = Thread {
            let file = open(path, O_WRONLY)
            var value: UInt8 = 1
            while !isDone.isRaised {
                // Both ends, so that a read of everything cannot fall between two states that look alike.
                pwrite(file, &value, 1, 0)
                pwrite(file, &value, 1, off_t(size - 1))
                value &+= 1
            }
            close(file)
        }
        writer.start()
        defer { isDone.raise() }
        var noticed = 0
        var rounds = 0
        // A busy machine may not run the writer during any one read; it cannot keep it away from all of them.
        while noticed < 3, rounds < 2000 {
            rounds += 1
            do {
                let bytes = try await store.bytes(of: "file")
                #expect(bytes[0] &- bytes[size - 1] <= 1)
            } catch let error as StoreError {
                #expect(error.code == .versionChanged)
                noticed += 1
            }
        }
        #expect(noticed > 0)
    }

    @Test func damagedAttributesAreNamed() async throws {
        let store = directory.store()
        let attributes = ObjectAttributes(contentType: "text/plain", userMetadata: ["a": "b"])
        guard store.rules.fit(attributes).dropped.isEmpty else { return print("skipped: no extended attributes here") }
        try await store.write("x".utf8, to: "file", attributes: attributes)
        #expect(try await store.head("file").attributes == attributes)
        let overwrite = "import os, sys; os.setxattr(sys.argv[1], 'user.lockstep.attributes', b'{broken')"
        guard run("python3", "-c", overwrite, directory.path + "/file") else { return print("skipped: no python3") }
        let error = try await failure { _ = try await store.head("file") }
        #expect(error?.code == .invalidResponse)
        #expect(error?.message.contains("user.lockstep.attributes") == true)
    }

    @Test func attributesThatDoNotFitAreNamed() {
        let rules = directory.store().rules
        let long = String(repeating: "x", count: 3000)
        let (kept, dropped) = rules.fit(
            ObjectAttributes(contentType: "text/plain", userMetadata: ["a": long, "b": long, "c": "short"]))
        guard kept.contentType != nil else { return print("skipped: no extended attributes here") }
        #expect(dropped == ["b"])
        #expect(kept.userMetadata == ["a": long, "c": "short"])
    }

    @Test func partsOfAnotherProcessAreReadBeforeTheyAreTrusted() async throws {
        let parts = [
            [UInt8](repeating: 1, count: 1000), [UInt8](repeating: 2, count: 1000), [UInt8](repeating: 3, count: 10),
        ]
        let session = try await directory.store().upload(parts, to: "object", complete: false)
        let next = directory.store()
        let receipts = try await next.listParts(of: session).map { part in
            PartReceipt(number: part.number, size: part.size, tag: part.tag, digest: nil)
        }
        #expect(receipts.map(\.size) == [1000, 1000, 10])
        // What a power cut does: the table says that the part is there, and its bytes are not.
        let data = try #require(
            FileHandle(forUpdatingAtPath: directory.path + "/.lockstep/uploads/\(session.handle)/data"))
        try data.seek(toOffset: 1500)
        try data.write(contentsOf: Data([0]))
        try data.close()
        let request = CompleteRequest(
            parts: receipts, digest: nil, attributes: ObjectAttributes(), condition: .unconditional)
        #expect(
            try await failure { _ = try await next.completeUpload(request, of: session) }?.code == .checksumMismatch)
        #expect(try await failure { _ = try await next.head("object") }?.code == .notFound)
        // Sent again, it is right.
        _ = try await next.send(parts[1], number: 2, of: session)
        _ = try await next.completeUpload(request, of: session)
        #expect(try await next.bytes(of: "object") == parts.flatMap { $0 })
    }

    @Test func aPartThatWasCutShortIsNotThere() async throws {
        let store = directory.store()
        let session = try await store.upload([[1, 2, 3], [4]], to: "object", complete: false)
        let table = directory.path + "/.lockstep/uploads/\(session.handle)/parts"
        let handle = try #require(FileHandle(forUpdatingAtPath: table))
        try handle.seek(toOffset: 20)
        try handle.write(contentsOf: Data([0xFF]))
        try handle.close()
        #expect(try await store.listParts(of: session).map(\.number) == [2])
        try await store.abortUpload(session)
    }
}
