import Buffers
import ObjectStores
import ReplicationModel
import Synchronization

/// The objects of one run that are cut by content: which, how many at the same time, and in how much memory.
///
/// Each takes all the memory that it will ever hold in one piece, before it holds anything else, and never waits for a transfer permit:
/// whatever else waits for memory, it can finish.
final class DeltaLanes: Sendable {
    /// What one object can make use of.
    private static let usefulMemory = 96 << 20
    private static let most = 4

    private let lanes: ConcurrencyLimit
    /// Bytes for one object, unless its parts ask for more.
    private let share: Int
    private let told = Mutex<Set<Obstacle>>([])

    /// Why objects are sent whole although they were to be cut; each is told once a run.
    enum Obstacle {
        case noRanges, memory, unequalParts
    }

    /// A quarter of the pool stays for all other objects.
    init(pool: BufferPool) {
        let memory = pool.limit / 4 * 3
        let count = min(Self.most, max(1, memory / Self.usefulMemory))
        share = memory / count
        lanes = ConcurrencyLimit(count)
    }

    /// How the object is to be cut, or nil when it has to be sent whole; says why once a run.
    func plan(for object: ListedObject, _ run: RunContext) -> DeltaPlan? {
        guard !told.withLock({ $0.contains(.unequalParts) }) else { return nil }
        let store = run.target.capabilities
        guard store.copiesParts, store.partsMayDiffer, store.partSizeMultiple == 1 else {
            tell(
                .noRanges, "\(run.target.name) cannot make objects from ranges of others: --delta sends them whole", run
            )
            return nil
        }
        guard
            let plan = DeltaPlan(
                size: object.size, preferred: run.options.partSize, segments: run.options.segments, store: store)
        else { return nil }
        guard BufferPool.footprint(Int(plan.leastMemory)) <= run.pool.limit else {
            let needed = (plan.leastMemory + (1 << 20) - 1) >> 20
            tell(
                .memory,
                "--delta sends objects whole for which --memory is too small; \(needed)M would do for \(object.key)",
                run)
            return nil
        }
        return plan
    }

    func tell(_ obstacle: Obstacle, _ sentence: String, _ run: RunContext) {
        guard told.withLock({ $0.insert(obstacle).inserted }) else { return }
        run.observer.handle(.notice(sentence))
    }

    /// Runs with the memory for one object.
    func withMemory<R: Sendable>(
        for plan: DeltaPlan, _ pool: BufferPool, _ body: (PooledBuffer) async throws -> R
    ) async throws -> R {
        try await lanes.withPermit {
            let wanted = max(share, Int(plan.leastMemory))
            return try await body(try await pool.acquire(min(wanted, pool.limit)))
        }
    }
}
