import Digests
import Foundation
import ReplicationModel
import Testing
import Vault

struct SnapshotPageTests {
    private static func decode(_ payload: [UInt8]) throws(VaultError) -> SnapshotPage {
        let result: Result<SnapshotPage, VaultError> = payload.withUnsafeBytes { bytes in
            do throws(VaultError) { return .success(try SnapshotPage(payload: bytes, name: "snap/x")) } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    private static func encode(_ page: SnapshotPage) throws(VaultError) -> [UInt8] {
        var encoder = PageEncoder(level: page.level)
        switch page {
        case .entries(let entries): for entry in entries { encoder.append(entry) }
        case .children(_, let children): for child in children { encoder.append(child) }
        }
        return try encoder.payload()
    }

    private static func leaf(_ count: Int, seed: UInt64) -> SnapshotPage {
        var random = SampleRandom(seed)
        var keys: Set<ObjectKey> = []
        while keys.count < count { keys.insert(SnapshotSamples.key(&random, of: 100_000)) }
        return .entries(
            keys.sorted().map { key in
                var entry = SnapshotSamples.entry(key, &random)
                if random.chance(5) {
                    entry.content = .list([ChunkReference(id: random.id(), length: 3600)])
                }
                return entry
            })
    }

    private static func branch(_ count: Int, seed: UInt64) -> SnapshotPage {
        var random = SampleRandom(seed)
        let children = (0..<count).map { index in
            PageChild(
                firstKey: ObjectKey("k\(10_000 + index)"),
                reference: PageReference(
                    session: SessionName(base: UInt64(index % 2), random: random.bytes(8)), id: random.bytes(16),
                    size: 1 + index),
                objects: 1 + index, bytes: Int64(index) << 30)
        }
        return .children(level: 3, children)
    }

    @Test func roundTrips() throws {
        for count in [1, 2, 3, 500, 2048] {
            for page in [Self.leaf(count, seed: 1), Self.branch(count, seed: 2)] {
                #expect(try Self.decode(Self.encode(page)) == page)
            }
        }
        let empty = VaultEntry(
            key: "", size: 0, modified: .min, crc32c: 0, crc64nvme: 0, blake3: [UInt8](repeating: 0, count: 32),
            attributes: ObjectAttributes(), content: .chunks([]))
        #expect(try Self.decode(Self.encode(.entries([empty]))) == .entries([empty]))
    }

    /// The bytes that the format page describes, once by hand.
    @Test func layout() throws {
        let id = ChunkID(Array(0..<32))
        let attributes = ObjectAttributes(contentType: "a\"b", userMetadata: ["z": "1", "b": "2"])
        func entry(_ key: ObjectKey) -> VaultEntry {
            VaultEntry(
                key: key, size: 300, modified: -2, crc32c: 1, crc64nvme: 2, blake3: [UInt8](repeating: 9, count: 32),
                attributes: attributes, content: .chunks([ChunkReference(id: id, length: 300)]))
        }
        let text = Array(#"{"contentType":"a\"b","userMetadata":{"b":"2","z":"1"}}"#.utf8)
        let facts: [UInt8] =
            [0xAC, 0x02, 0xFE] + [UInt8](repeating: 0xFF, count: 7) + [1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0]
            + [UInt8](repeating: 9, count: 32)
        let content = [0, 1] + Array(UInt8(0)..<32) + [44, 1, 0, 0]
        var expected = Array("LSPAGE01".utf8) + [0, 0, 0, 0, 2, 0, 0, 0]
        expected += [0, 3] + Array("a/b".utf8) + facts + [0, UInt8(text.count)] + text + content
        expected += [2, 1] + Array("c".utf8) + facts + [0] + content
        #expect(try Self.encode(.entries([entry("a/b"), entry("a/c")])) == expected)
        let parsed = try JSONSerialization.jsonObject(with: Data(text)) as? [String: Any]
        #expect(parsed?["contentType"] as? String == "a\"b")
    }

    /// Whatever byte is wrong: an error, or something that is a page. A page is written in one way only, but for texts that come twice.
    @Test func damageIsAnErrorOrAPage() throws {
        for page in [Self.leaf(20, seed: 3), Self.branch(12, seed: 4)] {
            let payload = try Self.encode(page)
            for index in payload.indices {
                for change: UInt8 in [0x01, 0x80, 0xFF, 0x40] {
                    var wrong = payload
                    wrong[index] ^= change
                    do throws(VaultError) {
                        let decoded = try Self.decode(wrong)
                        #expect(decoded != page)
                        #expect(try Self.decode(Self.encode(decoded)) == decoded)
                    } catch {
                        #expect(error.code == .damaged)
                    }
                }
            }
            for count in 0..<payload.count {
                #expect(throws: VaultError.self) { try Self.decode(Array(payload[..<count])) }
            }
            #expect(throws: VaultError.self) { try Self.decode(payload + [0]) }
        }
    }

    @Test func refusesKeysOutOfOrder() throws {
        guard case .entries(let entries) = Self.leaf(2, seed: 5) else { return }
        let first = try Self.encode(.entries([entries[0]]))
        let second = try Self.encode(.entries([entries[1]]))
        var wrong = second + first[16...]
        wrong[12] = 2
        #expect(throws: VaultError.self) { try Self.decode(wrong) }
        var twice = first + first[16...]
        twice[12] = 2
        #expect(throws: VaultError.self) { try Self.decode(twice) }
    }

    @Test func bordersFollowFromKeys() {
        var encoder = PageEncoder(level: 0)
        var random = SampleRandom(6)
        var counts: [Int] = []
        for index in 0..<100_000 {
            let key = ObjectKey("k\(100_000 + index)")
            encoder.append(SnapshotSamples.entry(key, &random, chunks: 1))
            if encoder.isComplete {
                counts.append(encoder.count)
                let isBorder = key.bytes.withUnsafeBytes { BLAKE3.hash($0)[0] == 0 }
                #expect(isBorder || encoder.count == PageEncoder.greatestCount)
                encoder = PageEncoder(level: 0)
            }
        }
        #expect(counts.allSatisfy { (PageEncoder.leastCount...PageEncoder.greatestCount).contains($0) })
        #expect((400...640).contains(counts.reduce(0, +) / counts.count))
    }

    @Test func longChunkListsEndAPage() throws {
        var random = SampleRandom(7)
        var encoder = PageEncoder(level: 0)
        encoder.append(SnapshotSamples.entry("a", &random, chunks: 10))
        #expect(!encoder.isComplete)
        encoder.append(SnapshotSamples.entry("b", &random, chunks: 15_000))
        #expect(encoder.isComplete)
        encoder.append(SnapshotSamples.entry("c", &random, chunks: 500_000))
        #expect(throws: VaultError.self) { try encoder.payload() }
    }

    @Test func tokensTellVersionsApart() {
        var random = SampleRandom(8)
        let entry = SnapshotSamples.entry("key", &random, chunks: 1)
        #expect(entry.token.text.utf8.count == 32)
        var moved = entry
        moved.content = .list([])
        #expect(moved.token == entry.token)
        let changes: [(inout VaultEntry) -> Void] = [
            { $0.key = "kez" }, { $0.size += 1 }, { $0.modified += 1 }, { $0.crc32c ^= 1 }, { $0.crc64nvme ^= 1 },
            { $0.blake3[31] ^= 1 }, { $0.attributes.contentLanguage = "en" },
            { $0.attributes.userMetadata["contentLanguage"] = "en" },
        ]
        var tokens: Set<VersionToken> = [entry.token]
        for change in changes {
            var other = entry
            change(&other)
            tokens.insert(other.token)
        }
        #expect(tokens.count == changes.count + 1)
    }
}
