/// Cuts files of tensors (safetensors, GGUF) where their tensors are, and all others by content.
///
/// While the header is read, content cuts. If it describes tensors, it ends with a cut and `TensorLayout` says what follows; if not,
/// content goes on cutting as if nothing had been looked for.
struct TensorCutter: Sendable {
    private enum State {
        case header(TensorHeader)
        case extents(TensorLayout, index: Int)
        case content
    }

    private let grid: Int
    private let fileEnd: Int64
    private var gear: GearCutter
    private var state: State
    private var position: Int64 = 0
    /// Bytes of the open chunk when a grid cuts it.
    private var length = 0
    /// Bytes of one element in the chunk of which the last bytes are that were taken.
    private(set) var elementWidth = 1

    init(grid: Int, otherwise sizes: GearSizes, fileEnd: Int64) {
        self.grid = grid
        self.fileEnd = fileEnd
        gear = GearCutter(sizes)
        state = .header(TensorHeader(fileEnd: fileEnd))
    }

    /// How many of the bytes end the chunk; nil: all belong to it and it goes on.
    mutating func nextCut(in bytes: UnsafeRawBufferPointer) -> Int? {
        var taken = 0
        while taken < bytes.count {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[taken...])
            let (count, isCut) = advance(rest)
            taken += count
            position += Int64(count)
            if isCut { return taken }
        }
        return nil
    }

    /// Takes at least one byte.
    private mutating func advance(_ rest: UnsafeRawBufferPointer) -> (count: Int, isCut: Bool) {
        // Moved out and back, so that what it keeps is not copied.
        var current = State.content
        swap(&current, &state)
        switch consume current {
        case .header(var header):
            let wanted = UnsafeRawBufferPointer(rebasing: rest.prefix(header.wanted))
            let cut = gear.nextCut(in: wanted)
            let count = cut ?? wanted.count
            let outcome = header.take(UnsafeRawBufferPointer(rebasing: wanted[..<count]))
            switch outcome {
            case .more:
                state = .header(header)
                return (count, cut != nil)
            case .tensors(let tensors):
                guard let layout = TensorLayout(tensors, from: position + Int64(count), to: fileEnd) else {
                    return (count, cut != nil)
                }
                state = .extents(layout, index: 0)
                gear.endChunk()
                return (count, true)
            case .unusable: return (count, cut != nil)
            }
        case .extents(let layout, let index):
            guard index < layout.extents.count else {
                // Beyond the size that was announced.
                elementWidth = 1
                return advance(rest)
            }
            let extent = layout.extents[index]
            elementWidth = extent.width
            let inside = UnsafeRawBufferPointer(rebasing: rest.prefix(Int(clamping: extent.end - position)))
            let (count, isCut) = extent.isOnGrid ? takeGrid(inside) : takeContent(inside)
            let isEnd = position + Int64(count) == extent.end
            state = .extents(layout, index: isEnd ? index + 1 : index)
            if isEnd {
                length = 0
                gear.endChunk()
            }
            return (count, isCut || isEnd)
        case .content:
            let cut = gear.nextCut(in: rest)
            return (cut ?? rest.count, cut != nil)
        }
    }

    private mutating func takeGrid(_ bytes: UnsafeRawBufferPointer) -> (count: Int, isCut: Bool) {
        let count = min(grid - length, bytes.count)
        length = length + count == grid ? 0 : length + count
        return (count, length == 0)
    }

    private mutating func takeContent(_ bytes: UnsafeRawBufferPointer) -> (count: Int, isCut: Bool) {
        let cut = gear.nextCut(in: bytes)
        return (cut ?? bytes.count, cut != nil)
    }
}
