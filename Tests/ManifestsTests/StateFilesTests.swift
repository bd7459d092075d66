import Foundation
import Manifests
import ObjectStores
import ReplicationModel
import SQLiteManifests
import Testing

/// Where state lives, who may read it, and who holds it.
@Suite struct StateFilesTests {
    private let files: LedgerFixture

    init() throws {
        files = try LedgerFixture()
    }

    @Test func `only the owner reads ledgers`() async throws {
        let directory = try StateDirectory(path: files.directory + "/new/state")
        #expect(try LedgerFixture.mode(directory.path) == 0o700)
        let ledger = try files.open()
        try await ledger.apply([.record(LedgerFixture.row("a"))])
        for name in try FileManager.default.contentsOfDirectory(atPath: files.directory)
        where name.hasPrefix("pair.sqlite") {
            #expect(try LedgerFixture.mode(files.directory + "/" + name) == 0o600, "\(name)")
        }
        try await ledger.close()
    }

    @Test func `a directory that is there keeps its mode`() throws {
        let path = files.directory + "/shared"
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o755])
        _ = try StateDirectory(path: path)
        #expect(try LedgerFixture.mode(path) == 0o755)
    }

    @Test func `a file where the directory should be is named`() throws {
        try Data().write(to: URL(fileURLWithPath: files.directory + "/file"))
        #expect {
            try StateDirectory(path: files.directory + "/file")
        } throws: {
            ($0 as? LedgerError)?.code == .inaccessible
        }
    }

    @Test func `pairs have files of their own, and names that say which`() throws {
        let directory = try StateDirectory(path: files.directory)
        let names = [
            directory.pairFile(source: "s3://a/@aws", target: "gs://b/@x"),
            directory.pairFile(source: "s3://a/@aws", target: "gs://b/@y"),
            directory.pairFile(source: "s3://a/", target: "@awsgs://b/@x"),
            directory.pairFile(source: "gs://b/@x", target: "s3://a/@aws"),
            directory.pairFile(source: String(repeating: "/../x", count: 400), target: "\n"),
        ]
        #expect(Set(names).count == names.count)
        for name in names {
            #expect(name.hasPrefix(files.directory + "/"))
            let last = name.dropFirst(files.directory.count + 1)
            #expect(!last.contains("/") && last.utf8.count < 200)
        }
        #expect(names[0].contains("s3"))
    }

    @Test func `the standard place follows the environment`() {
        #expect(
            StateDirectory.standardPath(environment: ["XDG_STATE_HOME": "/state", "HOME": "/home/x"])
                == "/state/lockstep")
        #expect(
            StateDirectory.standardPath(environment: ["XDG_STATE_HOME": "relative", "HOME": "/home/x"])
                == "/home/x/.local/state/lockstep")
        #expect(StateDirectory.standardPath(environment: ["HOME": "/home/x"]) == "/home/x/.local/state/lockstep")
    }
}
