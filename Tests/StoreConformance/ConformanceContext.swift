import Buffers
import Digests
import ObjectStores
import ReplicationModel
import Synchronization

/// One run of one check: a store, a prefix nobody else uses, and a list of what has to be cleaned up.
final class ConformanceContext: Sendable {
    let check: String
    let store: any ObjectStore
    let fixture: ConformanceFixture
    /// Ends in a slash.
    let prefix: ObjectKey
    private let made = Mutex<(keys: Set<ObjectKey>, sessions: Set<UploadSession>)>(([], []))

    init(check: String, store: any ObjectStore, fixture: ConformanceFixture) {
        self.check = check
        self.store = store
        self.fixture = fixture
        var random = SystemRandomNumberGenerator()
        prefix = ObjectKey("conformance-\(String(random.next() as UInt64, radix: 36))/")
    }

    var capabilities: StoreCapabilities { store.capabilities }

    /// Bytes of a part: valid for the store, and small.
    var partSize: Int {
        let multiple = capabilities.partSizeMultiple
        let least = max(capabilities.partSize.lowerBound, fixture.partSize ?? 256 << 10)
        return Int((least + multiple - 1) / multiple * multiple)
    }

    /// Calls under way at the same time, at most.
    var concurrency: Int { min(16, capabilities.maxConcurrency) }

    func key(_ name: String) -> ObjectKey { prefix + ObjectKey(name) }

    // MARK: Calls

    @discardableResult
    func put(
        _ content: TestContent, at key: ObjectKey, attributes: ObjectAttributes = ObjectAttributes(),
        condition: WriteCondition = .unconditional, digest: ContentDigest? = nil
    ) async throws -> WriteReceipt {
        made.withLock { _ = $0.keys.insert(key) }
        let body = content.count == 0 ? nil : content.fill(try await fixture.pool.acquire(content.count))
        return try await store.put(
            PutRequest(
                key: key, body: body, digest: digest ?? content.digest, attributes: attributes, condition: condition))
    }

    /// Reads a range into a buffer full of other bytes, and checks the reply against what is in the buffer.
    func read(
        _ key: ObjectKey, _ offset: Int, _ count: Int, version: VersionToken? = nil, objectSize: Int64? = nil
    ) async throws -> (content: TestContent, reply: ReadReply) {
        let buffer = try await fixture.pool.acquire(count)
        buffer.base.initializeMemory(as: UInt8.self, repeating: 0xA5, count: buffer.capacity)
        let reply = try await store.read(
            ReadRequest(
                key: key, range: ByteRange(offset: Int64(offset), length: Int64(count)), version: version,
                objectSize: objectSize),
            into: buffer)
        let content = TestContent(buffer.slice(count).withUnsafeBytes { Array($0) })
        try expect(reply.digest == content.digest, "the digest of the bytes that arrived", "\(reply.digest)")
        return (content, reply)
    }

    func begin(
        _ key: ObjectKey, size: Int, partSize: Int? = nil, attributes: ObjectAttributes = ObjectAttributes(),
        condition: WriteCondition = .unconditional
    ) async throws -> UploadSession {
        made.withLock { _ = $0.keys.insert(key) }
        let session = try await store.beginUpload(
            UploadRequest(
                key: key, size: Int64(size), partSize: Int64(partSize ?? self.partSize), attributes: attributes,
                condition: condition))
        made.withLock { _ = $0.sessions.insert(session) }
        try expect(session.key == key, "a session for \(key)", "\(session.key)")
        return session
    }

    func sendPart(
        _ content: TestContent, number: Int, of session: UploadSession, through other: (any ObjectStore)? = nil,
        digest: ContentDigest? = nil
    ) async throws -> PartReceipt {
        let body = content.fill(try await fixture.pool.acquire(content.count))
        let receipt = try await (other ?? store).uploadPart(
            PartRequest(
                number: number, offset: Int64(number - 1) * session.partSize, body: body,
                digest: digest ?? content.digest),
            of: session)
        try expect(receipt.number == number, "a receipt for part \(number)", "\(receipt.number)")
        try expect(receipt.size == Int64(content.count), "a receipt for \(content.count) bytes", "\(receipt.size)")
        try expect(receipt.digest == content.digest, "the part's digest in its receipt", "\(receipt.digest as Any)")
        return receipt
    }

    /// Sends all parts: from the last to the first where the session allows, all at once with `inParallel`.
    func sendParts(
        _ parts: [TestContent], of session: UploadSession, inParallel: Bool = false
    ) async throws -> [PartReceipt] {
        var receipts: [PartReceipt] = []
        if session.partOrder == .parallel, inParallel {
            receipts = try await bounded(Array(parts.enumerated())) { part in
                try await self.sendPart(part.element, number: part.offset + 1, of: session)
            }
        } else {
            let numbered = Array(parts.enumerated())
            for part in session.partOrder == .sequential ? numbered : numbered.reversed() {
                receipts.append(try await sendPart(part.element, number: part.offset + 1, of: session))
            }
        }
        return receipts.sorted { $0.number < $1.number }
    }

    func complete(
        _ session: UploadSession, _ parts: [PartReceipt], digest: ContentDigest?,
        attributes: ObjectAttributes = ObjectAttributes(), condition: WriteCondition = .unconditional,
        through other: (any ObjectStore)? = nil
    ) async throws -> WriteReceipt {
        try await (other ?? store).completeUpload(
            CompleteRequest(parts: parts, digest: digest, attributes: attributes, condition: condition), of: session)
    }

    /// A whole multipart upload.
    @discardableResult
    func upload(
        _ content: TestContent, at key: ObjectKey, attributes: ObjectAttributes = ObjectAttributes(),
        condition: WriteCondition = .unconditional
    ) async throws -> WriteReceipt {
        let session = try await begin(key, size: content.count, attributes: attributes, condition: condition)
        let receipts = try await sendParts(content.parts(of: partSize), of: session)
        return try await complete(
            session, receipts, digest: content.digest, attributes: attributes, condition: condition)
    }

    func copy(
        _ source: ObjectKey, _ version: VersionToken, size: Int, to destination: ObjectKey,
        condition: WriteCondition = .unconditional
    ) async throws -> WriteReceipt {
        made.withLock { _ = $0.keys.insert(destination) }
        return try await store.copy(
            CopyRequest(
                source: source, sourceVersion: version, size: Int64(size), destination: destination,
                condition: condition))
    }

    @discardableResult
    func delete(_ key: ObjectKey, version: VersionToken? = nil) async throws -> Bool {
        let results = await store.delete([DeleteRequest(key: key, version: version)])
        try expect(results.count == 1, "one result for one request", "\(results.count)")
        try results[0].get()
        return true
    }

    /// Every page of a listing: bounded, without repeats, in byte order unless the store says that it has none.
    func list(
        _ prefix: ObjectKey? = nil, startAfter: ObjectKey? = nil, endBefore: ObjectKey? = nil, limit: Int = 1000,
        maxPages: Int = 10_000
    ) async throws -> [ListedObject] {
        var request = ListRequest(
            prefix: prefix ?? self.prefix, startAfter: startAfter, endBefore: endBefore, limit: limit)
        var objects: [ListedObject] = []
        for _ in 0..<maxPages {
            let page = try await store.list(request)
            try expect(page.objects.count <= limit, "at most \(limit) objects in a page", "\(page.objects.count)")
            for object in page.objects {
                if let last = objects.last, capabilities.listingOrder == .bytewise {
                    try expect(last.key < object.key, "keys in byte order", "\(object.key) after \(last.key)")
                }
                objects.append(object)
            }
            guard let next = page.next else {
                let keys = Set(objects.map(\.key))
                try expect(keys.count == objects.count, "every key once", "\(objects.count - keys.count) repeated")
                return capabilities.listingOrder == .bytewise ? objects : objects.sorted { $0.key < $1.key }
            }
            try expect(next != request.cursor, "a new cursor on every page", "the same one twice")
            request.cursor = next
        }
        throw failure("a listing that ends", "more than \(maxPages) pages")
    }

    func bounded<Input: Sendable, Output: Sendable>(
        _ inputs: [Input], _ work: @escaping @Sendable (Input) async throws -> Output
    ) async throws -> [Output] {
        try await withThrowingTaskGroup(of: (Int, Output).self) { group in
            var outputs = [Output?](repeating: nil, count: inputs.count)
            var started = 0
            var finished = 0
            while finished < inputs.count {
                if started < inputs.count, started - finished < concurrency {
                    let index = started
                    group.addTask { (index, try await work(inputs[index])) }
                    started += 1
                } else if let (index, output) = try await group.next() {
                    outputs[index] = output
                    finished += 1
                }
            }
            return outputs.map { $0! }
        }
    }

    // MARK: Clean-up

    /// Deletes what the check made, and what it may have left behind without knowing.
    func cleanUp() async throws {
        let (keys, sessions) = made.withLock { ($0.keys, $0.sessions) }
        for session in sessions { try await store.abortUpload(session) }
        let listed = Set(try await list().map(\.key))
        let all = keys.filter { store.rules.problem(with: $0) == nil }.union(listed).sorted()
        for start in stride(from: 0, to: all.count, by: capabilities.deleteBatch) {
            let batch = all[start..<min(start + capabilities.deleteBatch, all.count)]
            for result in await store.delete(batch.map { DeleteRequest(key: $0, version: nil) }) { try result.get() }
        }
        let left = try await list()
        try expect(left.isEmpty, "nothing below the prefix after deleting everything", "\(left.map(\.key))")
    }
}
