/// An ordered map from names to values, made of sorted chunks, for listings of 100,000 names and more.
///
/// Look-up is two binary searches; insertion and removal move at most one chunk's entries.
package struct SortedNames<Value> {
    /// Where an entry is; valid until the next mutation.
    package struct Position {
        fileprivate var chunk: Int
        fileprivate var index: Int
    }

    private struct Chunk {
        var names: [ObjectName]
        var values: [Value]
    }

    private static var chunkLimit: Int { 512 }

    /// Never contains an empty chunk.
    private var chunks: [Chunk] = []
    package private(set) var count = 0

    package init() {}

    package var isEmpty: Bool { count == 0 }

    package subscript(name: ObjectName) -> Value? {
        get {
            let position = lowerBound(name)
            guard position.chunk < chunks.count, chunks[position.chunk].names[position.index] == name else {
                return nil
            }
            return chunks[position.chunk].values[position.index]
        }
        set {
            guard let newValue else {
                remove(name)
                return
            }
            insert(name, newValue)
        }
    }

    /// The first position whose name is not before `name`.
    package func lowerBound(_ name: ObjectName) -> Position {
        var low = 0
        var high = chunks.count
        while low < high {
            let middle = (low + high) / 2
            if chunks[middle].names.last! < name { low = middle + 1 } else { high = middle }
        }
        guard low < chunks.count else { return Position(chunk: low, index: 0) }
        return Position(chunk: low, index: Self.lowerBound(name, in: chunks[low].names))
    }

    /// The first position whose name is after `name`.
    package func upperBound(_ name: ObjectName) -> Position {
        var position = lowerBound(name)
        if let entry = entry(at: position), entry.name == name { advance(&position) }
        return position
    }

    package var start: Position { Position(chunk: 0, index: 0) }

    package func entry(at position: Position) -> (name: ObjectName, value: Value)? {
        guard position.chunk < chunks.count else { return nil }
        return (chunks[position.chunk].names[position.index], chunks[position.chunk].values[position.index])
    }

    package func advance(_ position: inout Position) {
        position.index += 1
        if position.index == chunks[position.chunk].names.count {
            position.chunk += 1
            position.index = 0
        }
    }

    private static func lowerBound(_ name: ObjectName, in names: [ObjectName]) -> Int {
        var low = 0
        var high = names.count
        while low < high {
            let middle = (low + high) / 2
            if names[middle] < name { low = middle + 1 } else { high = middle }
        }
        return low
    }

    private mutating func insert(_ name: ObjectName, _ value: Value) {
        guard !chunks.isEmpty else {
            chunks = [Chunk(names: [name], values: [value])]
            count = 1
            return
        }
        var position = lowerBound(name)
        if position.chunk == chunks.count {
            position = Position(chunk: chunks.count - 1, index: chunks[chunks.count - 1].names.count)
        } else if chunks[position.chunk].names[position.index] == name {
            chunks[position.chunk].values[position.index] = value
            return
        }
        chunks[position.chunk].names.insert(name, at: position.index)
        chunks[position.chunk].values.insert(value, at: position.index)
        count += 1
        if chunks[position.chunk].names.count > Self.chunkLimit { split(position) }
    }

    /// Halves a full chunk; one that grew at its end keeps its entries, so that sorted input fills chunks.
    private mutating func split(_ position: Position) {
        let length = chunks[position.chunk].names.count
        let cut = position.index == length - 1 ? length - 1 : length / 2
        let upper = Chunk(
            names: Array(chunks[position.chunk].names[cut...]), values: Array(chunks[position.chunk].values[cut...]))
        chunks[position.chunk].names.removeSubrange(cut...)
        chunks[position.chunk].values.removeSubrange(cut...)
        chunks.insert(upper, at: position.chunk + 1)
    }

    private mutating func remove(_ name: ObjectName) {
        let position = lowerBound(name)
        guard position.chunk < chunks.count, chunks[position.chunk].names[position.index] == name else { return }
        chunks[position.chunk].names.remove(at: position.index)
        chunks[position.chunk].values.remove(at: position.index)
        count -= 1
        if chunks[position.chunk].names.isEmpty { chunks.remove(at: position.chunk) }
    }
}
