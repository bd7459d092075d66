import Digests
import NIOCore

/// Makes objects without HTTP: for `populate`, and for faults that replace what is being read.
struct ObjectMaker {
    let services: SimServices
    let frontEnd: any FrontEnd

    /// `count` objects of `size` bytes named `prefix` + eight digits, with content that follows from name and seed.
    func populate(_ bucket: Bucket, prefix: String, count: Int, size: Int, seed: UInt64) throws {
        for index in 0..<count {
            let digits = String(index)
            let name = ObjectName(prefix + String(repeating: "0", count: max(0, 8 - digits.utf8.count)) + digits)
            try put(name, size: size, seed: seed, in: bucket) { _ in }
        }
    }

    /// One object with pseudo-random content.
    func put(
        _ name: ObjectName, size: Int, seed: UInt64, in bucket: Bucket, _ change: (inout ObjectAttributes) -> Void
    ) throws {
        let writer = try services.storage.makeWriter(expectedLength: size, digests: digests)
        try fill(writer, size: size, seed: seed ^ Self.hash(name))
        try commit(writer, name, bucket, change)
    }

    /// One object with the bytes given.
    func put(_ name: ObjectName, bytes: ByteBuffer, in bucket: Bucket, _ change: (inout ObjectAttributes) -> Void)
        throws
    {
        var bytes = bytes
        let writer = try services.storage.makeWriter(expectedLength: bytes.readableBytes, digests: digests)
        try writer.receive(&bytes)
        try commit(writer, name, bucket, change)
    }

    /// Another version of `object` with other bytes of the same size and the same headers.
    func replace(_ object: StoredObject, in bucket: Bucket, seed: UInt64) throws {
        try put(object.name, size: object.size, seed: seed, in: bucket) { attributes in
            attributes.contentType = object.attributes.contentType
            attributes.contentEncoding = object.attributes.contentEncoding
            attributes.metadata = object.attributes.metadata
            attributes.storageClass = object.attributes.storageClass
        }
    }

    private var digests: DigestSet {
        services.configuration.etag == .md5 ? frontEnd.standingDigests.union(.md5) : frontEnd.standingDigests
    }

    private func commit(
        _ writer: BodyWriter, _ name: ObjectName, _ bucket: Bucket, _ change: (inout ObjectAttributes) -> Void
    ) throws {
        let (body, digests) = try writer.finish()
        var attributes = ObjectAttributes(
            etag: frontEnd.etag(for: digests), modified: services.clock.now,
            generation: services.storage.nextGeneration())
        attributes.digests = digests
        if bucket.properties.versioning == .on { attributes.versionID = Hex.encode(services.storage.randomBytes(16)) }
        change(&attributes)
        try bucket.put(StoredObject(name: name, body: body, attributes: attributes))
    }

    private func fill(_ writer: BodyWriter, size: Int, seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        var words = [UInt64](repeating: 0, count: min(1 << 17, (size + 7) / 8))
        var rest = size
        while rest > 0 {
            for index in words.indices { words[index] = generator.next() }
            try words.withUnsafeBytes { bytes in
                let count = min(bytes.count, rest)
                try writer.receive(UnsafeRawBufferPointer(rebasing: bytes[..<count]))
                rest -= count
            }
        }
    }

    /// FNV-1a.
    private static func hash(_ name: ObjectName) -> UInt64 {
        name.bytes.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
    }
}
