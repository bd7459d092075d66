import Buffers
import Compression
import Cryptography
import ReplicationModel

/// Gathers rows until a page is full, and makes its file.
struct PageWriter {
    private var text = RowText()
    private var content: [UInt8] = []
    private var rows = 0
    private var firstKey = ObjectKey([])
    private var lastKey = ObjectKey([])
    private let compressor = ZstdCompressor()

    var isEmpty: Bool { rows == 0 }

    /// Adds a row, unless the page is full: then it has to be finished first.
    mutating func append(_ row: LedgerRow) throws -> Bool {
        let line = try text.line(row)
        guard rows < ManifestFormat.maxPageRows, content.count + line.count <= ManifestFormat.fullPageBytes else {
            return false
        }
        precondition(isEmpty || lastKey < row.key, "a ledger gives its rows in key order")
        if isEmpty { firstKey = row.key }
        lastKey = row.key
        content.append(contentsOf: line)
        rows += 1
        return true
    }

    /// Whether the page ends after the last row by its key.
    var isComplete: Bool { rows >= ManifestFormat.minPageRows && ManifestFormat.cuts(after: lastKey) }

    /// The page's file in a buffer of the pool, and its entry in the head. The writer is empty again.
    mutating func finish(_ pool: BufferPool) async throws -> (PublishedPage, BufferSlice) {
        let room = Zstd.bound(content.count)
        let buffer = try await pool.acquire(checking: room)
        let frame = UnsafeMutableRawBufferPointer(start: buffer.base, count: buffer.capacity)
        let slice = buffer.slice(content.withUnsafeBytes { compressor.compress($0, into: frame) })
        let page = PublishedPage(
            digest: slice.withUnsafeBytes { SHA256.hash($0) }, rows: rows, fileBytes: slice.count,
            contentBytes: content.count, firstKey: firstKey, lastKey: lastKey)
        // Opened again before anybody relies on it: memory errs, and this file may have to rebuild a ledger.
        guard try PageContent.decompress(slice, page) == content else {
            throw ManifestError(
                .damagedPage, "a page did not survive its compression: the machine's memory may be faulty")
        }
        content.removeAll(keepingCapacity: true)
        rows = 0
        return (page, slice)
    }
}

extension BufferPool {
    /// As `acquire`, but for sizes that a file or a store named: throws when they never fit.
    func acquire(checking size: Int) async throws -> PooledBuffer {
        guard Self.footprint(size) <= limit else {
            throw ManifestError(.memory, "the manifest needs a buffer of \(size) bytes; raise --memory")
        }
        return try await acquire(size)
    }
}
