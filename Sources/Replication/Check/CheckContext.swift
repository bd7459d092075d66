import Buffers
import Digests
import Manifests
import ObjectStores
import ReplicationModel

/// What the looks of one check share.
struct CheckContext: Sendable {
    /// Nil when the source cannot be asked, and the rows stand for it.
    let source: (any ObjectStore)?
    let target: any ObjectStore
    let ledger: (any LedgerReader)?
    let planner: CheckPlanner
    let pool: BufferPool
    /// Requests in flight.
    let requests: ConcurrencyLimit

    var options: CheckOptions { planner.options }

    func head(_ key: ObjectKey, _ store: any ObjectStore, _ side: TransferFailure.Side) async throws
        -> ObjectDescription?
    {
        // A key that the store cannot hold is not there, and need not be asked for.
        guard store.rules.problem(with: key) == nil else { return nil }
        return try await requests.withPermit {
            do throws(StoreError) {
                return try await store.head(key)
            } catch {
                if error.code == .notFound { return nil }
                throw TransferFailure(side, error)
            }
        }
    }

    /// Reads the bytes of one version, parts in parallel, each checked for its length.
    func digest(
        of object: ListedObject, _ store: any ObjectStore, _ side: TransferFailure.Side
    ) async throws -> ContentDigest {
        let step = min(options.partSize, Int64(pool.limit))
        let count = max(1, Int((object.size + step - 1) / step))
        return try await withThrowingTaskGroup(of: (Int, ContentDigest).self) { group in
            var digests = [ContentDigest](repeating: ContentDigest(), count: count)
            for index in 0..<count {
                if index >= Self.parallelParts, let (done, digest) = try await group.next() { digests[done] = digest }
                let offset = Int64(index) * step
                let range = ByteRange(offset: offset, length: min(step, object.size - offset))
                group.addTask { (index, try await digest(of: range, object, store, side)) }
            }
            for try await (done, digest) in group { digests[done] = digest }
            return digests.reduce(ContentDigest()) { $0.appending($1) }
        }
    }

    /// Parts of one object that are read at the same time.
    private static let parallelParts = 8

    private func digest(
        of range: ByteRange, _ object: ListedObject, _ store: any ObjectStore, _ side: TransferFailure.Side
    ) async throws -> ContentDigest {
        try await requests.withPermit {
            let buffer = try await pool.acquire(Int(range.length))
            do throws(StoreError) {
                return try await store.read(
                    ReadRequest(key: object.key, range: range, version: object.version, objectSize: object.size),
                    into: buffer
                ).digest
            } catch {
                throw TransferFailure(side, error)
            }
        }
    }
}
