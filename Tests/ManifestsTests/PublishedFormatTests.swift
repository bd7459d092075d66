import Buffers
import Cryptography
import Digests
import Manifests
import ReplicationModel
import Testing

/// The bytes of the format, which other tools read and which therefore never change.
@Suite struct PublishedFormatTests {
    static let head = #"""
        {"format":"lockstep.manifest/1","sequence":42,"previous":"abababababababababababababababababababababababababababababababab","created_at":"2026-11-21T03:04:05Z","source":"s3://a/@aws","target":"file:///b@file","rows":3,"bytes":123,"evidence":[0,0,2,1],"hash":"sha256","merkle_root":"3a066e0f40c6a1981ebfa60d2411625d0517ae22c2fc8c7c1784ff8a75c78565","key_id":"65b60673d6ed884b","public_key":"ebVWLo/mVPlAeLES6KmLp5AfhTrmlb7X4OORC60ElmQ=","pages":[{"sha256":"0101010101010101010101010101010101010101010101010101010101010101","rows":2,"file_bytes":100,"content_bytes":200,"first_key":"a\"","last_key":"b"},{"sha256":"0202020202020202020202020202020202020202020202020202020202020202","rows":1,"file_bytes":100,"content_bytes":200,"first_key_base64":"Y/8=","last_key_base64":"Y/8="}]}
        {"key_id":"65b60673d6ed884b","signature":"OFuc1tbRSjKo76q94iIug5BSEdzib4PAvXYW06zovVkLKb5+kmSruxeE47Z1BRp7w6uvoOYZKTuJx2a/NtRXCQ=="}

        """#

    @Test func `the bytes of a head`() async throws {
        let fixture = try await PublishedFixture()
        var totals = ManifestTotals()
        totals.rows = 3
        totals.bytes = 123
        totals.evidence = [0, 0, 2, 1]
        let head = PublishedHead(
            sequence: 42, previous: [UInt8](repeating: 0xab, count: 32), createdAt: 1_795_230_245,
            source: "s3://a/@aws", target: "file:///b@file", totals: totals, publicKey: fixture.key.publicKey,
            pages: [
                PublishedPage(
                    digest: [UInt8](repeating: 1, count: 32), rows: 2, fileBytes: 100, contentBytes: 200,
                    firstKey: "a\"", lastKey: "b"),
                PublishedPage(
                    digest: [UInt8](repeating: 2, count: 32), rows: 1, fileBytes: 100, contentBytes: 200,
                    firstKey: ObjectKey([0x63, 0xff]), lastKey: ObjectKey([0x63, 0xff])),
            ])
        let file = try HeadFile(head, key: fixture.key)
        #expect(String(decoding: file.bytes, as: UTF8.self) == Self.head)
        #expect(try HeadFile(parsing: Array(Self.head.utf8), name: "head").head == head)
    }

    static let rows = #"""
        {"key":"dir/\"ü\"\n","size":7,"source_version":"etag","target_version":"1/2","source_modified":"2026-11-21T03:04:05.123456789Z","evidence":2,"verified_at":"2026-11-21T03:04:05Z","crc32c":"00000abc","crc64nvme":"0000000000000001","md5":"000102030405060708090a0b0c0d0e0f","blake3":"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f","attributes":{"content_type":"a/b","metadata":{"n":"v"}}}
        {"key_base64":"/w==","size":0,"source_version":"s","target_version":"t","evidence":0,"verified_at":"1970-01-01T00:00:00Z"}

        """#

    @Test func `the bytes of a page`() async throws {
        let fixture = try await PublishedFixture()
        try await fixture.record([
            LedgerRow(
                key: "dir/\"ü\"\n", sourceVersion: VersionToken("etag"), sourceModified: 1_795_230_245_123_456_789,
                targetVersion: VersionToken("1/2"), size: 7,
                checksums: ObjectChecksums(crc32c: 0xabc, crc64nvme: 1, md5: Array(0..<16)), evidence: .reported,
                verifiedAt: 1_795_230_245,
                attributes: EncodedAttributes(ObjectAttributes(contentType: "a/b", userMetadata: ["n": "v"])),
                blake3: Array(0..<32)),
            LedgerRow(
                key: ObjectKey([0xff]), sourceVersion: VersionToken("s"), sourceModified: 0,
                targetVersion: VersionToken("t"), size: 0, checksums: ObjectChecksums(), evidence: .none,
                verifiedAt: 0),
        ])
        let head = try await fixture.publish().head
        #expect(try await fixture.folder.lines(of: head.pages[0]) == Self.rows)
    }

    /// A file that an earlier version of this program has written, compressed by the library of its time.
    @Test func `a page of before`() async throws {
        let fixture = try await PublishedFixture()
        let file = try #require(Base64.decode(Self.page))
        let digest = SHA256.hash(file)
        let page = PublishedPage(
            digest: digest, rows: 2, fileBytes: file.count, contentBytes: Self.rows.utf8.count,
            firstKey: "dir/\"ü\"\n", lastKey: ObjectKey([0xff]))
        try await fixture.replace(
            ObjectKey(PublishedFixture.prefix + "pages/" + Hex.encode(digest) + ".jsonl.zst"), file)
        #expect(try await fixture.folder.lines(of: page) == Self.rows)
    }

    static let page =
        "KLUv/WQQAV0JAFZTPChwpVEHBFf///9b+F/RfgkFEQyD/+Xet/3gquXk8ktrZEti3L704x4OMwAxAC4Azc5yo0QkJ4ZbonMV1Jtm"
        + "Vry5dpamqKLWgjZSjakyc5y3IKrMLCGMABDAiISKpJ0du/AjykiGmXUZlrQ0Eb7bOTYlUnE+iFrLrDlvlFZG1pr58BCchlmUpgHM"
        + "3XKn3KANUUWa9tXOBoyoOZ+uSo0K9emjBHW0UUYXVbSp6lXZxROAZk58Lx8P//6ccOfNmS9X3h6Dywf3G/SIHrnz6Gf1QoEgsfPS"
        + "bPUgNLiuy5adpTeffHNh8uy8A44JTWmnNEU/nAMVADpBAbmvPRjlogXSdbmlMNchomawMXs/wXL2FHk8seU20EnKzRm4wKoC8JUO"
        + "5upCqQrxNSYUjEb5Dw=="

    /// The tree of RFC 6962 over the eight leaves of Certificate Transparency's own tests, of which the first three make the second root.
    @Test func `the Merkle root`() throws {
        let key = try Ed25519PrivateKey(seed: Array(1...32)).publicKey
        func root(_ digests: [[UInt8]]) -> String {
            let pages = digests.map {
                PublishedPage(digest: $0, rows: 1, fileBytes: 1, contentBytes: 1, firstKey: "a", lastKey: "a")
            }
            return Hex.encode(
                PublishedHead(
                    sequence: 1, previous: nil, createdAt: 0, source: "", target: "", totals: ManifestTotals(),
                    publicKey: key, pages: pages
                ).merkleRoot)
        }
        let leaves: [[UInt8]] = [
            [], [0x00], [0x10], [0x20, 0x21], [0x30, 0x31], [0x40, 0x41, 0x42, 0x43],
            Array(0x50...0x57), Array(0x60...0x6f),
        ]
        #expect(root([]) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
        #expect(root(Array(leaves[..<1])) == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d")
        #expect(root(Array(leaves[..<2])) == "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125")
        #expect(root(Array(leaves[..<3])) == "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77")
        #expect(root(Array(leaves[..<7])) == "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c")
        #expect(root(leaves) == "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328")
    }
}
