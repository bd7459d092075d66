import Digests
import HTTPTransport
package import ObjectStores
package import ReplicationModel
import XMLStreaming

extension S3Store {
    /// HEAD tells the full-object checksums. An object that has a composite one, which says nothing about its bytes as a
    /// whole, is asked for the sums of its parts: these combine.
    package func checksums(
        of key: ObjectKey, version: VersionToken, size: Int64
    ) async throws(StoreError) -> ObjectChecksums {
        let (description, headers) = try await properties(key, version: version)
        guard description.object.version == version else { throw replaced(key) }
        guard description.object.size == size else {
            throw invalid(.head, key, "the server says the object has \(description.object.size) bytes, not \(size)")
        }
        let told = description.object.checksums
        guard told.isEmpty, let composite = S3CompositeChecksum(headers), knownFacts.tellsParts else { return told }
        do throws(StoreError) {
            return try await combined(composite, key, version, size)
        } catch {
            switch error.code {
            case .unsupportedOperation:
                learn { $0.learnTellsNoParts() }
                return told
            // Without the right to ask, and where a clone answers something else, no checksum is known.
            case .forbidden, .invalidRequest, .invalidResponse: return told
            default: throw error
            }
        }
    }

    /// The whole object's checksum from `GetObjectAttributes`, which knows no conditions: every page names the ETag.
    private func combined(
        _ composite: S3CompositeChecksum, _ key: ObjectKey, _ version: VersionToken, _ size: Int64
    ) async throws(StoreError) -> ObjectChecksums {
        var sums = S3PartSums(composite)
        while true {
            var get = S3Request(.head, .get, key: key)
            get.query.append("attributes")
            get.headers.append("x-amz-max-parts", "1000")
            get.headers.append("x-amz-object-attributes", "ETag,ObjectParts")
            if sums.lastNumber > 0 { get.headers.append("x-amz-part-number-marker", String(sums.lastNumber)) }
            let root = try document(
                try await send(get), get, named: "GetObjectAttributesResponse", "GetObjectAttributesOutput")
            guard VersionToken(entityTag: root.child("ETag")?.text) == version else { throw replaced(key) }
            guard let parts = root.child("ObjectParts") else { return ObjectChecksums() }
            let before = sums.lastNumber
            for part in parts.children("Part") where !sums.add(part) { return ObjectChecksums() }
            guard parts.child("IsTruncated")?.text == "true" else { return sums.whole(size: size) }
            guard sums.lastNumber > before else {
                throw invalid(.head, key, "the list of parts says that it goes on and has none")
            }
        }
    }

    private func replaced(_ key: ObjectKey) -> StoreError {
        StoreError(
            .versionChanged, .head, key: key,
            message: "the object has been replaced since it was listed: the reply is of another version")
    }
}

/// A checksum of the checksums of an object's parts, as HEAD tells it: `VALUE-COUNT`.
struct S3CompositeChecksum: Hashable {
    var algorithm: S3ChecksumAlgorithm
    /// Big-endian bytes.
    var value: [UInt8]
    var partCount: Int

    /// nil where there is none of an algorithm that combines.
    init?(_ headers: HTTPHeaders) {
        for algorithm in S3ChecksumAlgorithm.allCases {
            let halves = headers[algorithm.header]?.split(separator: "-", omittingEmptySubsequences: false) ?? []
            guard halves.count == 2, let value = Base64.decode(String(halves[0])), let count = Int(halves[1]),
                (1...S3PartSums.limit).contains(count)
            else { continue }
            self.algorithm = algorithm
            self.value = value
            partCount = count
            return
        }
        return nil
    }
}

/// Combines the checksums of an object's parts, in order, into that of the whole.
struct S3PartSums {
    /// Parts of one object.
    static let limit = 10_000

    private let composite: S3CompositeChecksum
    private(set) var lastNumber = 0
    private var count = 0
    private var whole = ContentDigest()
    /// The big-endian bytes of all sums, of which the composite is the sum.
    private var sums: [UInt8] = []

    init(_ composite: S3CompositeChecksum) {
        self.composite = composite
    }

    /// Takes the next `Part` element; false when it has no sum of the algorithm or does not follow the one before.
    mutating func add(_ part: XMLElement) -> Bool {
        guard let number = part.child("PartNumber").flatMap({ Int($0.text) }), number > lastNumber,
            number <= Self.limit, let size = part.child("Size").flatMap({ Int64($0.text) }), size >= 0,
            let text = part.child(composite.algorithm.element)?.text,
            let sum = composite.algorithm.digest(text, length: size)
        else { return false }
        lastNumber = number
        count += 1
        whole = whole.appending(sum)
        sums += Base64.decode(text) ?? []
        return true
    }

    /// The checksum of the object, once all parts are in: none unless they are as many as the composite says, have its
    /// value together, and have the object's size.
    func whole(size: Int64) -> ObjectChecksums {
        let again = sums.withUnsafeBytes { ContentDigest(of: $0) }
        guard count == composite.partCount, whole.length == size,
            Base64.decode(composite.algorithm.value(of: again)) == composite.value
        else { return ObjectChecksums() }
        switch composite.algorithm {
        case .crc32c: return ObjectChecksums(crc32c: whole.crc32c)
        case .crc64nvme: return ObjectChecksums(crc64nvme: whole.crc64nvme)
        }
    }
}

extension S3ChecksumAlgorithm {
    /// A digest that knows this algorithm's sum only; nil for what is no such sum.
    fileprivate func digest(_ text: String, length: Int64) -> ContentDigest? {
        switch self {
        case .crc32c:
            ChecksumEncoding.fromBase64BigEndian(text).map { ContentDigest(crc32c: $0, crc64nvme: 0, length: length) }
        case .crc64nvme:
            ChecksumEncoding.fromBase64BigEndian(text).map { ContentDigest(crc32c: 0, crc64nvme: $0, length: length) }
        }
    }
}
