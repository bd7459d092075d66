/// The buckets of one cloud. Confined to the event loop.
package final class CloudStorage {
    package let cloud: Cloud
    package private(set) var buckets: [String: Bucket] = [:]

    private let clock: SimClock
    private let disk: DiskStore?
    private var lastGeneration: Int64 = 0
    private var random = SystemRandomNumberGenerator()

    init(cloud: Cloud, clock: SimClock, directory: String?) throws {
        self.cloud = cloud
        self.clock = clock
        disk = try directory.map { try DiskStore(directory: $0 + "/" + cloud.rawValue) }
        for bucket in try disk?.load() ?? [] {
            buckets[bucket.name] = bucket
            for object in bucket.allVersions { lastGeneration = max(lastGeneration, object.attributes.generation) }
        }
    }

    package func bucket(_ name: String) -> Bucket? { buckets[name] }

    package var sortedBuckets: [Bucket] { buckets.values.sorted { $0.name < $1.name } }

    @discardableResult
    package func createBucket(_ name: String, region: String) throws -> Bucket {
        precondition(buckets[name] == nil, "the bucket exists")
        let bucket = try Bucket(
            name: name, properties: BucketProperties(created: clock.now, region: region),
            disk: try disk?.bucket(name))
        buckets[name] = bucket
        return bucket
    }

    package func deleteBucket(_ name: String) {
        buckets.removeValue(forKey: name)?.erase()
    }

    /// A place for the bytes of one request.
    /// - Parameter expectedLength: what the client announced; reserved at once.
    package func makeWriter(expectedLength: Int?, digests: DigestSet) throws -> BodyWriter {
        BodyWriter(expectedLength: expectedLength, digests: digests, file: try disk?.makeBlob())
    }

    /// A number that rises with every call and starts at the current microsecond, as GCS generations do.
    package func nextGeneration() -> Int64 {
        lastGeneration = max(lastGeneration + 1, clock.now.nanoseconds / 1_000)
        return lastGeneration
    }

    /// `count` random bytes: upload ids, opaque ETags, version ids.
    package func randomBytes(_ count: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count)
        while bytes.count < count {
            var word = random.next() as UInt64
            for _ in 0..<min(8, count - bytes.count) {
                bytes.append(UInt8(truncatingIfNeeded: word))
                word >>= 8
            }
        }
        return bytes
    }

    /// Detaches from the disk so that freeing the objects leaves their files.
    func close() {
        disk?.close(buckets.values)
        buckets.removeAll()
    }
}

extension Bucket {
    /// Every version and delete marker, in no particular order.
    package var allVersions: [StoredObject] {
        var all = older.values.flatMap { $0 }
        var position = objects.start
        while let entry = objects.entry(at: position) {
            all.append(entry.value)
            objects.advance(&position)
        }
        return all
    }
}
