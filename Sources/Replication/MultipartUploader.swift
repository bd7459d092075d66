import Buffers
import Digests
import Manifests
import ObjectStores
import ReplicationModel

/// Feeds an upload with parts of one size: each is read from the pinned source version into a pooled buffer and sent from it.
struct MultipartUploader {
    let upload: MultipartUpload

    private var context: RunContext { upload.context }
    private var object: ListedObject { upload.object }

    func run() async throws -> (ContentDigest, WriteReceipt) {
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
        let upload: MultipartUpload
        let opened: MultipartUpload.Opened
        let plan: PartPlan

        private var context: RunContext { upload.context }

        /// A sliding window: the task group never holds more parts than may be in flight.
        func sendInParallel() async throws -> [PartReceipt] {
            var receipts = (1...plan.count).map { present($0) }
            try await withThrowingTaskGroup(of: PartReceipt.self) { group in
                var missing = (1...plan.count).lazy.filter { receipts[$0 - 1] == nil }.makeIterator()
                var next = missing.next()
                var running = 0
                while next != nil || running > 0 {
                    if let number = next, running < context.options.concurrency {
                        group.addTask(executorPreference: context.nextExecutor()) { try await sendPart(number) }
                        next = missing.next()
                        running += 1
                    } else if let receipt = try await group.next() {
                        receipts[receipt.number - 1] = receipt
                        running -= 1
                    }
                }
            }
            return receipts.map { $0! }
        }

        /// For stores that take parts only one after the other: the next part is read while this one is sent.
        func sendInOrder() async throws -> [PartReceipt] {
            var receipts = (1...plan.count).map { present($0) }.prefix { $0 != nil }.map { $0! }
            receipts.reserveCapacity(plan.count)
            var current: PartRequest?
            if receipts.count < plan.count { current = try await readPart(receipts.count + 1) }
            while receipts.count < plan.count {
                let number = receipts.count + 1
                async let following = number < plan.count ? readPart(number + 1) : nil
                let sent = try await upload.send(current!, of: opened.session)
                // Given back before the wait: objects that each hold a buffer and wait for another would wait for ever.
                current = nil
                receipts.append(try await upload.note(sent, of: opened.session))
                current = try await following
            }
            return receipts
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

        private func readPart(_ number: Int) async throws -> PartRequest {
            let range = plan.range(number)
            let buffer = try await context.pool.acquire(Int(range.length))
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
