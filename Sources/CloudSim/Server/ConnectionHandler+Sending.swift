import NIOCore
import NIOHTTP1

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// An answer's body on its way out.
struct Outflow {
    /// Bytes handed to the channel at once; also what a slow reader makes the server hold, beyond the watermark.
    static let pieceSize = 256 << 10
    /// How often a shaped answer sends.
    static let shapingInterval = 50

    let body: Body
    let end: Int
    let extra: ByteBuffer?
    let ending: ResponsePlan.Ending
    let flippedOffset: Int?
    let bytesPerSecond: Int?
    var offset = 0
    /// Bytes that may be sent before the next tick of a shaped answer.
    var allowance: Int
    var isPumping = false

    init(_ plan: ResponsePlan, hasBody: Bool) {
        body = plan.response.body
        end = hasBody ? plan.sentLength : 0
        extra = hasBody ? plan.extra : nil
        ending = hasBody ? plan.ending : .normal
        flippedOffset = plan.flippedOffset
        bytesPerSecond = plan.bytesPerSecond
        allowance = plan.bytesPerSecond.map { max(1, $0 * Self.shapingInterval / 1_000) } ?? Int.max
    }
}

extension ConnectionHandler {
    /// Writes as much of the body as the channel takes now; `channelWritabilityChanged` and timers call it again.
    func pump() {
        guard outflow != nil, !outflow!.isPumping, context != nil else { return }
        outflow!.isPumping = true
        while let flow = outflow, flow.offset < flow.end, flow.allowance > 0, context.channel.isWritable {
            let limit = min(Outflow.pieceSize, flow.end - flow.offset, flow.allowance)
            let piece = flow.body.piece(at: flow.offset, limit: limit)
            outflow!.offset += piece.count
            if flow.bytesPerSecond != nil { outflow!.allowance -= piece.count }
            guard write(piece, at: flow.offset, flippedOffset: flow.flippedOffset) else { return }
            // Once the watermark is reached, the socket gets what is there; writability may come back at once.
            if !context.channel.isWritable { context.flush() }
        }
        guard let flow = outflow else { return }
        outflow!.isPumping = false
        if flow.offset == flow.end {
            finish(flow)
        } else if flow.allowance == 0 {
            context.flush()
            scheduleNextTick(bytesPerSecond: flow.bytesPerSecond!)
        } else {
            context.flush()
        }
    }

    private func finish(_ flow: Outflow) {
        outflow = nil
        if let exchange { count(exchange, sent: flow.end) }
        if let extra = flow.extra { context.write(wrapOutboundOut(.body(.byteBuffer(extra))), promise: nil) }
        switch flow.ending {
        case .normal, .close:
            responseDidEnd()
        case .reset:
            context.flush()
            abort(reset: true)
        case .stall(let milliseconds):
            context.flush()
            if let milliseconds {
                context.eventLoop.scheduleTask(in: .milliseconds(Int64(milliseconds))) { [weak self] in
                    self?.abort(reset: false)
                }
            }
        }
    }

    private func scheduleNextTick(bytesPerSecond: Int) {
        // Below one byte per interval, the interval grows instead.
        let perInterval = bytesPerSecond * Outflow.shapingInterval / 1_000
        let interval = perInterval > 0 ? Outflow.shapingInterval : 1_000 / bytesPerSecond
        context.eventLoop.scheduleTask(in: .milliseconds(Int64(interval))) { [weak self] in
            guard let self, self.outflow != nil else { return }
            self.outflow!.allowance = max(1, perInterval)
            self.pump()
        }
    }

    /// Hands one piece to the channel. Returns false when its file cannot be read; the connection is closed then.
    private func write(_ piece: Body.Segment, at offset: Int, flippedOffset: Int?) -> Bool {
        let flipped = flippedOffset.flatMap { $0 >= offset && $0 < offset + piece.count ? $0 - offset : nil }
        do {
            if let flipped {
                var body = Body()
                body.append(piece)
                var copy = ByteBuffer()
                try body.forEachPiece { copy.writeBytes($0) }
                copy.setInteger(copy.getInteger(at: flipped, as: UInt8.self)! ^ 1, at: flipped)
                context.write(wrapOutboundOut(.body(.byteBuffer(copy))), promise: nil)
                return true
            }
            switch piece {
            case .memory(let buffer):
                context.write(wrapOutboundOut(.body(.byteBuffer(buffer))), promise: nil)
            case .file(let blob, let start, let length):
                let handle = NIOFileHandle(_deprecatedTakingOwnershipOfDescriptor: try blob.open())
                let region = FileRegion(fileHandle: handle, readerIndex: start, endIndex: start + length)
                context.write(wrapOutboundOut(.body(.fileRegion(region)))).whenComplete { _ in
                    // The descriptor is this region's own; closing it can only fail if it was closed before.
                    _ = try? handle.close()
                }
            }
            return true
        } catch {
            abort(reset: false)
            return false
        }
    }
}
