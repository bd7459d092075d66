import ObjectStores
import ReplicationModel

/// The objects of one location in key order, page by page, with the next page under way while one is consumed.
///
/// Listings are not trusted: order is checked, a repeated continuation token or an endless run of empty pages ends the run.
final class ListingStream {
    /// Pages without a single object that a store may give in a row. Versioned and filtered listings have some; thousands are a fault.
    static let maxEmptyPages = 1000

    private let store: any ObjectStore
    private let side: TransferFailure.Side
    /// Only keys that start with it.
    private let prefix: ObjectKey
    private var cursor: String?
    private var lastKey: ObjectKey?
    private var emptyPages = 0
    private var finished = false
    private var upcoming: Task<Result<ListPage, StoreError>, Never>?
    /// Told about every name that the store cannot offer as an object.
    private let unlistable: @Sendable (_ name: String, _ reason: String) -> Void
    /// Where pages are fetched; nil is the global executor.
    private let executor: (any TaskExecutor)?

    init(
        _ store: any ObjectStore, side: TransferFailure.Side, prefix: ObjectKey = ObjectKey([]),
        executor: (any TaskExecutor)? = nil,
        unlistable: @escaping @Sendable (String, String) -> Void
    ) {
        self.store = store
        self.side = side
        self.prefix = prefix
        self.executor = executor
        self.unlistable = unlistable
    }

    deinit {
        upcoming?.cancel()
    }

    /// The next objects; nil at the end. Never an empty array.
    func nextPage() async throws -> [ListedObject]? {
        while !finished {
            let fetching = upcoming ?? fetch(cursor)
            upcoming = nil
            let page = try await withTaskCancellationHandler {
                try await fetching.value.mapError { TransferFailure(side, $0) }.get()
            } onCancel: {
                fetching.cancel()
            }
            try Task.checkCancellation()
            if let next = page.next {
                if next == cursor {
                    throw bad("the store gave the same continuation token twice, so its listing would never end")
                }
                cursor = next
                upcoming = fetch(next)
            } else {
                finished = true
            }
            for entry in page.unlistable { unlistable(entry.name, entry.reason) }
            guard !page.objects.isEmpty else {
                emptyPages += 1
                if emptyPages > Self.maxEmptyPages { throw bad("\(emptyPages) pages in a row were empty") }
                continue
            }
            emptyPages = 0
            try checkOrder(page.objects)
            return page.objects
        }
        return nil
    }

    private func fetch(_ cursor: String?) -> Task<Result<ListPage, StoreError>, Never> {
        let request = ListRequest(prefix: prefix, cursor: cursor, limit: store.capabilities.listPageLimit)
        let store = store
        return Task(executorPreference: executor) {
            do throws(StoreError) { return .success(try await store.list(request)) } catch { return .failure(error) }
        }
    }

    private func checkOrder(_ objects: [ListedObject]) throws {
        var previous = lastKey
        for object in objects {
            if let previous, !(previous < object.key) {
                throw bad(
                    previous == object.key
                        ? "the listing names \(object.key) twice"
                        : "the listing is not in key order: \(object.key) comes after \(previous)")
            }
            guard object.key.hasPrefix(prefix) else {
                throw bad("the listing below \(prefix) names \(object.key)")
            }
            guard object.size >= 0 else { throw bad("the listing gives \(object.key) a negative size") }
            previous = object.key
        }
        lastKey = previous
    }

    private func bad(_ message: String) -> TransferFailure {
        TransferFailure(side, .badListing, "\(store.name): \(message)")
    }
}
