import Foundation
import Manifests
import ObjectStores
import ReplicationModel
import SQLiteManifests
import Testing

@Suite struct SQLiteLedgerTests {
    private let files: LedgerFixture

    init() throws {
        files = try LedgerFixture()
    }

    @Test func `rows, uploads, candidates and notes come back as they were, also after a restart`() async throws {
        let keys: [ObjectKey] = [
            "a", "//", "/", "ü", ObjectKey([0xFF, 0x00, 0x0A]), ObjectKey([UInt8](repeating: 0x7A, count: 1024)),
        ]
        let rows = keys.enumerated().map { LedgerFixture.row($1, number: $0 + 1) }
        let session = UploadSession(
            key: keys[4], handle: "https://host/upload?token=secret", stagingKey: ".lockstep/staging/1", size: 1 << 50,
            partSize: 16 << 20, partOrder: .sequential)
        let candidate = DeleteCandidate(key: keys[4], targetVersion: VersionToken("1700/3"), size: 7)
        let ledger = try files.open()
        try await ledger.apply(rows.map { .record($0) } + [.openUpload(LedgerFixture.upload(session))])
        try await ledger.addDeleteCandidates([candidate])
        try await ledger.setNote("fact", "value")
        try await ledger.close()

        let again = try files.open()
        for row in rows { #expect(try await again.row(for: row.key) == row) }
        #expect(try await again.rows(after: nil, limit: 100) == rows.sorted { $0.key < $1.key })
        #expect(try await again.openUploads() == [LedgerFixture.upload(session)])
        #expect(try await again.deleteCandidates(after: nil, limit: 10) == [candidate])
        #expect(try await again.note("fact") == "value")
        #expect(try await again.count() == rows.count)

        try await again.apply([.forget("a"), .closeUpload(session), .record(LedgerFixture.row("/", number: 99))])
        try await again.clearDeleteCandidates()
        try await again.setNote("fact", nil)
        #expect(try await again.row(for: "a") == nil)
        #expect(try await again.row(for: "/") == LedgerFixture.row("/", number: 99))
        #expect(try await again.openUploads().isEmpty)
        #expect(try await again.deleteCandidates(after: nil, limit: 10).isEmpty)
        #expect(try await again.note("fact") == nil)
        try await again.close()
    }

    @Test func `extreme values come back`() async throws {
        var row = LedgerFixture.row("k")
        row.size = .max
        row.sourceModified = .min
        row.checksums = ObjectChecksums(crc32c: .max, crc64nvme: .max, md5: [])
        row.sourceVersion = VersionToken("")
        row.targetVersion = VersionToken("a\tb \u{1F980}")
        row.evidence = .none
        let ledger = try files.open()
        try await ledger.apply([.record(row)])
        #expect(try await ledger.row(for: "k") == row)
        try await ledger.close()
    }

    @Test func `uploads come oldest first`() async throws {
        let ledger = try files.open()
        for handle in ["z", "a", "m"] {
            let session = UploadSession(key: "k", handle: handle, size: 1, partSize: 1)
            try await ledger.apply([.openUpload(LedgerFixture.upload(session))])
        }
        #expect(try await ledger.openUploads().map(\.session.handle) == ["z", "a", "m"])
        try await ledger.close()
    }

    @Test func `a hundred thousand rows are paged in the order of their bytes`() async throws {
        let ledger = try files.open()
        var keys: [ObjectKey] = []
        for number in 0..<100_000 {
            // Every byte value leads some keys, and neighbours differ in length.
            let bytes = [
                UInt8(truncatingIfNeeded: number), UInt8(truncatingIfNeeded: number >> 8), UInt8(number >> 16),
            ]
            keys.append(ObjectKey(bytes + [UInt8](repeating: 0x2F, count: number % 7)))
        }
        for start in stride(from: 0, to: keys.count, by: 5000) {
            try await ledger.apply(
                (start..<(start + 5000)).map { .record(LedgerFixture.row(keys[$0], number: $0 + 1)) })
        }
        #expect(try await ledger.count() == keys.count)
        var seen: [ObjectKey] = []
        while true {
            let page = try await ledger.rows(after: seen.last, limit: 1000)
            seen += page.map(\.key)
            if page.count < 1000 { break }
        }
        #expect(seen == keys.sorted())
        try await ledger.close()
    }

    @Test func `another pair and a newer format are refused`() async throws {
        try await files.open().close()
        #expect { try files.open(source: "s3://other/") } throws: { ($0 as? LedgerError)?.code == .otherPair }
        #expect { try files.open(target: "gs://other/") } throws: { ($0 as? LedgerError)?.code == .otherPair }
        // The format is SQLite's user_version: four bytes at offset 60, big-endian.
        try files.tamper { $0[63] = 200 }
        #expect { try files.open() } throws: { ($0 as? LedgerError)?.code == .newerFormat }
    }

    @Test func `a file that is no database, and a place that holds none, are named`() async throws {
        try Data("this is not a database, but long enough to look at".utf8).write(to: URL(fileURLWithPath: files.path))
        #expect { try files.open() } throws: { ($0 as? LedgerError)?.code == .damaged }
        #expect {
            try SQLiteLedger(path: files.directory + "/missing/x.sqlite", source: "a", target: "b")
        } throws: {
            ($0 as? LedgerError)?.code == .inaccessible
        }
    }

    @Test func `a truncated database is refused or incomplete, never wrong`() async throws {
        let ledger = try files.open()
        let rows = (1...500).map { LedgerFixture.row(ObjectKey("key-\($0)"), number: $0) }
        try await ledger.apply(rows.map { .record($0) })
        try await ledger.close()
        let whole = try Data(contentsOf: URL(fileURLWithPath: files.path))
        for share in [0, 1, 5, 8] {
            try whole.prefix(whole.count * share / 10).write(to: URL(fileURLWithPath: files.path))
            try await expectNothingFalse(rows)
        }
    }

    /// Single bits all over the file: in headers, in the tree's pointers, in values, in the free space.
    @Test func `a flipped bit is noticed or harmless`() async throws {
        let ledger = try files.open()
        let rows = (1...120).map { LedgerFixture.row(ObjectKey("some/longer/key/\($0)"), number: $0) }
        try await ledger.apply(rows.map { .record($0) })
        try await ledger.apply([
            .openUpload(
                LedgerFixture.upload(
                    UploadSession(key: "up", handle: "handle", stagingKey: "stage", size: 5, partSize: 5)))
        ])
        try await ledger.addDeleteCandidates(
            (1...40).map {
                DeleteCandidate(key: ObjectKey("candidate/\($0)"), targetVersion: VersionToken("same"), size: 1)
            })
        try await ledger.close()
        let whole = try Data(contentsOf: URL(fileURLWithPath: files.path))
        let seed = UInt64.random(in: 0...UInt64.max)
        var state = seed
        for number in 0..<250 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            // Every second flip in the first page, which is a fifth of the file at most.
            let position = Int(state >> 33) % (number % 2 == 0 ? min(4096, whole.count) : whole.count)
            let bit = UInt8(1) << UInt8((state >> 29) & 7)
            var bytes = whole
            bytes[position] ^= bit
            try bytes.write(to: URL(fileURLWithPath: files.path))
            try await expectNothingFalse(rows, "seed \(seed), byte \(position), bit \(bit)")
            try FileManager.default.removeItem(atPath: files.path)
            for suffix in ["-wal", "-shm"] where FileManager.default.fileExists(atPath: files.path + suffix) {
                try FileManager.default.removeItem(atPath: files.path + suffix)
            }
        }
    }

    private func expectNothingFalse(_ rows: [LedgerRow], _ note: String = "") async throws {
        let known = Dictionary(uniqueKeysWithValues: rows.map { ($0.key, $0) })
        do {
            let ledger = try files.open()
            var last: ObjectKey?
            var pages = 0
            while true {
                let page = try await ledger.rows(after: last, limit: 50)
                for row in page { #expect(row == known[row.key], "\(note)") }
                pages += 1
                #expect(pages < 100, "\(note)")
                if page.count < 50 || pages == 100 { break }
                last = page.last?.key
            }
            for session in try await ledger.openUploads().map(\.session) {
                #expect(session.key == "up" && session.stagingKey == "stage" && session.handle == "handle", "\(note)")
            }
            for candidate in try await ledger.deleteCandidates(after: nil, limit: 100) {
                #expect(candidate.key.text.hasPrefix("candidate/") && candidate.targetVersion.text == "same", "\(note)")
                #expect((1...40).contains(Int(candidate.key.text.dropFirst(10)) ?? 0), "\(note)")
                #expect(candidate.size == 1, "\(note)")
            }
            try await ledger.close()
        } catch {
            // Noticed.
        }
    }

    @Test func `a damaged row says what to do`() async throws {
        let ledger = try files.open()
        try await ledger.apply([.record(LedgerFixture.row("findable-key", number: 1))])
        try await ledger.close()
        try files.tamper { bytes in
            let range = bytes.range(of: Data("target-1".utf8))!
            bytes[range.lowerBound] ^= 1
        }
        let damaged = try files.open()
        await #expect {
            try await damaged.rows(after: nil, limit: 10)
        } throws: {
            ($0 as? LedgerError)?.code == .damaged && "\($0)".contains("move the file away")
        }
        await #expect { try await damaged.row(for: "findable-key") } throws: { ($0 as? LedgerError)?.code == .damaged }
        try await damaged.close()
    }

    @Test func `a damaged candidate is never offered for deletion`() async throws {
        let ledger = try files.open()
        try await ledger.addDeleteCandidates([
            DeleteCandidate(key: "extra-1", targetVersion: VersionToken("same"), size: 1)
        ])
        try await ledger.close()
        try files.tamper { $0[$0.range(of: Data("extra-1".utf8))!.upperBound - 1] ^= 2 }
        let damaged = try files.open()
        await #expect {
            try await damaged.deleteCandidates(after: nil, limit: 10)
        } throws: {
            ($0 as? LedgerError)?.code == .damaged
        }
        try await damaged.close()
    }

    @Test func `transactions are synchronised with the disk`() async throws {
        // 2 is FULL: with a write-ahead log everything less may lose committed transactions at a power cut.
        let ledger = try files.open()
        #expect(try await ledger.synchronousLevel() == 2)
        try await ledger.close()
    }

    @Test func `a write goes through although its task is cancelled`() async throws {
        let ledger = try files.open()
        let task = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            try await ledger.apply([.record(LedgerFixture.row("k"))])
        }
        try await task.value
        #expect(try await ledger.count() == 1)
        try await ledger.close()
    }

    @Test func `a transaction is whole or not there`() async throws {
        let ledger = try files.open()
        let second = try files.open()
        try await ledger.apply([.record(LedgerFixture.row("a")), .record(LedgerFixture.row("b"))])
        #expect(try await second.count() == 2)
        try await second.close()
        try await ledger.close()
    }
}
