import Buffers
import Digests
import Manifests
import ObjectStores
import ReplicationModel

/// Feeds an upload with parts of one size: each is read from the pinned source version into a pooled buffer and sent from it.
///
/// Where the source reports a BLAKE3 of the whole object, the bytes read are hashed in order. Not so when an earlier run has sent some of
/// them: reading those again would cost what continuing saves, and they were compared with their CRCs when they were sent.
struct MultipartUploader {
    let upload: MultipartUpload

    private var context: RunContext { upload.context }
    private var object: ListedObject { upload.object }

    func run() async throws -> MultipartUpload.Completed {
        try await upload.run { opened in
            let feed = Feed(
                upload: upload, opened: opened, plan: PartPlan(size: object.size, partSize: opened.session.partSize))
            return switch opened.session.partOrder {
            case .parallel: try await feed.sendInParallel()
            case .sequential: try await feed.sendInOrder()
            }
        }
    }

    private struct Feed {
        /// Parts that are read, or being read, before the one that is sent in order has arrived.
        private static let ahead = 3

        let upload: MultipartUpload
        let opened: MultipartUpload.Opened
        let plan: PartPlan

        private var context: RunContext { upload.context }
        private var isHashed: Bool { opened.present.isEmpty && BLAKE3Check(upload.sourceChecksums) != nil }

        /// A sliding window: the task group never holds more parts than may be in flight.
        func sendInParallel() async throws -> MultipartUpload.Content {
            var receipts = (1...plan.count).map { present($0) }
            let hash = isHashed ? OrderedHash() : nil
            try await withThrowingTaskGroup(of: PartReceipt.self) { group in
                var missing = (1...plan.count).lazy.filter { receipts[$0 - 1] == nil }.makeIterator()
                var next = missing.next()
                var running = 0
                while next != nil || running > 0 {
                    if let number = next, running < context.options.concurrency {
                        if let hash {
                            // In order, so that a part never waits for one that cannot begin because of it.
                            let buffer = try await admit(number)
                            group.addTask(executorPreference: context.nextExecutor()) {
                                try await sendPart(number, from: buffer, hash)
                            }
                        } else {
                            group.addTask(executorPreference: context.nextExecutor()) { try await sendPart(number) }
                        }
                        next = missing.next()
                        running += 1
                    } else if let receipt = try await group.next() {
                        receipts[receipt.number - 1] = receipt
                        running -= 1
                    }
                }
            }
            return MultipartUpload.Content(parts: receipts.map { $0! }, blake3: hash?.finalize())
        }

        /// For stores that take parts only one after the other: the next ones are read while this one is sent.
        func sendInOrder() async throws -> MultipartUpload.Content {
            var receipts = (1...plan.count).map { present($0) }.prefix { $0 != nil }.map { $0! }
            receipts.reserveCapacity(plan.count)
            var hash = isHashed ? BLAKE3() : nil
            var reading = ReadAhead(last: receipts.count)
            try await withThrowingTaskGroup(of: PartRequest.self) { group in
                while receipts.count < plan.count {
                    let number = receipts.count + 1
                    readAhead(of: number - 1, &reading, in: &group)
                    while reading.arrived[number] == nil, let part = try await group.next() { reading.take(part) }
                    readAhead(of: number, &reading, in: &group)
                    receipts.append(try await send(reading.arrived.removeValue(forKey: number)!, &hash))
                }
            }
            return MultipartUpload.Content(parts: receipts, blake3: hash?.finalize())
        }

        /// The part's memory is given back when it has been sent.
        private func send(_ part: consuming PartRequest, _ hash: inout BLAKE3?) async throws -> PartReceipt {
            part.body.withUnsafeBytes { hash?.update($0) }
            let sent = try await upload.send(part, of: opened.session)
            return try await upload.note(sent, of: opened.session)
        }

        /// What `sendInOrder` reads before it is needed.
        private struct ReadAhead {
            /// The last part whose reading has begun.
            var last: Int
            /// Whether that part waits for memory.
            var waits = false
            var arrived: [Int: PartRequest] = [:]

            mutating func take(_ part: PartRequest) {
                if part.number == last { waits = false }
                arrived[part.number] = part
            }
        }

        /// Begins to read the parts behind `number`, which is being sent. Only the first of them may wait for memory: objects that each
        /// hold parts and wait for one that goes before them would wait for ever.
        private func readAhead(
            of number: Int, _ reading: inout ReadAhead, in group: inout ThrowingTaskGroup<PartRequest, any Error>
        ) {
            while reading.last < min(number + Self.ahead, plan.count), !reading.waits {
                let next = reading.last + 1
                let buffer = context.pool.tryAcquire(Int(plan.range(next).length))
                guard buffer != nil || next == number + 1 else { return }
                reading.waits = buffer == nil
                reading.last = next
                group.addTask(executorPreference: context.nextExecutor()) { try await readPart(next, into: buffer) }
            }
        }

        /// A part that need not be sent: the target has just these bytes in its place.
        private func present(_ number: Int) -> PartReceipt? {
            guard let part = opened.present[number] else { return nil }
            let range = plan.range(number)
            return part.offset == range.offset && part.digest.length == range.length ? part.receipt : nil
        }

        private func sendPart(_ number: Int) async throws -> PartReceipt {
            let sent = try await context.transfers.withPermit {
                try await upload.send(readPart(number), of: opened.session)
            }
            return try await upload.note(sent, of: opened.session)
        }

        /// A permit and memory for a part; both then belong to `sendPart`.
        private func admit(_ number: Int) async throws -> PooledBuffer {
            try await context.transfers.acquire()
            do {
                return try await context.pool.acquire(Int(plan.range(number).length))
            } catch {
                context.transfers.release()
                throw error
            }
        }

        private func sendPart(_ number: Int, from buffer: PooledBuffer, _ hash: OrderedHash) async throws -> PartReceipt
        {
            do {
                let (sent, body) = try await sendAdmitted(number, buffer)
                try await hash.update(number, body)
                return try await upload.note(sent, of: opened.session)
            } catch {
                hash.abandon(error)
                throw error
            }
        }

        private func sendAdmitted(_ number: Int, _ buffer: PooledBuffer) async throws -> (RecordedPart, BufferSlice) {
            defer { context.transfers.release() }
            let part = try await readPart(number, into: buffer)
            return (try await upload.send(part, of: opened.session), part.body)
        }

        /// - Parameter room: memory for the part; nil waits for it.
        private func readPart(_ number: Int, into room: PooledBuffer? = nil) async throws -> PartRequest {
            let range = plan.range(number)
            let buffer: PooledBuffer
            if let room { buffer = room } else { buffer = try await context.pool.acquire(Int(range.length)) }
            do throws(StoreError) {
                let object = upload.object
                let reply = try await context.source.read(
                    ReadRequest(key: object.key, range: range, version: object.version, objectSize: object.size),
                    into: buffer)
                return PartRequest(
                    number: number, offset: range.offset, body: buffer.slice(Int(range.length)), digest: reply.digest)
            } catch {
                throw TransferFailure(.source, error)
            }
        }
    }
}
