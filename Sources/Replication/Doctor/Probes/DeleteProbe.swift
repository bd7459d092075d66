import ObjectStores
import ReplicationModel

/// Whether objects can be deleted, many at once, and are gone from reads and listings then.
struct DeleteProbe: DoctorProbe {
    var subject: String { "delete" }

    func examine(_ bench: DoctorBench) async throws(StoreError) {
        let folder = NamesProbe.folder(bench)
        let keys = bench.keys.filter { $0.hasPrefix(folder) }.sorted()
        guard !keys.isEmpty else { return }
        let batch = max(1, bench.store.capabilities.deleteBatch)
        for start in stride(from: 0, to: keys.count, by: batch) {
            let slice = keys[start..<min(start + batch, keys.count)]
            let results = await bench.store.delete(slice.map { DeleteRequest(key: $0, version: nil) })
            for (key, result) in zip(slice, results) {
                try result.get()
                bench.forget(key)
            }
        }
        let left = try await bench.store.list(ListRequest(prefix: folder, limit: 1000)).objects
        guard left.isEmpty else {
            bench.tell(
                .failure, subject, "\(left.count) of \(keys.count) deleted objects are still listed",
                engine: "a run would delete them again and again")
            return
        }
        if bench.store.capabilities.deleteBatch > 1 {
            bench.tell(
                .ok, subject,
                "objects below \(folder) are deleted in batches of up to \(bench.store.capabilities.deleteBatch)")
        } else {
            bench.tell(
                .instead, subject, "the server deletes no batches", engine: "objects are deleted one by one")
        }
    }
}
