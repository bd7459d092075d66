import Cryptography
import ObjectStores
import ReplicationModel
import Vault

/// SplitMix64: the same numbers for the same seed.
struct SampleRandom: RandomNumberGenerator {
    private var state: UInt64

    init(_ seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }

    mutating func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8(truncatingIfNeeded: next()) } }

    mutating func id() -> ChunkID { ChunkID(bytes(32)) }

    mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &self) < percent }
}

/// Entries and trees to test with.
enum SnapshotSamples {
    static let session = SessionName(base: 3, random: [1, 2, 3, 4, 5, 6, 7, 8])
    static let keys = KeyRing.generate(repository: SecureRandom.bytes(32))

    static func entry(_ key: ObjectKey, _ random: inout SampleRandom, chunks: Int? = nil) -> VaultEntry {
        let references = (0..<(chunks ?? Int.random(in: 0...3, using: &random))).map { _ in
            ChunkReference(id: random.id(), length: UInt32.random(in: 1...1_000_000, using: &random))
        }
        var attributes = ObjectAttributes()
        if random.chance(50) { attributes.contentType = random.chance(50) ? "text/plain" : "a\"b\\c\u{1}é\u{7F}" }
        if random.chance(20) {
            attributes.cacheControl = "no-store"
            attributes.userMetadata = ["mtime": "\(random.next())", "é": "", "a\n": "\\"]
        }
        return VaultEntry(
            key: key, size: references.reduce(0) { $0 + Int64($1.length) },
            modified: Int64(truncatingIfNeeded: random.next()), crc32c: UInt32(truncatingIfNeeded: random.next()),
            crc64nvme: random.next(), blake3: random.bytes(32), attributes: attributes, content: .chunks(references))
    }

    /// As a bucket has them: folders, common beginnings, some bytes that are not text.
    static func key(_ random: inout SampleRandom, of count: Int) -> ObjectKey {
        let number = Int.random(in: 0..<count, using: &random)
        let text = "folder-\(number % 7)/sub\(number % 31)/object-\(number)"
        return number % 97 == 0 ? ObjectKey(Array(text.utf8) + [0xFF, 0x00]) : ObjectKey(text)
    }

    static func build(_ entries: [VaultEntry], _ pages: PageStore) async throws(VaultError) -> ChangedTree {
        try await SnapshotTree(root: nil, pages: pages).applying(entries.map { ($0.key, $0) }, session: session)
    }
}
