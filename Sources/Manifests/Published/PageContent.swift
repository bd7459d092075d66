import Buffers
import Compression
import Cryptography
import ReplicationModel

/// From the bytes of a page's file to its rows.
enum PageContent {
    /// The content of a file that is the one listed, in memory of its own.
    static func open(_ file: BufferSlice, _ page: PublishedPage) throws -> [UInt8] {
        guard file.withUnsafeBytes({ SHA256.hash($0) }) == page.digest else {
            throw damaged(page, "its SHA-256 is not its name")
        }
        return try decompress(file, page)
    }

    static func decompress(_ file: BufferSlice, _ page: PublishedPage) throws -> [UInt8] {
        do {
            return try file.withUnsafeBytes { file in
                guard try Zstd.contentSize(of: file, limit: ManifestFormat.maxPageBytes) == page.contentBytes else {
                    throw damaged(page, "its content has another size than the head lists")
                }
                return try [UInt8](unsafeUninitializedCapacity: page.contentBytes) { buffer, count in
                    try Zstd.decompress(file, into: UnsafeMutableRawBufferPointer(buffer))
                    count = page.contentBytes
                }
            }
        } catch let error as ZstdError {
            throw damaged(page, error.message)
        }
    }

    /// The rows of a page, after checking that they are those that the head lists: number, order, first and last key.
    static func rows(_ content: [UInt8], _ page: PublishedPage) throws -> [LedgerRow] {
        let parser = RowParser()
        var rows: [LedgerRow] = []
        rows.reserveCapacity(page.rows)
        var start = 0
        while start < content.count {
            let number = rows.count + 1
            func fault(_ message: String) -> ManifestError { damaged(page, "line \(number) \(message)") }

            guard number <= page.rows else { throw damaged(page, "has more rows than the head lists") }
            guard let end = content[start...].firstIndex(of: lineFeed) else { throw fault("does not end") }
            guard end - start < ManifestFormat.maxRowBytes else { throw fault("is longer than any row") }
            let row: LedgerRow
            do {
                row = try parser.row(content[start..<end])
            } catch let error as JSONFault {
                throw fault(error.description)
            }
            if let last = rows.last, !(last.key < row.key) { throw fault("is out of order: \(row.key)") }
            rows.append(row)
            start = end + 1
        }
        guard rows.count == page.rows else {
            throw damaged(page, "has \(rows.count) rows, and the head lists \(page.rows)")
        }
        guard rows.first?.key == page.firstKey, rows.last?.key == page.lastKey else {
            throw damaged(page, "its first or last key is not the one that the head lists")
        }
        return rows
    }

    static func damaged(_ page: PublishedPage, _ message: String) -> ManifestError {
        ManifestError(.damagedPage, "\(page.key): \(message)")
    }
}
