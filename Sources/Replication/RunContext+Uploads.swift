import Manifests
import ObjectStores
import ReplicationModel

extension RunContext {
    /// How far the clocks of this machine and of a store may be apart, seconds.
    private static let clockTolerance: Int64 = 900
    /// Pages of uploads of one key that are looked through at most.
    private static let maxPages = 10

    /// Best effort: an upload that cannot be aborted now stays in the ledger, and the next run tries again.
    func abort(_ session: UploadSession) async throws {
        do throws(StoreError) {
            try await target.abortUpload(session)
        } catch {
            if keepsUploads { report(session, error) }
            return
        }
        if keepsUploads { try await ledger.commit(.closeUpload(session)) }
    }

    /// Discards what an earlier run left of an upload that this one has no use for.
    func discard(_ record: UploadRecord) async throws {
        guard record.isIntent else { return try await abort(record.session) }
        do throws(StoreError) {
            for stray in try await strays(of: record) { try await target.abortUpload(stray) }
        } catch {
            report(record.session, error)
            return
        }
        try await ledger.commit(.closeUpload(record.session))
    }

    /// Uploads that may be the one that was about to be opened when the process ended: of the key, from that time, and without any part,
    /// so that nobody loses work even if one is another program's.
    private func strays(of record: UploadRecord) async throws(StoreError) -> [UploadSession] {
        var found: [UploadSession] = []
        var cursor: String?
        for _ in 0..<Self.maxPages {
            let page = try await target.openUploads(ListRequest(prefix: record.session.key, cursor: cursor))
            for upload in page.uploads where upload.session.key == record.session.key {
                let apart = upload.initiated / 1_000_000_000 - record.openedAt
                guard upload.initiated == 0 || abs(apart) <= Self.clockTolerance else { continue }
                if try await hasNoParts(upload.session) { found.append(upload.session) }
            }
            guard let next = page.next, next != cursor else { break }
            cursor = next
        }
        return found
    }

    private func hasNoParts(_ session: UploadSession) async throws(StoreError) -> Bool {
        do throws(StoreError) {
            return try await target.listParts(of: session).isEmpty
        } catch {
            guard error.code == .missingUpload || error.code == .notFound else { throw error }
            return false
        }
    }

    private func report(_ session: UploadSession, _ error: StoreError) {
        observer.handle(
            .notice("an unfinished upload of \(session.key) could not be aborted (\(error)); the next run tries again"))
    }
}
