import Buffers
import Compression
import Cryptography
import Digests
import Foundation
import Manifests
import ObjectStores
import ReplicationModel
import SQLiteManifests
import Testing

/// Whatever is done to the files of a manifest is noticed.
@Suite struct PublishedDamageTests {
    /// Every single bit of the newest head, of an older head, and of a page.
    @Test func `every flipped bit is noticed`() async throws {
        let fixture = try await PublishedFixture(rows: 5)
        try await fixture.publish()
        try await fixture.record([PublishedFixture.row(5)])
        let newest = try await fixture.publish()
        let verifier = fixture.verifier(anchor: newest.state.anchor)
        _ = try await verifier.verify()

        for name in try await fixture.names("heads/") + [pageName(newest.head.pages[0])] {
            let good = try await fixture.content(name)
            for bit in 0..<good.count * 8 {
                var bad = good
                bad[bit / 8] ^= 1 << (bit % 8)
                try await fixture.replace(name, bad)
                let code = try await PublishedFixture.code { try await verifier.verify() }
                let isNamed = name.text.contains("pages/") ? code == .damagedPage : code?.isHeadDamage ?? false
                #expect(isNamed, "\(name) bit \(bit): \(code.map { "\($0)" } ?? "not noticed")")
            }
            try await fixture.replace(name, good)
        }
        _ = try await verifier.verify()
    }

    @Test func `files cut off, emptied, extended, swapped or taken away`() async throws {
        let fixture = try await PublishedFixture(rows: 40_000)
        let done = try await fixture.publish()
        try #require(done.head.pages.count >= 2)
        let first = pageName(done.head.pages[0])
        let second = pageName(done.head.pages[1])
        let head = PublishedFixture.headKey(1)
        func code() async throws -> ManifestError.Code? {
            try await PublishedFixture.code { try await fixture.verifier(anchor: done.state.anchor).verify() }
        }
        #expect(try await code() == nil)

        let one = try await fixture.content(first)
        let two = try await fixture.content(second)
        for damaged in [[], Array(one.dropLast()), one + [0], two] {
            try await fixture.replace(first, damaged)
            #expect(try await code() == .damagedPage)
        }
        try await fixture.replace(second, one)
        try await fixture.replace(first, two)
        #expect(try await code() == .damagedPage)
        try await fixture.replace(first, one)
        #expect(try await code() == .damagedPage)
        try await fixture.remove(second)
        #expect(try await code() == .missingPage)
        try await fixture.replace(second, two)
        #expect(try await code() == nil)

        let good = try await fixture.content(head)
        for damaged in [[], Array(good.dropLast()), good + [10], Array(good.prefix { $0 != 10 }), good + good] {
            try await fixture.replace(head, damaged)
            #expect(try await code() == .damagedHead)
        }
        try await fixture.remove(head)
        #expect(try await code() == .rolledBack)
    }

    @Test func `heads taken away, renamed, put back or replaced`() async throws {
        let fixture = try await PublishedFixture(rows: 3)
        var anchors: [PublishedHeadAnchor] = []
        var heads: [[UInt8]] = []
        for number in 1...4 {
            try await fixture.record([PublishedFixture.row(10 + number)])
            anchors.append(try await fixture.publish().state.anchor)
            heads.append(try await fixture.content(PublishedFixture.headKey(number)))
        }
        func code(_ anchor: PublishedHeadAnchor? = nil) async throws -> ManifestError.Code? {
            try await PublishedFixture.code { try await fixture.verifier(anchor: anchor).verify() }
        }
        #expect(try await code(anchors[3]) == nil)
        #expect(try await code(anchors[0]) == nil)
        #expect(try await code(PublishedHeadAnchor(sequence: 2, digest: anchors[2].digest)) == .replacedHead)

        // In the middle.
        try await fixture.remove(PublishedFixture.headKey(2))
        #expect(try await code() == .missingHead)
        try await fixture.replace(PublishedFixture.headKey(2), heads[2])
        #expect(try await code() == .damagedHead)
        try await fixture.replace(PublishedFixture.headKey(2), heads[1])

        // Pruned at the front: nothing is wrong.
        try await fixture.remove(PublishedFixture.headKey(1))
        #expect(try await code(anchors[3]) == nil)
        #expect(try await PublishedFixture.code { try await fixture.verifier().verify(sequence: 1) } == .noManifest)

        // At the end: only who has seen it can know.
        try await fixture.remove(PublishedFixture.headKey(4))
        #expect(try await code() == nil)
        #expect(try await code(anchors[3]) == .rolledBack)

        // Another one under its number, by the same key, as after a rollback of the publisher too.
        try await fixture.record([PublishedFixture.row(99)])
        _ = try await fixture.publisher().publish(fixture.ledger, after: anchors[2])
        #expect(try await code() == nil)
        #expect(try await code(anchors[3]) == .replacedHead)

        for number in 2...4 { try await fixture.remove(PublishedFixture.headKey(number)) }
        #expect(try await code(anchors[3]) == .rolledBack)
        #expect(try await code() == .noManifest)
    }

    @Test func `a head that follows another one than it says`() async throws {
        let fixture = try await PublishedFixture(rows: 3)
        try await fixture.publish()
        let second = try await fixture.publish()
        var forged = second.head
        forged.previous = [UInt8](repeating: 7, count: 32)
        try await fixture.replace(
            PublishedFixture.headKey(2), try HeadFile(forged, key: fixture.key).bytes)
        #expect(try await PublishedFixture.code { try await fixture.verifier().verify() } == .brokenChain)
    }

    @Test func `another signer`() async throws {
        let fixture = try await PublishedFixture(rows: 3)
        let done = try await fixture.publish()
        let stranger = try Ed25519PrivateKey.generate()
        var forged = done.head
        forged.publicKey = stranger.publicKey
        try await fixture.replace(PublishedFixture.headKey(1), try HeadFile(forged, key: stranger).bytes)
        #expect(try await PublishedFixture.code { try await fixture.verifier().verify() } == .wrongSigner)
        let unknown = try await ManifestVerifier(fixture.folder, trusted: [], anchor: nil).verify()
        #expect(!unknown.isTrusted && unknown.head.publicKey.id == stranger.publicKey.id)
        let both = [fixture.key.publicKey, stranger.publicKey]
        #expect(try await ManifestVerifier(fixture.folder, trusted: both, anchor: nil).verify().isTrusted)

        // The signature of one key beside the name of another.
        let file = try HeadFile(forged, key: stranger).bytes
        let text = String(decoding: file, as: UTF8.self)
            .replacingOccurrences(
                of: Base64.encode(stranger.publicKey.raw), with: Base64.encode(fixture.key.publicKey.raw)
            )
            .replacingOccurrences(of: stranger.publicKey.id, with: fixture.key.publicKey.id)
        try await fixture.replace(PublishedFixture.headKey(1), Array(text.utf8))
        #expect(try await PublishedFixture.code { try await fixture.verifier().verify() } == .badSignature)
    }

    /// Signed by the right key, and yet no manifest: a faulty publisher must not be believed either.
    @Test(arguments: HostilePage.allCases)
    func `pages that are signed and wrong`(page: HostilePage) async throws {
        let fixture = try await PublishedFixture()
        let content = page.content
        let frame = [UInt8](unsafeUninitializedCapacity: Zstd.bound(content.count)) { buffer, count in
            count = content.withUnsafeBytes {
                ZstdCompressor().compress($0, into: UnsafeMutableRawBufferPointer(buffer))
            }
        }
        let digest = SHA256.hash(frame)
        var totals = ManifestTotals()
        totals.rows = 2
        totals.bytes = 3
        totals.evidence = [0, 0, 2, 0]
        let head = PublishedHead(
            sequence: 1, previous: nil, createdAt: 0, source: "a", target: "b", totals: totals,
            publicKey: fixture.key.publicKey,
            pages: [
                PublishedPage(
                    digest: digest, rows: 2, fileBytes: frame.count, contentBytes: min(content.count, 8 << 20),
                    firstKey: "a", lastKey: "b")
            ])
        try await fixture.replace(
            ObjectKey(PublishedFixture.prefix + "pages/" + Hex.encode(digest) + ".jsonl.zst"), frame)
        try await fixture.replace(PublishedFixture.headKey(1), try HeadFile(head, key: fixture.key).bytes)
        do {
            _ = try await fixture.verifier().verify()
            #expect(page == .right)
        } catch let error as ManifestError {
            #expect(error.code == page.code && "\(error)".contains(page.message), "\(error)")
        }
    }

    enum HostilePage: String, CaseIterable {
        case right, unordered, twice, oneRow, threeRows, otherKeys, otherSizes, noLineFeed, emptyLine, notJSON, deep
        case missingField, wrongType, hugeSize, negativeSize, badEvidence, badTime, badHash, twoKeys, noKey, bomb

        private static func row(_ key: String, size: String = "1", rest: String = "") -> String {
            "{\"key\":\"\(key)\",\"size\":\(size),\"source_version\":\"s\",\"target_version\":\"t\",\"evidence\":2,"
                + "\"verified_at\":\"2026-11-21T03:04:05Z\"\(rest)}\n"
        }

        private var second: String {
            switch self {
            case .twice: Self.row("a", size: "2")
            case .oneRow: ""
            case .otherKeys: Self.row("c", size: "2")
            case .otherSizes: Self.row("b", size: "3")
            case .noLineFeed: String(Self.row("b", size: "2").dropLast())
            case .emptyLine: "\n"
            case .notJSON: "{\"key\":\"b\"\n"
            case .deep: String(repeating: "[", count: 200_000) + "\n"
            case .missingField: "{\"key\":\"b\"}\n"
            case .wrongType: Self.row("b", size: "\"2\"")
            case .hugeSize: Self.row("b", size: "9223372036854775808")
            case .negativeSize: Self.row("b", size: "-2")
            case .badEvidence: Self.row("b", size: "2").replacingOccurrences(of: "evidence\":2", with: "evidence\":4")
            case .badTime: Self.row("b", size: "2").replacingOccurrences(of: "2026-", with: "2026+")
            case .badHash: Self.row("b", size: "2", rest: ",\"crc32c\":\"123\"")
            case .twoKeys: Self.row("b", size: "2", rest: ",\"key_base64\":\"Yg==\"")
            case .noKey: Self.row("b", size: "2").replacingOccurrences(of: "\"key\"", with: "\"name\"")
            default: Self.row("b", size: "2", rest: ",\"new_field\":[1,{}]")
            }
        }

        var content: [UInt8] {
            switch self {
            case .bomb: [UInt8](repeating: 32, count: 200 << 20)
            case .unordered: Array((Self.row("b", size: "2") + Self.row("a")).utf8)
            case .threeRows: Array((Self.row("a") + Self.row("b", size: "2") + Self.row("c")).utf8)
            default: Array((Self.row("a") + second).utf8)
            }
        }

        var code: ManifestError.Code { self == .otherSizes ? .damagedHead : .damagedPage }

        var message: String {
            switch self {
            case .right: ""
            case .unordered, .twice: "line 2 is out of order"
            case .oneRow: "has 1 rows"
            case .threeRows: "more rows"
            case .otherKeys: "last key"
            case .otherSizes: "counts"
            case .noLineFeed: "line 2 does not end"
            case .emptyLine, .notJSON, .deep, .hugeSize: "line 2 is not readable as JSON"
            case .missingField: "line 2 has no size"
            case .wrongType: "at size"
            case .negativeSize: "line 2 has a negative size"
            case .badEvidence: "line 2 has the evidence 4"
            case .badTime: "line 2 verified_at"
            case .badHash: "line 2 crc32c"
            case .twoKeys: "line 2 key is given twice"
            case .noKey: "line 2 key is missing"
            case .bomb: "209715200 bytes of content"
            }
        }
    }

    @Test func `hostile heads`() async throws {
        let fixture = try await PublishedFixture(rows: 1)
        let folder = ManifestFolder(control: fixture.control, pool: BufferPool(limit: 32 << 20))
        let verifier = ManifestVerifier(folder, trusted: [fixture.key.publicKey], anchor: nil)
        let done = try await fixture.publish()
        let good = try await fixture.content(PublishedFixture.headKey(1))
        let line = String(decoding: good.prefix { $0 != 10 }, as: UTF8.self)
        let digest = Hex.encode(done.head.pages[0].digest)
        func page(_ number: Int) -> String {
            "{\"sha256\":\"\(digest)\",\"rows\":1,\"file_bytes\":9,\"content_bytes\":9,\"first_key\":\"\(number)\",\"last_key\":\"\(number)\"}"
        }
        let changes: [(String, String)] = [
            ("lockstep.manifest/1", "lockstep.manifest/2"), ("\"sequence\":1", "\"sequence\":0"),
            ("\"sequence\":1", "\"sequence\":9223372036854775808"), ("\"sequence\":1", "\"sequence\":2"),
            ("\"previous\":null", "\"previous\":\"00\""), ("\"rows\":1", "\"rows\":2"), ("\"rows\":1", "\"rows\":-1"),
            ("\"evidence\":[0,0,0,1]", "\"evidence\":[0,0,0,1,0]"),
            ("\"evidence\":[0,0,0,1]", "\"evidence\":[9223372036854775807,9223372036854775807,0,1]"),
            ("\"hash\":\"sha256\"", "\"hash\":\"md5\""), ("\"content_bytes\":", "\"content_bytes\":99999999"),
            ("\"file_bytes\":", "\"file_bytes\":-"), (digest, String(digest.dropLast())),
            ("\"pages\":[", "\"pages\":[["),
            ("\"pages\":[", "\"pages\":" + String(repeating: "[", count: 500_000)),
            ("\"pages\":[", "\"pages\":[" + (0..<70_000).map(page).joined(separator: ",") + ","),
            ("\"created_at\":\"", "\"created_at\":\"x"), ("\"source\":", "\"sauce\":"),
        ]
        for (from, to) in changes {
            let changed = line.replacingOccurrences(of: from, with: to, range: line.range(of: from))
            #expect(changed != line, "\(from)")
            let bytes = Array(changed.utf8) + Array(good[line.utf8.count...])
            try await fixture.replace(PublishedFixture.headKey(1), bytes)
            let code = try await PublishedFixture.code { try await verifier.verify() }
            #expect(code == .damagedHead, "\(to.prefix(60)): \(code.map { "\($0)" } ?? "accepted")")
        }
        // A second line of any length is not read to its end.
        try await fixture.replace(
            PublishedFixture.headKey(1), good + [UInt8](repeating: 32, count: 1 << 20))
        #expect(try await PublishedFixture.code { try await fixture.verifier().verify() } == .damagedHead)
    }

    @Test func `a head larger than any is not read`() async throws {
        let fixture = try await PublishedFixture()
        let control = MemoryStore()
        let pool = BufferPool(limit: 64 << 20)
        let buffer = try await pool.acquire((32 << 20) + 1)
        let slice = buffer.slice((32 << 20) + 1)
        _ = try await control.put(
            PutRequest(
                key: PublishedFixture.headKey(1), body: slice, digest: slice.withUnsafeBytes { ContentDigest(of: $0) },
                attributes: ObjectAttributes(), condition: .absent))
        let folder = ManifestFolder(control: control, pool: fixture.pool)
        #expect(
            try await PublishedFixture.code { try await ManifestVerifier(folder, trusted: [], anchor: nil).verify() }
                == .damagedHead)
        #expect(fixture.pool.peak == 0)
    }

    private func pageName(_ page: PublishedPage) -> ObjectKey {
        ObjectKey(PublishedFixture.prefix + "pages/" + Hex.encode(page.digest) + ".jsonl.zst")
    }
}

extension ManifestError.Code {
    /// What a change of a single bit of a head shows as: it can hit the number, the link to the one before, the signature, or the form.
    fileprivate var isHeadDamage: Bool {
        [.damagedHead, .badSignature, .brokenChain, .replacedHead, .wrongSigner].contains(self)
    }
}
