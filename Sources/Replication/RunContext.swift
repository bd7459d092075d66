import Buffers
import Manifests
import ObjectStores
import ReplicationModel

/// What every transfer of one run shares.
final class RunContext: Sendable {
    let source: any ObjectStore
    let target: any ObjectStore
    let ledger: LedgerWriter
    let pool: BufferPool
    /// Requests that move payload at the same time: parts and small objects.
    let transfers: ConcurrencyLimit
    /// Objects that are cut into parts and under way at the same time: few, so that each finishes soon.
    let largeObjects = ConcurrencyLimit(4)
    let options: ReplicationOptions
    let time: any Timekeeper
    let observer: any ReplicationObserver
    let progress: RunProgress

    init(
        source: any ObjectStore, target: any ObjectStore, ledger: LedgerWriter, pool: BufferPool, options: ReplicationOptions,
        time: any Timekeeper, observer: any ReplicationObserver, progress: RunProgress
    ) {
        self.source = source
        self.target = target
        self.ledger = ledger
        self.pool = pool
        self.transfers = ConcurrencyLimit(options.concurrency)
        self.options = options
        self.time = time
        self.observer = observer
        self.progress = progress
    }

    /// The largest object that goes in one read and one write.
    var singleRequestLimit: Int64 {
        min(options.partSize, target.capabilities.maxPutSize, Int64(pool.limit))
    }
}
