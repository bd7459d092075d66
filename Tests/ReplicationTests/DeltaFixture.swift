import Manifests
import ObjectStores
import Replication
import ReplicationModel

/// A pair whose large objects are cut by content, sixty-four times smaller than in earnest.
enum DeltaFixture {
    static let kibibyte = 1 << 10

    /// A target that takes parts of at least `minimum` bytes: 80 KiB are S3's 5 MiB, 16 KiB what Azure gets.
    static func make(minimum: Int64 = 80 << 10, memory: Int = 8 << 20) throws -> EngineFixture {
        var capabilities = MemoryStore.standardCapabilities
        capabilities.partSize = minimum...(5 << 30)
        let pair = try EngineFixture(
            target: MemoryStore(name: "memory://target", capabilities: capabilities))
        pair.options.delta = true
        pair.options.segments = SegmentCutter.Limits(average: 16 << 10)
        pair.options.partSize = 128 << 10
        pair.options.memory = memory
        return pair
    }

    static func random(_ count: Int, seed: UInt64) -> [UInt8] { DeltaCuttingTests.random(count, seed: seed) }

    /// Everything is equal, nothing is left open, no row is false, and the next run has nothing to do.
    static func isSettled(_ pair: EngineFixture) async throws -> Bool {
        let again = try await pair.run()
        let counts = again.summary.counts
        guard counts.copiedObjects + counts.adoptedObjects == 0, again.recorder.failures.isEmpty else { return false }
        let open = try await pair.target.openUploads(ListRequest()).uploads
        let wrong = try await pair.falseRows()
        let isIdentical = try await pair.isIdentical()
        return isIdentical && open.isEmpty && wrong.isEmpty
    }
}
