/// One tensor of a file, by what its header says.
struct Tensor: Equatable {
    /// Where it begins in the file.
    var start: Int64
    /// Its last byte's successor; nil: not known, at most where the next one begins.
    var end: Int64?
    /// Bytes of one element that are worth taking apart: 2, 4 or 8 for floating-point numbers, else 1.
    var width: Int
}

/// How the part of a file behind its header is cut.
///
/// A tensor that lies alone is cut every `grid` bytes from its start, so it gives the same chunks wherever it lies. Tensors below
/// 16 KiB (norms, biases, scalars) would give as many chunks as they are: those that lie together make one run, which content cuts as
/// it cuts any file. A large tensor therefore never shares a chunk with a small one, and there are at most two tiny chunks (a run, and
/// what the grid leaves over) for each large tensor. What lies between tensors (padding) belongs to the one before.
struct TensorLayout {
    struct Extent: Equatable {
        var end: Int64
        var width: Int
        /// Cut every `grid` bytes from its start; else by content.
        var isOnGrid: Bool
    }

    /// Spans below it join a run.
    static let small: Int64 = 16 << 10

    /// In order; the first begins where the header ends, each where the one before ends, the last ends with the file.
    let extents: [Extent]

    /// Nil when the tensors overlap or lie outside of the file.
    init?(_ tensors: [Tensor], from headerEnd: Int64, to fileEnd: Int64) {
        guard headerEnd <= fileEnd else { return nil }
        // Tensors without bytes have no place.
        let tensors = tensors.filter { $0.end != $0.start }.sorted { $0.start < $1.start }
        var extents: [Extent] = []
        var runWidth: Int?
        var position = headerEnd
        // Bytes in front of the first tensor are a run of no known width.
        if let first = tensors.first, first.start > position { runWidth = 1 }
        for (index, tensor) in tensors.enumerated() {
            let next = index + 1 < tensors.count ? tensors[index + 1].start : fileEnd
            guard tensor.start >= headerEnd, tensor.start < next, tensor.end ?? next <= next else { return nil }
            guard (tensor.end ?? next) > tensor.start else { return nil }
            if next - tensor.start < Self.small {
                runWidth = runWidth == nil || runWidth == tensor.width ? tensor.width : 1
                continue
            }
            if tensor.start > position {
                extents.append(Extent(end: tensor.start, width: runWidth ?? 1, isOnGrid: false))
            }
            extents.append(Extent(end: next, width: tensor.width, isOnGrid: true))
            position = next
            runWidth = nil
        }
        if fileEnd > position { extents.append(Extent(end: fileEnd, width: runWidth ?? 1, isOnGrid: false)) }
        self.extents = extents
    }
}
