import Cryptography
package import ObjectStores
import ReplicationModel
import Synchronization

/// The pages of snapshots: reads them, keeps those used last decoded in memory, and writes new ones.
///
/// Several callers that want one page wait for one read. A read goes on when its callers are cancelled: it is one object, and fills the
/// cache. `readAhead` starts reads that nobody waits for; so at most `maxReadAhead` of them are under way.
package final class PageStore: Sendable {
    /// Reads under way above which `readAhead` starts no more.
    package static let maxReadAhead = 16
    /// Bytes that a decoded page takes in memory for each byte of its sealed object, about.
    private static let expansion = 4

    private typealias Outcome = Result<SnapshotPage, VaultError>

    private struct Cached {
        let page: SnapshotPage
        let cost: Int
        var lastUse: UInt64
    }

    private struct State {
        var pages: [PageReference: Cached] = [:]
        var held = 0
        var clock: UInt64 = 0
        /// Pages being read, with those who wait.
        var readings: [PageReference: [UInt64: CheckedContinuation<Outcome, Never>]] = [:]
        /// Waiters that were cancelled before they began to wait.
        var cancelled: Set<UInt64> = []
        var nextWaiter: UInt64 = 0
    }

    private let objects: SealedObjects
    /// Bytes that cached pages take, about.
    private let memory: Int
    private let state = Mutex(State())

    package init(store: any ObjectStore, keys: KeyRing, memory: Int = 64 << 20) {
        objects = SealedObjects(store: store, keys: keys)
        self.memory = memory
    }

    package func read(_ reference: PageReference) async throws(VaultError) -> SnapshotPage {
        let (cached, waiter, starts): (SnapshotPage?, UInt64, Bool) = state.withLock { state in
            if let page = Self.cached(reference, &state) { return (page, 0, false) }
            state.nextWaiter += 1
            let starts = state.readings[reference] == nil
            if starts { state.readings[reference] = [:] }
            return (nil, state.nextWaiter, starts)
        }
        if let cached { return cached }
        if starts { start(reference) }
        let outcome = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let ready: Outcome? = state.withLock { state in
                    if state.cancelled.remove(waiter) != nil { return .failure(Self.interrupted) }
                    if state.readings[reference] != nil {
                        state.readings[reference]![waiter] = continuation
                        return nil
                    }
                    // The read has ended since. Not in the cache: it failed, or the page does not stay there.
                    return Self.cached(reference, &state).map { .success($0) } ?? .failure(Self.again)
                }
                if let ready { continuation.resume(returning: ready) }
            }
        } onCancel: {
            let continuation = state.withLock { state in
                let continuation = state.readings[reference]?.removeValue(forKey: waiter)
                if continuation == nil { state.cancelled.insert(waiter) }
                return continuation
            }
            continuation?.resume(returning: .failure(Self.interrupted))
        }
        state.withLock { _ = $0.cancelled.remove(waiter) }
        if case .failure(let error) = outcome, error.code == .conflict { return try await fetch(reference) }
        return try outcome.get()
    }

    private static let interrupted = VaultError(.cancelled, "interrupted")
    /// Never leaves the store.
    private static let again = VaultError(.conflict, "read once more")

    /// Begins to read those of the pages that are not here yet.
    package func readAhead(_ references: some Sequence<PageReference>) {
        for reference in references {
            let starts = state.withLock { state in
                guard state.pages[reference] == nil, state.readings[reference] == nil,
                    state.readings.count < Self.maxReadAhead
                else { return false }
                state.readings[reference] = [:]
                return true
            }
            if starts { start(reference) }
        }
    }

    /// Seals a page under a new name. Nothing is sent yet: see `write`.
    package func seal(_ payload: [UInt8], session: SessionName) -> SealedPage {
        let id = SecureRandom.bytes(16)
        let object = objects.keys.seal(payload, as: .page, name: VaultName.page(session, id))
        return SealedPage(reference: PageReference(session: session, id: id, size: object.count), object: object)
    }

    package func write(_ page: SealedPage) async throws(VaultError) {
        try await objects.write(page.object, page.reference.name)
    }

    private func start(_ reference: PageReference) {
        Task {
            let outcome: Outcome
            do throws(VaultError) { outcome = .success(try await fetch(reference)) } catch { outcome = .failure(error) }
            let waiters = state.withLock { state in
                if case .success(let page) = outcome { keep(page, reference, &state) }
                return state.readings.removeValue(forKey: reference) ?? [:]
            }
            for continuation in waiters.values { continuation.resume(returning: outcome) }
        }
    }

    @concurrent
    private func fetch(_ reference: PageReference) async throws(VaultError) -> SnapshotPage {
        let payload = try await objects.read(reference.name, as: .page, size: reference.size)
        let outcome: Outcome = payload.withUnsafeBytes { bytes in
            do throws(VaultError) {
                return .success(try SnapshotPage(payload: bytes, name: reference.name))
            } catch {
                return .failure(error)
            }
        }
        return try outcome.get()
    }

    private static func cached(_ reference: PageReference, _ state: inout State) -> SnapshotPage? {
        state.clock += 1
        guard let index = state.pages.index(forKey: reference) else { return nil }
        state.pages.values[index].lastUse = state.clock
        return state.pages.values[index].page
    }

    private func keep(_ page: SnapshotPage, _ reference: PageReference, _ state: inout State) {
        let cost = reference.size * Self.expansion
        guard cost <= memory, state.pages[reference] == nil else { return }
        state.clock += 1
        state.pages[reference] = Cached(page: page, cost: cost, lastUse: state.clock)
        state.held += cost
        // A few hundred pages at most: to look through them costs less than reading one.
        while state.held > memory, let oldest = state.pages.min(by: { $0.value.lastUse < $1.value.lastUse }) {
            state.pages.removeValue(forKey: oldest.key)
            state.held -= oldest.value.cost
        }
    }
}

/// A page that is sealed and not yet sent.
package struct SealedPage: Sendable {
    package let reference: PageReference
    package let object: [UInt8]
}
