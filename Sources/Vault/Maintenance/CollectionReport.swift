/// What one run of garbage collection has found and done; of a dry run, what it would do now.
package struct CollectionReport: Sendable, Hashable {
    /// Packs or other objects, and their bytes where the run knows them.
    package struct Amount: Sendable, Hashable {
        package var count = 0
        package var bytes: Int64 = 0

        package static func += (total: inout Amount, more: Amount) {
            total.count += more.count
            total.bytes += more.bytes
        }
    }

    package var isDryRun = false
    /// The newest root at the end.
    package var root: UInt64 = 0
    package var snapshots = 0
    /// What the index names, and how much of it the snapshots need. Bytes of records; zero while packs wait for the end of their grace.
    package var packs = Amount()
    package var neededBytes: Int64 = 0
    /// Packs put on the list, and of those the ones that were still partly needed, whose needed chunks are stored anew.
    package var condemned = Amount()
    package var repacked = Amount()
    package var movedChunks = Amount()
    /// Condemned packs whose grace is not over, and when it will be, in seconds since 1970.
    package var waiting = 0
    package var waitingUntil: Int64?
    /// Condemned packs that turned out to be needed.
    package var reprieved = 0
    /// Packs taken out of the index.
    package var dropped = Amount()
    /// Packs of the list `deleting` that were deleted; those whose deletion an earlier run began count without bytes.
    package var deletedPacks = 0
    /// Objects of ended sessions that no root refers to.
    package var orphanPacks = Amount()
    package var orphanSegments = Amount()
    package var orphanPages = Amount()
    package var abortedUploads = 0
    /// Sessions that began from an older root have ended.
    package var fence: UInt64 = 0
    /// Packs that should be stored anew and cannot be read: they stay as they are.
    package var unreadable: [String] = []
    /// There was more to do than one run does.
    package var hasMore = false
}
