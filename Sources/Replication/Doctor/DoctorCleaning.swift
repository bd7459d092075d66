import ObjectStores
import ReplicationModel

/// Removes what an examination wrote: what it remembers, and what a listing of its folder shows besides.
///
/// Runs also when the examination was cut short. Noncurrent versions that a bucket keeps are left to the bucket's own rules.
struct DoctorCleaning {
    let bench: DoctorBench

    /// What could not be removed, with the reason.
    func run() async -> [(name: String, reason: String)] {
        guard !bench.keys.isEmpty || !bench.sessions.isEmpty || !bench.outerKeys.isEmpty else { return [] }
        var left: [(name: String, reason: String)] = []
        var sessions = bench.sessions
        var keys = bench.keys
        do throws(StoreError) {
            let page = try await bench.store.openUploads(ListRequest(prefix: bench.folder))
            let known = Set(sessions.map(\.handle))
            sessions += page.uploads.map(\.session).filter { !known.contains($0.handle) }
        } catch {
            // What is remembered is removed all the same.
        }
        for session in sessions {
            do throws(StoreError) {
                try await bench.store.abortUpload(session)
            } catch {
                left.append(("the unfinished upload of \(session.key)", error.message))
            }
        }
        do throws(StoreError) {
            let page = try await bench.store.list(ListRequest(prefix: bench.folder, limit: Doctor.cleaningLimit))
            // A listing that hides an object does not keep it from being removed.
            keys.formUnion(page.objects.map(\.key))
        } catch {}
        left += await remove(keys.sorted(), from: bench.store)
        if let around = bench.around { left += await remove(bench.outerKeys.sorted(), from: around) }
        return left
    }

    private func remove(
        _ keys: [ObjectKey], from store: any ObjectStore
    ) async -> [(name: String, reason: String)] {
        var left: [(name: String, reason: String)] = []
        let step = max(1, store.capabilities.deleteBatch)
        for start in stride(from: 0, to: keys.count, by: step) {
            let batch = keys[start..<min(start + step, keys.count)]
            let results = await store.delete(batch.map { DeleteRequest(key: $0, version: nil) })
            for (key, result) in zip(batch, results) {
                if case .failure(let error) = result { left.append((key.description, error.message)) }
            }
        }
        return left
    }
}
