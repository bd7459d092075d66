import ChunkPipeline
import ObjectStores
import ReplicationModel
import Testing
import Vault

@Suite struct VaultStoreTests {
    @Test func othersSeeWritesAfterTheCommitAndNotBefore() async throws {
        let fixture = VaultStoreFixture()
        let writer = try await fixture.writing()
        let text = Array("hello".utf8)
        let attributes = ObjectAttributes(contentType: "text/plain", userMetadata: ["a": "b"])
        let receipt = try await writer.write("a/b", text, attributes: attributes)
        #expect(try await writer.content("a/b") == text)
        #expect(try await fixture.reading().keys() == [])

        let outcome = try await writer.commit(.complete(failures: 0))
        #expect(outcome.rejected.isEmpty)
        #expect(outcome.snapshot == "2")
        let reader = try await fixture.reading()
        #expect(try await reader.keys() == ["a/b"])
        #expect(try await reader.content("a/b") == text)
        let description = try await reader.head("a/b")
        #expect(description.attributes == attributes)
        #expect(description.object.version == receipt.version)
        #expect(description.object.checksums.agrees(with: receipt.checksums) == true)
    }

    @Test func nothingToCommitCommitsNothing() async throws {
        let fixture = VaultStoreFixture()
        let writer = try await fixture.writing()
        #expect(try await writer.commit(.complete(failures: 0)).snapshot == nil)
        try await writer.write("a", [1])
        #expect(try await writer.commit(.complete(failures: 0)).snapshot == "2")
        let again = try await fixture.writing()
        #expect(!again.wantsCheckpoint)
        #expect(try await again.commit(.complete(failures: 0)).snapshot == nil)
    }

    @Test(arguments: [0, 1, 65_535, 1 << 20, (5 << 20) + 17, 24 << 20])
    func objectsOfAllSizesComeBack(_ size: Int) async throws {
        let fixture = VaultStoreFixture()
        let writer = try await fixture.writing()
        let bytes = noise(size, seed: UInt64(size))
        try await writer.write("whole", bytes)
        if size > 0 { try await writer.write("parts", bytes, inParts: true) }
        // Not committed yet.
        #expect(try await writer.content("whole") == bytes)
        _ = try await writer.commit(.complete(failures: 0))
        let reader = try await fixture.reading()
        for key in try await reader.keys() {
            #expect(try await reader.content(key) == bytes)
            if size > 100 {
                #expect(try await reader.content(key, size / 3..<size / 2) == Array(bytes[size / 3..<size / 2]))
            }
        }
        // The second copy was found.
        #expect(writer.statistics.newPlainBytes == Int64(size))
    }

    /// 2,000 chunks: the chunks are named in a list of their own.
    @Test func objectsOfManyChunksHaveAList() async throws {
        let fixture = VaultStoreFixture(chunker: .fixed(size: 4096))
        let writer = try await fixture.writing()
        let bytes = noise(2000 * 4096 + 5, seed: 7)
        try await writer.write("large", bytes, inParts: true)
        #expect(try await writer.content("large", 4000..<9000) == Array(bytes[4000..<9000]))
        _ = try await writer.commit(.complete(failures: 0))
        let reader = try await fixture.reading()
        #expect(try await reader.content("large") == bytes)
        #expect(writer.statistics.chunks == 2001)
    }

    @Test func whatIsKnownIsNotStoredAgain() async throws {
        let fixture = VaultStoreFixture()
        let bytes = noise(3 << 20, seed: 3)
        let first = try await fixture.writing()
        try await first.write("a", bytes)
        _ = try await first.commit(.complete(failures: 0))
        let second = try await fixture.writing()
        try await second.write("b", bytes)
        #expect(second.statistics.newChunks == 0)
        _ = try await second.commit(.complete(failures: 0))
        #expect(second.statistics.storedBytes == 0)
        #expect(try await fixture.reading().content("b") == bytes)
        #expect(try await fixture.reading(.id(2)).keys() == ["a"])
    }

    @Test func packsThatACrashLeftAreFoundAgain() async throws {
        let fixture = VaultStoreFixture()
        let local = MemoryVaultState()
        let bytes = noise(20 << 20, seed: 4)
        let crashed = try await fixture.writing(local)
        try await crashed.write("a", bytes, inParts: true)
        // Makes the packs durable, and commits nothing.
        _ = try await crashed.content("a", 0..<10)
        #expect(!local.openSessions().isEmpty)

        let second = try await fixture.writing(local)
        try await second.write("a", bytes, inParts: true)
        #expect(second.statistics.newChunks == 0)
        _ = try await second.commit(.complete(failures: 0))
        #expect(local.openSessions().isEmpty)
        #expect(try await fixture.reading().content("a") == bytes)
    }

    @Test func twoWritersOfDifferentKeysBothWin() async throws {
        let fixture = VaultStoreFixture()
        let one = try await fixture.writing()
        let two = try await fixture.writing()
        try await one.write("a", [1])
        try await two.write("b", [2])
        #expect(try await one.commit(.complete(failures: 0)).snapshot == "2")
        let outcome = try await two.commit(.complete(failures: 0))
        #expect(outcome.snapshot == "3" && outcome.rejected.isEmpty)
        #expect(try await fixture.reading().keys() == ["a", "b"])
    }

    @Test func ofTwoWritersOfOneKeyTheSecondIsRejectedAndSaysSo() async throws {
        let fixture = VaultStoreFixture()
        let one = try await fixture.writing()
        let two = try await fixture.writing()
        try await one.write("a", [1], condition: .absent)
        try await two.write("a", [2], condition: .absent)
        try await two.write("c", [3])
        _ = try await one.commit(.complete(failures: 0))
        let outcome = try await two.commit(.complete(failures: 0))
        #expect(Array(outcome.rejected.keys) == ["a"])
        let reader = try await fixture.reading()
        #expect(try await reader.content("a") == [1])
        #expect(try await reader.content("c") == [3])
        // And the loser sees what is there now.
        #expect(try await two.content("a") == [1])
    }

    @Test func aCheckpointIsPassedOverByReadersAndReplacedByTheEnd() async throws {
        let fixture = VaultStoreFixture()
        let writer = try await fixture.writing()
        try await writer.write("a", [1])
        _ = try await writer.commit(.complete(failures: 0))
        try await writer.write("b", [2])
        _ = try await writer.commit(.checkpoint)
        #expect(try await fixture.reading().keys() == ["a"])
        #expect(try await fixture.reading(.newest).keys() == ["a", "b"])
        try await writer.write("c", [3])
        _ = try await writer.commit(.complete(failures: 1))
        let reader = try await fixture.reading()
        #expect(try await reader.keys() == ["a", "b", "c"])
        #expect(reader.snapshot?.failures == 1)
        let snapshots = try await fixture.open().roots.newest().root.snapshots
        #expect(snapshots.map(\.id) == [2, 4])
    }

    @Test func aRunWithoutChangesCompletesWhatACheckpointLeft() async throws {
        let fixture = VaultStoreFixture()
        let writer = try await fixture.writing()
        try await writer.write("a", [1])
        _ = try await writer.commit(.checkpoint)
        let next = try await fixture.writing()
        #expect(try await next.commit(.complete(failures: 0)).snapshot == "3")
        #expect(try await fixture.reading().snapshot?.isPartial == false)
    }

    @Test func deletionsAndCopiesAreCommittedToo() async throws {
        let fixture = VaultStoreFixture()
        let writer = try await fixture.writing()
        let receipt = try await writer.write("a", [1, 2, 3])
        _ = try await writer.commit(.complete(failures: 0))
        _ = try await writer.copy(
            CopyRequest(
                source: "a", sourceVersion: receipt.version, size: 3, destination: "copies/a", condition: .absent))
        for result in await writer.delete([DeleteRequest(key: "a", version: receipt.version)]) { try result.get() }
        #expect(try await writer.keys() == ["copies/a"])
        _ = try await writer.commit(.complete(failures: 0))
        #expect(try await fixture.reading().keys() == ["copies/a"])
        #expect(try await fixture.reading().content("copies/a") == [1, 2, 3])
    }

    @Test func listingsMixCommittedAndOwnInPages() async throws {
        let fixture = VaultStoreFixture()
        let writer = try await fixture.writing()
        for index in 0..<300 where index % 3 == 0 { try await writer.write(ObjectKey("k\(1000 + index)"), [1]) }
        _ = try await writer.commit(.complete(failures: 0))
        for index in 0..<300 where index % 3 == 1 { try await writer.write(ObjectKey("k\(1000 + index)"), [2]) }
        for index in stride(from: 0, to: 300, by: 30) {
            _ = await writer.delete([DeleteRequest(key: ObjectKey("k\(1000 + index)"), version: nil)])
        }
        let expected = (0..<300).filter { $0 % 3 == 1 || ($0 % 3 == 0 && $0 % 30 != 0) }.map {
            ObjectKey("k\(1000 + $0)")
        }
        for limit in [1, 7, 64, 1000] {
            var keys: [ObjectKey] = []
            var cursor: String?
            repeat {
                let page = try await writer.list(ListRequest(cursor: cursor, limit: limit))
                #expect(page.objects.count <= limit)
                keys += page.objects.map(\.key)
                cursor = page.next
            } while cursor != nil
            #expect(keys == expected, "pages of \(limit)")
        }
    }

    @Test func aReaderRefusesWrites() async throws {
        let fixture = VaultStoreFixture()
        _ = try await fixture.writing()
        let reader = try await fixture.reading()
        await #expect(throws: StoreError.self) { try await reader.write("a", [1]) }
    }

    @Test func partsComeInOrderAndOnlyOnce() async throws {
        let writer = try await VaultStoreFixture().writing()
        let bytes = noise(3 << 20, seed: 9)
        let receipt = try await writer.write("a", bytes, inParts: true)
        #expect(try await writer.head("a").object.version == receipt.version)
        #expect(try await writer.openUploads(ListRequest()).uploads.isEmpty)
    }

    /// A folder in the middle of its run is not shown because another one's came to its end.
    @Test func anotherFoldersRunCompletesNoPartialState() async throws {
        let fixture = VaultStoreFixture()
        let first = try await fixture.writing()
        for key in ["a/1", "a/2", "b/1"] as [ObjectKey] { try await first.write(key, [1]) }
        _ = try await first.commit(.complete(failures: 0))
        let cut = try await fixture.writing(folder: "a/")
        try await cut.write("a/1", [2])
        _ = try await cut.commit(.cutShort)
        let other = try await fixture.writing(folder: "b/")
        try await other.write("b/1", [2])
        try await other.write("b/2", [2])
        #expect(try await other.commit(.complete(failures: 0)).snapshot == "4")
        #expect(try await other.content("b/2") == [2])

        let reader = try await fixture.reading()
        #expect(reader.snapshot?.isPartial == false && reader.snapshot?.id == 4)
        #expect(try await reader.keys() == ["a/1", "a/2", "b/1", "b/2"])
        #expect(try await reader.content("a/1") == [1])
        #expect(try await reader.content("b/1") == [2])
        #expect(try await fixture.reading(.newest).content("a/1") == [2])

        let again = try await fixture.writing(folder: "a/")
        #expect(try await again.content("a/1") == [2])
        try await again.write("a/2", [2])
        _ = await again.delete([DeleteRequest(key: "a/1", version: nil)])
        _ = try await again.commit(.complete(failures: 0))
        let whole = try await fixture.reading()
        #expect(try await whole.keys() == ["a/2", "b/1", "b/2"])
        let snapshots = try await fixture.open().roots.newest().root.snapshots
        #expect(snapshots.map(\.id) == [2, 4, 5] && snapshots.allSatisfy { !$0.isPartial })
    }
}
