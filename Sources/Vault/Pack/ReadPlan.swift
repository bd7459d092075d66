import ReplicationModel

/// The chunks of one read in the order in which they lie, cut into windows of few blocks.
struct ReadPlan {
    /// Chunks whose blocks are held together.
    struct Window: Sendable {
        var chunks: [Chunk] = []
        var blocks: [Block] = []
        var packs: [Pack] = []
        /// Bytes of the longest record and of the longest chunk.
        var maxStored = 0
        var maxPlain = 0
    }

    struct Chunk: Sendable {
        /// In the caller's list.
        let index: Int
        let read: ChunkRead
        let location: ChunkLocation
        /// Of the window's packs.
        var pack = 0
        /// Of the window's blocks.
        var blocks = 0..<0
    }

    struct Block: Sendable {
        let key: BlockCache.Key
        /// Where it ends at least, as a place in the pack.
        let end: Int
    }

    struct Pack: Sendable {
        let name: PackName
        /// The window's block that has the pack's header.
        let headerBlock: Int?
    }

    let blockSize: Int
    /// Blocks of one window, unless a single chunk needs more.
    let window: Int
    /// Blocks that there can be.
    let limit: Int
    private var chunks: [Chunk] = []
    private var indices: Set<Int> = []
    /// Packs in the order of their first chunk, which is the reader's.
    private var order: [PackName: Int] = [:]
    /// The last byte that is wanted of each pack: it is at least so long.
    private var ends: [PackName: Int] = [:]

    init(blockSize: Int, window: Int, limit: Int) {
        self.blockSize = blockSize
        self.window = window
        self.limit = limit
    }

    func contains(_ index: Int) -> Bool { indices.contains(index) }

    /// Throws `.damaged` for a location that cannot be.
    mutating func add(_ index: Int, _ read: ChunkRead, _ location: ChunkLocation) throws(VaultError) {
        guard read.range.lowerBound >= 0, read.range.upperBound <= Int(location.plainLength) else {
            throw VaultError(
                .damaged, object: location.pack.text,
                "the index names a chunk of \(location.plainLength) bytes of which \(read.range.upperBound) are wanted")
        }
        guard location.offset >= ObjectHeader.length, location.storedLength > RecordCipher.overhead,
            location.plainLength <= PackLayout.maxChunk,
            location.storedLength <= PackLayout.maxChunk + RecordCipher.overhead, numbers(location).count <= limit
        else {
            throw VaultError(
                .damaged, object: location.pack.text,
                "the index names an impossible record at byte \(location.offset), of \(location.storedLength) bytes")
        }
        chunks.append(Chunk(index: index, read: read, location: location))
        indices.insert(index)
        if order[location.pack] == nil { order[location.pack] = order.count }
        ends[location.pack] = max(ends[location.pack] ?? 0, Int(location.offset) + Int(location.storedLength))
    }

    private func numbers(_ location: ChunkLocation) -> ClosedRange<Int> {
        let offset = Int(location.offset)
        return offset / blockSize...(offset + Int(location.storedLength) - 1) / blockSize
    }

    func windows() -> [Window] {
        let sorted = chunks.sorted {
            (order[$0.location.pack]!, $0.location.offset) < (order[$1.location.pack]!, $1.location.offset)
        }
        var windows: [Window] = []
        var current = Window()
        for chunk in sorted {
            let numbers = numbers(chunk.location)
            let isOpen = current.packs.last?.name == chunk.location.pack
            let known = isOpen ? current.blocks.last!.key.number : -1
            let more = numbers.count { $0 > known }
            if !current.blocks.isEmpty, current.blocks.count + more > window {
                windows.append(current)
                current = Window()
            }
            add(chunk, numbers, to: &current)
        }
        if !current.chunks.isEmpty { windows.append(current) }
        return windows
    }

    private func add(_ chunk: Chunk, _ numbers: ClosedRange<Int>, to window: inout Window) {
        var chunk = chunk
        let pack = chunk.location.pack
        if window.packs.last?.name != pack {
            window.packs.append(Pack(name: pack, headerBlock: numbers.lowerBound == 0 ? window.blocks.count : nil))
        }
        // Chunks come in order, and each with all its blocks: so the blocks of one lie side by side at the end.
        let last = window.blocks.last.map { $0.key.pack == pack ? $0.key.number : -1 } ?? -1
        for number in numbers where number > last {
            window.blocks.append(
                Block(
                    key: BlockCache.Key(pack: pack, number: number), end: min(ends[pack]!, (number + 1) * blockSize)))
        }
        let upper = window.blocks.count - (window.blocks.last!.key.number - numbers.upperBound)
        chunk.blocks = upper - numbers.count..<upper
        chunk.pack = window.packs.count - 1
        window.chunks.append(chunk)
        window.maxStored = max(window.maxStored, Int(chunk.location.storedLength))
        window.maxPlain = max(window.maxPlain, Int(chunk.location.plainLength))
    }
}
