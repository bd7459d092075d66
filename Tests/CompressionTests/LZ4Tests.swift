import Compression
import Testing

struct LZ4Tests {
    private func compress(_ content: [UInt8], room: Int) -> [UInt8]? {
        var block = [UInt8](repeating: 0, count: room)
        let count = block.withUnsafeMutableBytes { block in
            content.withUnsafeBytes { LZ4Compressor().compress($0, fitting: block) }
        }
        return count.map { Array(block[..<$0]) }
    }

    private func decompress(_ block: [UInt8], count: Int) throws -> [UInt8] {
        var content = [UInt8](repeating: 0, count: count)
        try block.withUnsafeBytes { block in
            try content.withUnsafeMutableBytes { try LZ4.decompress(block, into: $0) }
        }
        return content
    }

    @Test(arguments: [0, 1, 13, 1000, 100_000])
    func `what was compressed comes back`(count: Int) throws {
        let content = (0..<count).map { UInt8(truncatingIfNeeded: $0 / 7) }
        let block = try #require(compress(content, room: count + count / 255 + 16))
        #expect(try decompress(block, count: count) == content)
        #expect(count < 10_000 || block.count < count / 2)
    }

    /// From the format's page: a token of five literals, and the literals.
    @Test func `a block written by hand`() throws {
        #expect(try decompress([0x50] + Array("vault".utf8), count: 5) == Array("vault".utf8))
    }

    @Test func `what does not fit is refused`() throws {
        let content = [UInt8](repeating: 7, count: 1000)
        let block = try #require(compress(content, room: 1000))
        #expect(compress(content, room: block.count) == block)
        #expect(compress(content, room: block.count - 1) == nil)
        #expect(compress(content, room: 0) == nil)
    }

    @Test func `another length than the content's is refused`() throws {
        let block = try #require(compress([UInt8](repeating: 7, count: 1000), room: 1000))
        for count in [0, 999, 1001, 100_000] {
            #expect(throws: LZ4Error.self) { try decompress(block, count: count) }
        }
        #expect(throws: LZ4Error.self) { try decompress([], count: 0) }
        #expect(throws: LZ4Error.self) { try decompress(Array(block.dropLast()), count: 1000) }
    }
}
