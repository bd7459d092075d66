import Buffers
import Foundation
import Manifests
import ObjectStores
import Replication
import ReplicationModel
import SQLiteManifests
import Testing

/// The source cloud is down: the target alone is checked against what was published.
@Suite(.timeLimit(.minutes(10))) struct CheckManifestTests {
    /// Publishes what the ledger holds, and reads it back verified.
    private func published(_ pair: EngineFixture) async throws -> PublishedManifestReader {
        let ledger = try pair.openLedger()
        let key = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID().uuidString).pem").path
        defer {
            for path in [key, SigningKeyFile.publicPath(beside: key)] { unlink(path) }
        }
        let pool = BufferPool(limit: 16 << 20)
        _ = try await ManifestPublisher(
            control: pair.target, key: try SigningKeyFile.loadOrCreate(key).key, pool: pool,
            sourceIdentity: pair.source.name, targetIdentity: pair.target.name, time: ImmediateTime()
        ).publish(ledger, after: nil)
        try await ledger.close()
        let folder = ManifestFolder(control: pair.target, pool: pool)
        return PublishedManifestReader(
            try await ManifestVerifier(folder, trusted: [], anchor: nil).verify(), in: folder)
    }

    @Test func `the published rows stand for the source`() async throws {
        let pair = try EngineFixture()
        for index in 0..<3 {
            try await pair.put(ObjectKey("k\(index)"), EngineFixture.pattern(1000 + index, seed: UInt8(index + 1)))
        }
        try await pair.run()
        let manifest = try await published(pair)
        for level in [EvidenceLevel.recorded, .reported, .reread] {
            let check = try await pair.check(level, ledger: false, manifest: manifest)
            #expect(check.verdict == .inSync && check.source.requests.isEmpty)
            #expect(check.summary.counts.same[level]?.objects == 3)
        }
        try await pair.put("k0", EngineFixture.pattern(1000, seed: 50), in: pair.target)
        _ = await pair.target.delete([DeleteRequest(key: "k1", version: nil)])
        try await pair.put("extra", [1], in: pair.target)
        let check = try await pair.check(ledger: false, manifest: manifest)
        #expect(
            check.verdicts == [
                "k0": .differs(.content), "k1": .onlyInSource, "k2": .same(.recorded), "extra": .onlyInTarget,
            ])
    }

    @Test func `its rows are paged as those of a ledger`() async throws {
        let pair = try EngineFixture()
        for index in 0..<2500 { try await pair.put(ObjectKey("k\(10_000 + index)"), [UInt8(index % 250)]) }
        try await pair.run()
        let manifest = try await published(pair)
        var keys: [ObjectKey] = []
        while true {
            let page = try await manifest.rows(after: keys.last, limit: 999)
            keys += page.map(\.key)
            if page.count < 999 { break }
        }
        #expect(keys == (0..<2500).map { ObjectKey("k\(10_000 + $0)") })
        #expect(try await manifest.rows(after: "k10100", limit: 1).map(\.key) == ["k10101"])
        #expect(try await manifest.row(for: "k10200")?.size == 1)
        #expect(try await pair.check(ledger: false, manifest: manifest).verdict == .inSync)
    }
}
