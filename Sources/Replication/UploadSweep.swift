package import ObjectStores
package import ReplicationModel

/// Finds uploads that were begun and never finished, and discards those that nobody will go on with.
package struct UploadSweep: Sendable {
    /// Pages of a listing of uploads at most: a server that never ends it is not followed for ever.
    static let maxPages = 100_000

    package enum Verdict: String, Sendable {
        /// A ledger knows it: its pair's next run goes on with it.
        case owned
        /// Not old enough: somebody may be sending it now.
        case young
        /// Nobody owns it, and the store drops it by itself: there is no call for it.
        case expires
        case orphan
    }

    package struct Found: Sendable {
        package var session: UploadSession
        /// Nanoseconds since 1970; 0 when the store does not say.
        package var initiated: Int64
        package var verdict: Verdict
    }

    private let store: any ObjectStore
    private let time: any Timekeeper
    private let minimumAge: Duration
    /// What ledgers know: the keys of uploads in this place, and the handles of all uploads anywhere.
    private let owned: (keys: Set<ObjectKey>, handles: Set<String>)

    package init(
        store: any ObjectStore, time: any Timekeeper, minimumAge: Duration,
        owned: (keys: Set<ObjectKey>, handles: Set<String>)
    ) {
        self.store = store
        self.time = time
        self.minimumAge = minimumAge
        self.owned = owned
    }

    /// Calls `body` for every unfinished upload below the store's root.
    package func forEach(_ body: (Found) async throws -> Void) async throws {
        var cursor: String?
        for _ in 0..<Self.maxPages {
            let page = try await store.openUploads(
                ListRequest(cursor: cursor, limit: store.capabilities.listPageLimit))
            for upload in page.uploads {
                try await body(
                    Found(session: upload.session, initiated: upload.initiated, verdict: verdict(of: upload)))
            }
            guard let next = page.next else { return }
            guard next != cursor else { break }
            cursor = next
            try Task.checkCancellation()
        }
        throw TransferFailure(.target, .badListing, "\(store.name): the listing of uploads does not end")
    }

    /// An upload of unknown age is an orphan only where no age is asked for.
    private func verdict(of upload: OpenUpload) -> Verdict {
        let session = upload.session
        if owned.keys.contains(session.key) || owned.handles.contains(session.handle) { return .owned }
        let isOld =
            minimumAge == .zero
            || (upload.initiated > 0 && .nanoseconds(time.now() - upload.initiated) >= minimumAge)
        guard store.capabilities.discardsUploads else { return .expires }
        return isOld ? .orphan : .young
    }
}
