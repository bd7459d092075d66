import Cryptography
import Digests
import ObjectStores

/// Gets index segments from this machine's cache, else from the vault, and puts new ones into both.
struct SegmentLoader: Sendable {
    /// Segments that are fetched and decoded at the same time: each takes up to three times its 14 MB for a moment.
    static let parallelism = 4

    let objects: SealedObjects
    let cache: SegmentCache?

    init(store: any ObjectStore, keys: KeyRing, local: any VaultLocalState) {
        objects = SealedObjects(store: store, keys: keys)
        cache = SegmentCache(local, keys: keys)
    }

    /// The images of the segments, in their order.
    func images(of segments: [SegmentReference]) async throws(VaultError) -> [SegmentImage] {
        do {
            return try await withThrowingTaskGroup(of: (Int, SegmentImage).self) { group in
                var images = [SegmentImage?](repeating: nil, count: segments.count)
                for (index, segment) in segments.enumerated() {
                    if index >= Self.parallelism, let (done, image) = try await group.next() { images[done] = image }
                    group.addTask { (index, try await image(of: segment)) }
                }
                for try await (done, image) in group { images[done] = image }
                return images.map { $0! }
            }
        } catch {
            throw VaultError(caught: error)
        }
    }

    @concurrent
    private func image(of segment: SegmentReference) async throws(VaultError) -> SegmentImage {
        if let image = try cache?.image(of: segment), image.rows.count == segment.rows { return image }
        guard segment.size > 0, segment.size <= Int64(SealedObjects.maxSize) else {
            throw VaultError(.damaged, object: segment.name, "is said to have \(segment.size) bytes: no segment has")
        }
        let payload = try await objects.read(segment.name, as: .index, size: Int(segment.size))
        let image = try SegmentImage(payload: payload, name: segment.name)
        guard image.rows.count == segment.rows else {
            throw VaultError(
                .damaged, object: segment.name, "has \(image.rows.count) rows, and the root says \(segment.rows)")
        }
        guard let cache else { return image }
        return try cache.keep(image, of: segment)
    }

    /// Writes one new segment of the session, and keeps it in the cache, so that it is never fetched.
    @concurrent
    func write(_ payload: [UInt8], rows: Int, session: SessionName) async throws(VaultError) -> SegmentReference {
        let id = Hex.encode(SecureRandom.bytes(16))
        var segment = SegmentReference(session: session, id: id, rows: rows, size: 0)
        let object = objects.keys.seal(payload, as: .index, name: segment.name)
        segment.size = Int64(object.count)
        // Decoded before it is sent: nobody shall find a segment that cannot be read.
        let image = try SegmentImage(payload: payload, name: segment.name)
        try await objects.write(object, segment.name)
        if let cache { _ = try cache.keep(image, of: segment) }
        return segment
    }
}
