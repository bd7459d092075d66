package import ChunkPipeline
import Digests

/// The object `format`: what a vault is, in the clear, written once.
///
/// Nothing in it is secret. Its bytes are bound into the key slots, so a change of any of them is found when the vault is opened.
package struct VaultFormat: Sendable {
    /// 32 bytes, random, of this vault.
    package let repository: [UInt8]
    package let chunker: ChunkerProfile
    package let compression: CompressionPolicy
    /// Bytes that a pack is closed at.
    package let packSize: Int
    /// Whether the location's conditional writes do not work: then only one machine may write at a time.
    package let isSingleWriter: Bool
    /// As stored.
    package let bytes: [UInt8]

    package static let standardPackSize = 32 << 20
    package static let packSizes = (8 << 20)...(256 << 20)
    /// Bytes of one chunk, at least and at most.
    package static let chunkSizes = (4 << 10)...(8 << 20)
    /// Bytes of the object, at most.
    static let maxLength = 1 << 20

    private static let magic = "lockstep vault"
    private static let version = 1
    private static let cipher = "AES-256-GCM"
    private static let hash = "BLAKE3"

    /// Throws `.invalid` for sizes that are not allowed.
    package init(
        repository: [UInt8], chunker: ChunkerProfile, compression: CompressionPolicy, packSize: Int,
        isSingleWriter: Bool
    ) throws(VaultError) {
        precondition(repository.count == KeyRing.repositoryLength, "a repository id has 32 bytes")
        if let problem = Self.problem(with: chunker, packSize) { throw VaultError(.invalid, problem) }
        self.repository = repository
        self.chunker = chunker
        self.compression = compression
        self.packSize = packSize
        self.isSingleWriter = isSingleWriter
        bytes = VaultJSON.encode(
            Document(
                magic: Self.magic, version: Self.version, repository: Hex.encode(repository), cipher: Self.cipher,
                hash: Self.hash, chunker: ChunkerDocument(chunker), compression: compression.rawValue,
                packSize: packSize, features: [], singleWriter: isSingleWriter))
    }

    /// Reads the object. Throws `.newerFormat` for what a later version may have written, `.damaged` for anything else.
    package init(decoding bytes: [UInt8]) throws(VaultError) {
        let envelope = try VaultJSON.decode(Envelope.self, bytes, name: VaultName.format)
        guard envelope.magic == Self.magic else { throw Self.damaged("is not the format of a vault") }
        guard envelope.version == Self.version else {
            throw VaultError(
                .newerFormat, object: VaultName.format,
                "the vault is of version \(envelope.version), this program knows version \(Self.version): use a newer one"
            )
        }
        try Self.know("features", envelope.features, [])
        let document = try VaultJSON.decode(Document.self, bytes, name: VaultName.format)
        try Self.know("cipher", [document.cipher], [Self.cipher])
        try Self.know("hash", [document.hash], [Self.hash])
        try Self.know("chunker", [document.chunker.kind], ChunkerDocument.kinds)
        try Self.know("compression", [document.compression], CompressionPolicy.allCases.map(\.rawValue))
        guard let repository = Hex.decode(document.repository), repository.count == KeyRing.repositoryLength else {
            throw Self.damaged("its repository id is not valid")
        }
        guard let chunker = document.chunker.profile else { throw Self.damaged("its chunker lacks a size") }
        if let problem = Self.problem(with: chunker, document.packSize) { throw Self.damaged(problem) }
        self.repository = repository
        self.chunker = chunker
        compression = CompressionPolicy(rawValue: document.compression)!
        packSize = document.packSize
        isSingleWriter = document.singleWriter
        self.bytes = bytes
    }

    /// What the key slots are bound to, hex.
    var digest: String { bytes.withUnsafeBytes { Hex.encode(BLAKE3.hash($0)) } }

    private static func damaged(_ message: String) -> VaultError {
        VaultError(.damaged, object: VaultName.format, message)
    }

    private static func know(_ field: String, _ values: [String], _ known: [String]) throws(VaultError) {
        let unknown = values.filter { !known.contains($0) }
        guard !unknown.isEmpty else { return }
        throw VaultError(
            .newerFormat, object: VaultName.format,
            "the vault needs what this program does not know (\(field): \(unknown.joined(separator: ", "))): use a newer one"
        )
    }

    /// Why the sizes are not allowed, for people.
    private static func problem(with chunker: ChunkerProfile, _ packSize: Int) -> String? {
        let sizes: [Int]
        switch chunker {
        case .gear(let gear): sizes = [gear.min, gear.average, gear.max]
        case .fixed(let size): sizes = [size]
        case .tensor(let grid, let gear): sizes = [gear.min, gear.average, gear.max, grid]
        }
        if let wrong = sizes.first(where: { !chunkSizes.contains($0) || $0 & ($0 - 1) != 0 }) {
            return "a chunk's sizes are powers of two from 4 KiB to 8 MiB, not \(wrong)"
        }
        if sizes.count > 1, sizes[0] > sizes[1] || sizes[1] > sizes[2] {
            return "of a chunk's sizes, the least is at most the average, and that at most the largest"
        }
        guard packSizes.contains(packSize) else { return "packs have 8 to 256 MiB, not \(packSize) bytes" }
        guard packSize >= 2 * chunker.largest else { return "a pack has room for two chunks of the largest size" }
        return nil
    }
}

private struct Envelope: Decodable {
    let magic: String
    let version: Int
    let features: [String]
}

private struct Document: Codable {
    let magic: String
    let version: Int
    let repository: String
    let cipher: String
    let hash: String
    let chunker: ChunkerDocument
    let compression: String
    let packSize: Int
    let features: [String]
    let singleWriter: Bool
}

private struct ChunkerDocument: Codable {
    static let kinds = ["gear", "fixed", "tensor"]

    let kind: String
    var grid: Int?
    var size: Int?
    var min: Int?
    var average: Int?
    var max: Int?

    init(_ profile: ChunkerProfile) {
        switch profile {
        case .gear(let sizes):
            kind = "gear"
            (min, average, max) = (sizes.min, sizes.average, sizes.max)
        case .fixed(let size):
            kind = "fixed"
            self.size = size
        case .tensor(let grid, let sizes):
            kind = "tensor"
            self.grid = grid
            (min, average, max) = (sizes.min, sizes.average, sizes.max)
        }
    }

    /// nil when a size is not there.
    var profile: ChunkerProfile? {
        if kind == "fixed" { return size.map { .fixed(size: $0) } }
        guard let min, let average, let max else { return nil }
        let sizes = GearSizes(min: min, average: average, max: max)
        if kind == "gear" { return .gear(sizes) }
        return grid.map { .tensor(grid: $0, otherwise: sizes) }
    }
}
