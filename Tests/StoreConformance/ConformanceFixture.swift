package import Buffers
package import ObjectStores

/// What the suite must know about the service behind a store.
package struct ConformanceFixture: Sendable {
    /// What the service lacks, with the reason; printed for every check that is left out.
    package var omitted: [ConformanceGroup: String]
    /// Another instance on the same data, as another process would have it; nil where there is none (memory).
    package var reopen: (@Sendable () throws -> any ObjectStore)?
    /// Whether a key is refused as `.invalidKey` when it needs a directory where an object is, or the other way round.
    package var refusesObjectAndFolderOfOneName: Bool
    /// Bytes of a part; nil takes the smallest that the store allows, and at least 256 KiB.
    package var partSize: Int64?
    /// Keys of the check that needs several pages.
    package var manyKeys: Int
    package var pool: BufferPool

    package init(
        omitted: [ConformanceGroup: String] = [:], reopen: (@Sendable () throws -> any ObjectStore)? = nil,
        refusesObjectAndFolderOfOneName: Bool = false, partSize: Int64? = nil, manyKeys: Int = 1100,
        pool: BufferPool = BufferPool(limit: 256 << 20)
    ) {
        self.omitted = omitted
        self.reopen = reopen
        self.refusesObjectAndFolderOfOneName = refusesObjectAndFolderOfOneName
        self.partSize = partSize
        self.manyKeys = manyKeys
        self.pool = pool
    }
}
