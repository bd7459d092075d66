import Buffers
import Digests
import Manifests
import ObjectStores
import ReplicationModel

/// One pass over an object, from its first byte to its last: blocks are read ahead into a ring of memory, segments found in it in order,
/// and parts of the ring copied or sent while reading goes on.
///
/// The bytes of a part stay in the ring until the target has confirmed it, also when it is copied: if that fails, they are sent.
struct DeltaPass: Sendable {
    enum Arrival: Sendable {
        case block(Int)
        case part(PartReceipt, Source)
    }

    /// Where a part came from.
    enum Source: Sendable {
        case source
        case target(DeltaUploader.TargetVersion)
        /// From the source, because what the ledger knows of an object at the target does not hold any more.
        case sourceInstead(of: DeltaUploader.TargetVersion)
    }

    private let upload: MultipartUpload
    private let opened: MultipartUpload.Opened
    private let plan: DeltaPlan
    private let ring: Ring

    private var window: RingWindow
    private var reader: SegmentReader
    private var composer: PartComposer
    private var nextRead = 0
    private var nextBlock = 0
    private var arrived: Set<Int> = []
    private var partsInFlight = 0
    private var receipts: [PartReceipt] = []
    private var lost: Set<DeltaUploader.TargetVersion> = []

    /// Of all bytes, also of those that an earlier run had sent; nil where the source has nothing to compare it with.
    private var hash: BLAKE3?
    /// BLAKE3 of the whole object, once the pass has ended.
    var blake3: [UInt8]? { hash?.finalize() }

    /// How the object is cut, in order.
    private(set) var segments: [ContentSegment] = []
    /// Objects that parts were copied from.
    private(set) var origins: Set<DeltaUploader.TargetVersion> = []

    private var context: RunContext { upload.context }

    init(upload: MultipartUpload, opened: MultipartUpload.Opened, plan: DeltaPlan, memory: PooledBuffer) {
        self.upload = upload
        self.opened = opened
        self.plan = plan
        ring = Ring(memory, size: Int(plan.ring(within: Int64(memory.capacity))))
        window = RingWindow(capacity: Int64(ring.size))
        reader = SegmentReader(size: plan.size, plan.segments)
        hash = BLAKE3Check(upload.sourceChecksums).map { _ in BLAKE3() }
        // A run with other options may have made parts for which there is no room in this one.
        let present = opened.present.filter { $0.value.digest.length <= plan.largestPart }
        composer = PartComposer(minimum: plan.minimumPart, target: plan.targetPart, present: present)
    }

    /// All parts, in order.
    mutating func run(in group: inout ThrowingTaskGroup<Arrival, any Error>) async throws -> [PartReceipt] {
        while nextBlock < plan.blocks {
            startReading(&group)
            if arrived.remove(nextBlock) != nil {
                try await take(nextBlock, &group)
                nextBlock += 1
            } else {
                try await settleNext(&group)
            }
        }
        if let part = composer.finish() { try await start(part, &group) }
        while partsInFlight > 0 { try await settleNext(&group) }
        return receipts.sorted { $0.number < $1.number }
    }

    // MARK: Reading

    private mutating func startReading(_ group: inout ThrowingTaskGroup<Arrival, any Error>) {
        while nextRead < plan.blocks, nextRead - nextBlock < context.options.concurrency,
            window.reserve(plan.range(ofBlock: nextRead).length)
        {
            let (index, upload, range) = (nextRead, upload, plan.range(ofBlock: nextRead))
            let buffer = ring.portion(range)
            group.addTask(executorPreference: context.nextExecutor()) {
                try await Self.read(range, upload, into: buffer)
                return .block(index)
            }
            nextRead += 1
        }
    }

    private static func read(_ range: ByteRange, _ upload: MultipartUpload, into buffer: PooledBuffer) async throws {
        let object = upload.object
        do throws(StoreError) {
            _ = try await upload.context.source.read(
                ReadRequest(key: object.key, range: range, version: object.version, objectSize: object.size),
                into: buffer)
        } catch {
            throw TransferFailure(.source, error)
        }
    }

    /// Finds the segments that end in a block, and starts the parts that end with them.
    private mutating func take(_ index: Int, _ group: inout ThrowingTaskGroup<Arrival, any Error>) async throws {
        try Task.checkCancellation()
        let range = plan.range(ofBlock: index)
        let bytes = ring.slice(range)
        bytes.withUnsafeBytes { hash?.update($0) }
        let found = bytes.withUnsafeBytes { reader.read($0) }
        for segment in found {
            segments.append(segment)
            let held = composer.isPresent(at: segment.offset) ? nil : try await location(of: segment)
            for part in composer.add(segment, held: held) { try await start(part, &group) }
        }
    }

    private func location(of segment: ContentSegment) async throws -> SegmentLocation? {
        guard context.target.capabilities.copiesParts,
            let found = try await context.ledger.segment(blake3: segment.blake3, size: segment.digest.length)
        else { return nil }
        guard !lost.contains(.init(key: found.key, version: found.version)), found.segment.digest == segment.digest
        else { return nil }
        return found
    }

    // MARK: Parts

    private mutating func start(
        _ part: PartComposer.Part, _ group: inout ThrowingTaskGroup<Arrival, any Error>
    ) async throws {
        window.handOut(part.number, end: part.end)
        if let present = opened.present[part.number], present.offset == part.offset, present.digest == part.digest {
            receipts.append(present.receipt)
            window.release(part.number)
            return
        }
        let most = opened.session.partOrder == .parallel ? context.options.concurrency : 1
        while partsInFlight >= most { try await settleNext(&group) }
        partsInFlight += 1
        let (upload, session) = (upload, opened.session)
        let bytes = ring.slice(ByteRange(offset: part.offset, length: part.digest.length))
        group.addTask(executorPreference: context.nextExecutor()) {
            try await Self.bring(part, bytes, upload, session)
        }
    }

    /// Waits until a block or a part has arrived.
    private mutating func settleNext(_ group: inout ThrowingTaskGroup<Arrival, any Error>) async throws {
        switch try await group.next() {
        case .block(let index): arrived.insert(index)
        case .part(let receipt, let source):
            partsInFlight -= 1
            receipts.append(receipt)
            window.release(receipt.number)
            switch source {
            case .source: break
            case .target(let origin): origins.insert(origin)
            case .sourceInstead(let origin): lost.insert(origin)
            }
        case nil: preconditionFailure("an object's pass waits for nothing")
        }
    }

    private static func bring(
        _ part: PartComposer.Part, _ bytes: BufferSlice, _ upload: MultipartUpload, _ session: UploadSession
    ) async throws -> Arrival {
        var source = Source.source
        if let origin = part.origin, upload.context.target.capabilities.copiesParts {
            let held = DeltaUploader.TargetVersion(key: origin.key, version: origin.version)
            if let copied = try await upload.copy(part, from: origin, of: session) {
                return .part(try await upload.note(copied, of: session), .target(held))
            }
            source = .sourceInstead(of: held)
        }
        let request = PartRequest(number: part.number, offset: part.offset, body: bytes, digest: part.digest)
        return .part(try await upload.note(try await upload.send(request, of: session), of: session), source)
    }
}

extension MultipartUpload {
    /// Makes a part of bytes that the target holds; nil when it does not do that, or holds other bytes, so that they have to be sent.
    func copy(
        _ part: PartComposer.Part, from origin: PartComposer.Origin, of session: UploadSession
    ) async throws -> RecordedPart? {
        let length = part.digest.length
        do throws(StoreError) {
            let receipt = try await context.target.copyPart(
                PartCopyRequest(
                    number: part.number, offset: part.offset, source: origin.key, sourceVersion: origin.version,
                    range: ByteRange(offset: origin.offset, length: length), digest: part.digest), of: session)
            if let found = receipt.digest, found != part.digest { return nil }
            context.progress.update { $0.avoidedBytes += length }
            return RecordedPart(number: part.number, offset: part.offset, digest: part.digest, tag: receipt.tag)
        } catch {
            switch error.code {
            case .cancelled, .missingUpload, .throttled, .unavailable, .unreachable, .network:
                throw TransferFailure(.target, error)
            default: return nil
            }
        }
    }
}
