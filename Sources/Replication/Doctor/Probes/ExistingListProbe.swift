import ObjectStores
import ReplicationModel

/// The order and the continuation of listings, seen at what is there already.
struct ExistingListProbe: DoctorProbe {
    var subject: String { "list-order" }

    /// Entries of a page; two pages and one from the middle are taken.
    private static let page = 500

    func examine(_ bench: DoctorBench) async throws(StoreError) {
        var found: [ObjectKey] = []
        var cursor: String?
        for _ in 0..<2 {
            let page = try await bench.store.list(ListRequest(cursor: cursor, limit: Self.page))
            found += page.objects.map(\.key)
            guard page.next != nil, page.next != cursor else { break }
            cursor = page.next
        }
        guard found.count >= 3 else {
            bench.tell(.unknown, subject, "there are fewer than three objects: the order of listings is not known")
            return
        }
        for (one, next) in zip(found, found.dropFirst()) where !(one < next) {
            bench.tell(
                .failure, subject, "`\(next)` is listed after `\(one)`, where it does not belong by its bytes",
                engine: "the engine refuses such a listing: no run would come far")
            return
        }
        let middle = found.count / 2
        let after = try await bench.store.list(ListRequest(startAfter: found[middle - 1], limit: 10)).objects.map(\.key)
        guard !after.isEmpty, zip(after, found[middle...]).allSatisfy({ $0 == $1 }) else {
            bench.tell(
                .failure, subject, "a listing that starts after `\(found[middle - 1])` starts elsewhere",
                engine: "objects would be missed or listed twice")
            return
        }
        bench.tell(
            .ok, subject,
            "the \(found.count) keys that were looked at are listed by their bytes, and listings go on after any key",
            engine: "both sides are compared while they are listed")
    }
}
