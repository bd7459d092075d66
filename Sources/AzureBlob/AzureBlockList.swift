import Digests
import XMLStreaming

/// The blocks of a blob as Get Block List tells them.
struct AzureBlockList: XMLHandler {
    struct Block {
        var id: String
        /// Bytes.
        var size: Int64
    }

    private(set) var committed: [Block] = []
    private(set) var uncommitted: [Block] = []
    private var id: String?
    private var size: Int64?
    private var isCommitted = false

    init(_ document: [UInt8]) throws {
        try XMLReader.parse(document, handler: &self)
    }

    mutating func start(_ name: XMLBytes, depth: Int, attributes: XMLAttributes) {
        switch (depth, name) {
        case (1, _): isCommitted = name == "CommittedBlocks"
        case (2, "Block"): (id, size) = (nil, nil)
        default: break
        }
    }

    mutating func end(_ name: XMLBytes, depth: Int, text: XMLBytes) throws {
        switch (depth, name) {
        case (3, "Name"): id = text.string
        case (3, "Size"): size = text.integer
        case (2, "Block"):
            guard let id, let size, (0...AzureBlobStore.maxBlockSize).contains(size) else {
                throw AzureDocumentError(message: "a block has no name or no valid size")
            }
            if isCommitted {
                committed.append(Block(id: id, size: size))
            } else {
                uncommitted.append(Block(id: id, size: size))
            }
        default: break
        }
    }

    /// The whole blob's CRC-64 and length, when its committed blocks are all the parts of one upload by this program,
    /// in order, and each was verified by the service under the checksum in its name.
    var provenDigest: (crc64: UInt64, length: Int64)? {
        var crc64: UInt64 = 0
        var length: Int64 = 0
        var nonce: UInt64?
        for (index, block) in committed.enumerated() {
            guard let id = AzureBlockID(block.id), id.number == index + 1, let checksum = id.crc64,
                nonce ?? id.nonce == id.nonce
            else {
                return nil
            }
            nonce = id.nonce
            crc64 = CRC64NVME.combine(crc64, checksum, lengthOfB: block.size)
            length += block.size
        }
        return committed.isEmpty ? nil : (crc64, length)
    }

    /// The document that makes a blob of uncommitted blocks: never of equally named ones that a former version of the
    /// blob has.
    static func document(_ ids: [String]) -> [UInt8] {
        var writer = XMLWriter()
        writer.element("BlockList") { writer in
            for id in ids { writer.element("Uncommitted", text: id) }
        }
        return writer.bytes
    }
}

/// A document that is well-formed and does not say what it must.
struct AzureDocumentError: Error, CustomStringConvertible {
    var message: String
    var description: String { message }
}
