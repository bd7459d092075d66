import Buffers
import Cryptography
import Digests
import Foundation
import Manifests
import ObjectStores
import ReplicationModel
import SQLiteManifests
import Testing

/// What is published comes back, and little is sent when little has changed.
@Suite struct PublishedManifestTests {
    @Test func `rows come back as they were`() async throws {
        let fixture = try await PublishedFixture(rows: 3000)
        let odd = [
            LedgerRow(
                key: ObjectKey([0x7a, 0xff, 0xfe]), sourceVersion: VersionToken("\"quoted\"\n"), sourceModified: 0,
                targetVersion: VersionToken(""), size: 0, checksums: ObjectChecksums(), evidence: .none, verifiedAt: 0),
            LedgerRow(
                key: "zz\u{0}\u{1b}\u{7f}\\ü😀 \u{2028}\u{FEFF}e\u{301}", sourceVersion: VersionToken("v"),
                sourceModified: -1, targetVersion: VersionToken("t"), size: .max >> 1, checksums: ObjectChecksums(),
                evidence: .recorded, verifiedAt: -1,
                attributes: EncodedAttributes(
                    ObjectAttributes(
                        contentType: "a/b", contentEncoding: "gzip", contentLanguage: "de", contentDisposition: "\"",
                        cacheControl: "no-store", userMetadata: ["ü": "\n\u{1}", "b": ""]))),
            LedgerRow(
                key: "zzz", sourceVersion: VersionToken("v"), sourceModified: .max, targetVersion: VersionToken("t"),
                size: 1, checksums: ObjectChecksums(), evidence: .reread, verifiedAt: 4_102_444_800),
        ]
        try await fixture.record(odd)
        let done = try await fixture.publish()
        #expect(done.head.sequence == 1 && done.head.previous == nil)
        #expect(done.head.totals.rows == 3003)

        let verified = try await fixture.verifier().verify()
        #expect(verified.head == done.head && verified.isTrusted && verified.heads == 1)
        #expect(verified.newest == done.state.anchor)
        let recorded = try await fixture.ledger.rows(after: nil, limit: 10_000)
        #expect(try await fixture.rows(of: verified.head) == recorded)
    }

    @Test func `an empty ledger has a manifest too`() async throws {
        let fixture = try await PublishedFixture()
        let done = try await fixture.publish()
        #expect(done.head.pages.isEmpty && done.newPages == 0)
        #expect(Hex.encode(done.head.merkleRoot) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
        #expect(try await fixture.verifier().verify().head == done.head)
    }

    @Test func `pages that did not change are not sent again`() async throws {
        let fixture = try await PublishedFixture(rows: 100_000)
        let first = try await fixture.publish()
        #expect(first.newPages == first.head.pages.count && first.head.pages.count > 10)
        #expect(first.head.pages.dropLast().allSatisfy { $0.rows >= 1024 })

        var changed = PublishedFixture.row(50_000)
        changed.size += 1
        try await fixture.record([changed])
        let second = try await fixture.publish()
        #expect(second.newPages == 1)
        #expect(second.head.previous == first.state.anchor.digest && second.head.sequence == 2)

        var inserted = PublishedFixture.row(20_000)
        inserted.key = ObjectKey(inserted.key.text + "a")
        try await fixture.ledger.apply([.record(inserted), .forget(PublishedFixture.row(70_000).key)])
        let third = try await fixture.publish()
        #expect((2...4).contains(third.newPages))

        let fourth = try await fixture.publish()
        #expect(fourth.newPages == 0)
        #expect(try await fixture.verifier().verify().heads == 4)
        #expect(try await fixture.verifier().verify(sequence: 2).head == second.head)
        #expect(fixture.pool.peak <= 8 << 20)
    }

    @Test func `pages that were lost are sent again`() async throws {
        let fixture = try await PublishedFixture(rows: 100)
        let first = try await fixture.publish()
        try await fixture.remove(try await fixture.names("pages/")[0])
        #expect(try await PublishedFixture.code { try await fixture.verifier().verify() } == .missingPage)
        let second = try await fixture.publish()
        #expect(second.newPages == 1 && second.head.pages == first.head.pages)
        #expect(try await fixture.verifier().verify().head == second.head)
    }

    @Test func `rows behind a key, and single rows`() async throws {
        let fixture = try await PublishedFixture(rows: 40_000)
        let head = try await fixture.publish().head
        try #require(head.pages.count > 2)
        for number in [0, 1, 4567, 39_998, 39_999] {
            let rows = try await fixture.rows(of: head, after: PublishedFixture.row(number).key)
            #expect(rows.count == 39_999 - number && rows.first?.key ?? "l" > PublishedFixture.row(number).key)
            let row = try await fixture.folder.row(for: PublishedFixture.row(number).key, of: head)
            #expect(row == PublishedFixture.row(number))
        }
        for page in head.pages {
            let behind = try await fixture.rows(of: head, after: page.lastKey)
            #expect(behind.first?.key == head.pages.first { $0.firstKey > page.lastKey }?.firstKey)
        }
        for key: ObjectKey in ["a", "k", "k000004567a", "z"] {
            #expect(try await fixture.folder.row(for: key, of: head) == nil)
        }
        #expect(try await fixture.rows(of: head, after: "z").isEmpty)
    }

    @Test func `large rows make small pages, and too large ones are named`() async throws {
        let fixture = try await PublishedFixture(rows: 3)
        let noise = (0..<40).map { page in
            (0..<60_000).map { String(UInt8(truncatingIfNeeded: ($0 &* 2_654_435_761 &+ page) >> 7), radix: 16) }
                .joined()
        }
        try await fixture.record(
            noise.enumerated().map { number, text in
                var row = PublishedFixture.row(10 + number)
                row.attributes = EncodedAttributes(
                    ObjectAttributes(userMetadata: ["a": text, "b": text, "c": text, "d": text]))
                return row
            })
        let head = try await fixture.publish().head
        #expect(head.pages.count > 2 && head.pages.allSatisfy { $0.contentBytes <= 7 << 20 })
        #expect(try await fixture.verifier().verify().head.totals.rows == 43)

        var huge = PublishedFixture.row(60)
        huge.sourceVersion = VersionToken(String(repeating: "x", count: 1 << 20))
        try await fixture.record([huge])
        await #expect {
            try await fixture.publish()
        } throws: {
            ($0 as? ManifestError)?.code == .tooLarge && "\($0)".contains("k000000060")
        }
    }

    @Test func `a lost ledger is rebuilt, and continues the chain`() async throws {
        let fixture = try await PublishedFixture(rows: 5000)
        let done = try await fixture.publish()
        let rows = try await fixture.ledger.rows(after: nil, limit: 10_000)
        let verified = try await fixture.verifier().verify()

        let other = try await PublishedFixture()
        let counts = try await ManifestImport(verified, from: fixture.folder).restore(other.ledger)
        #expect(counts.rows == 5000 && counts.bytes == rows.reduce(0) { $0 + $1.size })
        #expect(try await other.ledger.rows(after: nil, limit: 10_000) == rows)
        let state = try #require(try await PublishedState.load(from: other.ledger))
        let revision = try await other.ledger.revision()
        #expect(state.anchor == done.state.anchor && state.revision == revision)
        let next = try await fixture.publisher().publish(other.ledger, after: state.anchor)
        #expect(next.head.sequence == 2 && next.newPages == 0)
    }

    @Test func `a ledger that was put back from an old copy learns what came later, and loses nothing`() async throws {
        let fixture = try await PublishedFixture(rows: 100)
        try await fixture.publish()
        let verified = try await fixture.verifier().verify()
        let rows = try await fixture.ledger.rows(after: nil, limit: 1000)

        let old = try await PublishedFixture(rows: 40)
        var (stale, fresh) = (rows[3], rows[4])
        stale.targetVersion = VersionToken("stale")
        stale.verifiedAt -= 10
        fresh.targetVersion = VersionToken("fresh")
        fresh.verifiedAt += 10
        try await old.record([stale, fresh])
        _ = try await ManifestImport(verified, from: fixture.folder).restore(old.ledger)
        #expect(try await old.ledger.count() == 100)
        #expect(try await old.ledger.row(for: stale.key) == rows[3])
        #expect(try await old.ledger.row(for: fresh.key) == fresh)
        // It knows more than the manifest, so the next run publishes.
        let revision = try await old.ledger.revision()
        #expect(try await PublishedState.load(from: old.ledger)?.revision != revision)
    }

    @Test func `a page that was touched since it was published is sent again`() async throws {
        let fixture = try await PublishedFixture(rows: 40_000)
        let page = try #require(try await fixture.publish().head.pages.first)
        let name = ObjectKey(PublishedFixture.prefix + "pages/" + Hex.encode(page.digest) + ".jsonl.zst")
        var damaged = try await fixture.content(name)
        damaged[damaged.count / 2] ^= 1
        try await fixture.replace(name, damaged)
        await #expect(throws: ManifestError.self) { try await fixture.verifier().verify() }
        try await fixture.record([PublishedFixture.row(99_999)])
        let next = try await fixture.publish()
        #expect(next.head.pages.contains { $0.digest == page.digest })
        #expect(next.newPages == 2)
        #expect(try await fixture.verifier().verify().head == next.head)
    }

    @Test func `an interrupted import continues`() async throws {
        let fixture = try await PublishedFixture(rows: 40_000)
        let done = try await fixture.publish()
        let verified = try await fixture.verifier().verify()
        try #require(done.head.pages.count > 1)
        let last = try #require(done.head.pages.last)
        let name = ObjectKey(PublishedFixture.prefix + "pages/" + Hex.encode(last.digest) + ".jsonl.zst")
        let content = try await fixture.content(name)
        try await fixture.remove(name)

        let other = try await PublishedFixture()
        let importer = ManifestImport(verified, from: fixture.folder)
        #expect(try await PublishedFixture.code { try await importer.restore(other.ledger) } == .missingPage)
        #expect(try await other.ledger.count() > 0)
        #expect(try await PublishedState.load(from: other.ledger) == nil)
        try await fixture.replace(name, content)
        _ = try await importer.restore(other.ledger)
        #expect(try await other.ledger.count() == 40_000)
    }

    @Test func `what two manifests differ in`() async throws {
        let fixture = try await PublishedFixture(rows: 20_000)
        let before = try await fixture.publish().head
        var changed = PublishedFixture.row(7000)
        changed.size += 1
        changed.checksums.crc32c = 7
        var added = PublishedFixture.row(7001)
        added.key = ObjectKey(added.key.text + "x")
        let removed = PublishedFixture.row(19_999)
        try await fixture.ledger.apply([.record(changed), .record(added), .forget(removed.key)])
        let after = try await fixture.publish().head

        func differences(_ a: PublishedHead, _ b: PublishedHead) async throws -> [ManifestDifference] {
            var diff = ManifestDiff(PublishedRows(a, in: fixture.folder), PublishedRows(b, in: fixture.folder))
            var found: [ManifestDifference] = []
            while let difference = try await diff.next() { found.append(difference) }
            return found
        }
        #expect(
            try await differences(before, after) == [
                .changed(before: PublishedFixture.row(7000), after: changed, fields: ["size", "crc32c"]),
                .added(added), .removed(removed),
            ])
        #expect(
            try await differences(after, before) == [
                .changed(before: changed, after: PublishedFixture.row(7000), fields: ["size", "crc32c"]),
                .removed(added), .added(removed),
            ])
        #expect(try await differences(before, before).isEmpty)
    }
}
