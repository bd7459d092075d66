import Cryptography
import Foundation
import Manifests
import Testing

/// The signing key and the anchor on disk.
@Suite struct PublishedStateFilesTests {
    private let files: LedgerFixture

    init() throws {
        files = try LedgerFixture()
    }

    @Test func `a key is made once`() throws {
        let path = files.directory + "/state/" + SigningKeyFile.name
        #expect(try SigningKeyFile.load(path) == nil)
        let made = try SigningKeyFile.loadOrCreate(path)
        #expect(made.warning == nil)
        #expect(try LedgerFixture.mode(path) == 0o600)
        #expect(try SigningKeyFile.loadOrCreate(path).key.publicKey == made.key.publicKey)
        let publicPath = SigningKeyFile.publicPath(beside: path)
        #expect(publicPath.hasSuffix("/" + SigningKeyFile.publicName))
        #expect(try SigningKeyFile.loadPublic(publicPath) == made.key.publicKey)
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: files.directory + "/state").sorted()
                == [SigningKeyFile.name, SigningKeyFile.publicName])
    }

    @Test func `processes that make a key at once get the same`() async throws {
        let path = files.directory + "/key.pem"
        let ids = try await withThrowingTaskGroup(of: String.self) { group in
            for _ in 0..<16 { group.addTask { try SigningKeyFile.loadOrCreate(path).key.publicKey.id } }
            return try await group.reduce(into: Set<String>()) { $0.insert($1) }
        }
        #expect(ids.count == 1)
    }

    @Test func `a key that others can read is warned of`() throws {
        let path = files.directory + "/key.pem"
        _ = try SigningKeyFile.loadOrCreate(path)
        try FileManager.default.setAttributes([.posixPermissions: 0o640], ofItemAtPath: path)
        let warning = try #require(try SigningKeyFile.load(path)?.warning)
        #expect(warning.contains(path) && warning.contains("640"))
    }

    @Test func `files that are no keys`() throws {
        let path = files.directory + "/key.pem"
        for text in [
            "", "no key", String(repeating: "x", count: 100_000), try RSAPrivateKey.generate(bits: 1024).pem(),
        ] {
            try Data(text.utf8).write(to: URL(fileURLWithPath: path))
            for body in [{ _ = try SigningKeyFile.loadOrCreate(path) }, { _ = try SigningKeyFile.loadPublic(path) }] {
                #expect {
                    try body()
                } throws: {
                    ($0 as? ManifestError)?.code == .badState && "\($0)".contains(path)
                }
            }
        }
        #expect(throws: ManifestError.self) { try SigningKeyFile.load(files.directory) }
    }

    @Test func `an anchor is kept`() throws {
        let path = files.directory + "/state/anchor"
        let file = AnchorFile(path: path)
        #expect(try file.load() == nil)
        for sequence in [1, 7] {
            let anchor = PublishedHeadAnchor(sequence: Int64(sequence), digest: Array(0..<32))
            try file.save(anchor)
            #expect(try AnchorFile(path: path).load() == anchor)
        }
        #expect(try LedgerFixture.mode(path) == 0o600)
        #expect(try FileManager.default.contentsOfDirectory(atPath: files.directory + "/state") == ["anchor"])
        for text in [
            "", "7", "x \(String(repeating: "0", count: 64))", "0 \(String(repeating: "0", count: 64))", "7 00",
        ] {
            try Data(text.utf8).write(to: URL(fileURLWithPath: path))
            #expect(throws: ManifestError.self) { try file.load() }
        }
    }
}
