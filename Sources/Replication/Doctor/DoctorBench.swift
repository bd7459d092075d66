import Buffers
import Digests
import ObjectStores
import ReplicationModel
import Synchronization

/// What the probes of one examination share: the store, a folder of their own in it, the objects that later probes ask about, and the
/// list of everything that has to be removed in the end.
final class DoctorBench: Sendable {
    /// Bytes of the objects that reads are asked of.
    static let subjectSize = 64 << 10
    /// Bytes of parts where the store lets them be so small.
    static let smallPart = 256 << 10
    /// Room for one large part, the same part read back, and small ones.
    static let memory = 16 << 20

    /// The object that most probes ask about.
    struct Subject {
        var key: ObjectKey
        /// The version that was there first and has been replaced.
        var oldVersion: VersionToken
        var version: VersionToken
        var content: DoctorContent
        var oldContent: DoctorContent
        var attributes: ObjectAttributes
    }

    /// A large object whose content can be made again from its seeds.
    struct Composed {
        var key: ObjectKey
        var version: VersionToken
        /// Sizes of the parts; part N has the seed N.
        var parts: [Int]
    }

    private struct State {
        var findings: [DoctorFinding] = []
        var keys: Set<ObjectKey> = []
        var outerKeys: Set<ObjectKey> = []
        var sessions: [UploadSession] = []
        var subject: Subject?
        var composed: Composed?
        var ignoresConditions = false
        var heedsReplacing = false
        /// When the first object was written: before, after, and what the server says.
        var written: (before: Int64, after: Int64, server: Int64)?
    }

    /// Rooted at the location; tries again a few times.
    let store: any ObjectStore
    /// The same, one attempt per call: for questions whose wanted answer is an error.
    let once: any ObjectStore
    /// The bucket that the location is a part of, one attempt per call; nil where the location is all of it.
    let around: (any ObjectStore)?
    /// Below the location; all keys of the examination are in it.
    let folder: ObjectKey
    let nonce: String
    /// Whose rights are looked at, for sentences.
    let who: String
    let time: any Timekeeper
    private let pool = BufferPool(limit: DoctorBench.memory)
    private let observer: @Sendable (DoctorFinding) -> Void
    private let state = Mutex(State())

    init(
        store: any ObjectStore, once: any ObjectStore, around: (any ObjectStore)?, nonce: String,
        who: String, time: any Timekeeper, observer: @escaping @Sendable (DoctorFinding) -> Void
    ) {
        self.store = store
        self.once = once
        self.around = around
        self.nonce = nonce
        self.who = who
        folder = ReservedKeys.doctorPrefix + ObjectKey(nonce + "/")
        self.time = time
        self.observer = observer
    }

    // MARK: Findings

    func tell(
        _ mark: DoctorFinding.Mark, _ subject: String, _ found: String, engine: String = "",
        operation: StoreOperation? = nil
    ) {
        let finding = DoctorFinding(mark, subject, found, engine: engine, operation: operation)
        state.withLock { $0.findings.append(finding) }
        observer(finding)
    }

    var findings: [DoctorFinding] { state.withLock { $0.findings } }

    func isDenied(_ operation: StoreOperation) -> Bool {
        findings.contains { $0.mark == .denied && $0.operation == operation }
    }

    /// A condition of a write or delete was not heeded. Where the engine knows that the server ignores conditions, it looks for itself.
    func tellIgnored(_ subject: String, _ what: String, danger: String) {
        let looks =
            store.capabilities.conditionalWrites == .ignored
            || (store.capabilities.conditionalWrites == .unproven && ignoresConditions)
        if looks {
            tell(
                .instead, subject, what,
                engine:
                    "the engine looks at the object before each write and after it; another writer in between goes unnoticed"
            )
        } else {
            tell(.failure, subject, what, engine: danger)
        }
    }

    // MARK: What probes know from each other

    var subject: Subject? {
        get { state.withLock { $0.subject } }
        set { state.withLock { $0.subject = newValue } }
    }

    var composed: Composed? {
        get { state.withLock { $0.composed } }
        set { state.withLock { $0.composed = newValue } }
    }

    /// An object that must not be created twice was, or one was replaced by who had seen an older version: what the engine asks itself.
    var ignoresConditions: Bool {
        get { state.withLock { $0.ignoresConditions } }
        set { state.withLock { $0.ignoresConditions = newValue } }
    }

    /// A stale version did not replace an object.
    var heedsReplacing: Bool {
        get { state.withLock { $0.heedsReplacing } }
        set { state.withLock { $0.heedsReplacing = newValue } }
    }

    var written: (before: Int64, after: Int64, server: Int64)? {
        get { state.withLock { $0.written } }
        set { state.withLock { $0.written = newValue } }
    }

    // MARK: What has to be removed

    var keys: Set<ObjectKey> { state.withLock { $0.keys } }
    var outerKeys: Set<ObjectKey> { state.withLock { $0.outerKeys } }
    var sessions: [UploadSession] { state.withLock { $0.sessions } }

    func remember(outer key: ObjectKey) { state.withLock { _ = $0.outerKeys.insert(key) } }
    func forget(outer key: ObjectKey) { state.withLock { _ = $0.outerKeys.remove(key) } }
    func forget(_ key: ObjectKey) { state.withLock { _ = $0.keys.remove(key) } }
    func forget(_ session: UploadSession) { state.withLock { $0.sessions.removeAll { $0 == session } } }

    // MARK: Calls

    func key(_ name: String) -> ObjectKey { folder + ObjectKey(name) }

    func content(_ count: Int, seed: UInt64) async throws(StoreError) -> DoctorContent {
        DoctorContent(buffer: try await buffer(count), count: count, seed: seed)
    }

    func buffer(_ count: Int) async throws(StoreError) -> PooledBuffer {
        do {
            return try await pool.acquire(max(1, count))
        } catch {
            throw StoreError(.cancelled, .read, message: "interrupted")
        }
    }

    /// Writes a whole object below the folder.
    /// - Parameter digest: what the server is told; else the truth.
    func put(
        _ key: ObjectKey, _ content: DoctorContent, _ condition: WriteCondition, digest: ContentDigest? = nil,
        attributes: ObjectAttributes = ObjectAttributes(), through store: (any ObjectStore)? = nil
    ) async throws(StoreError) -> WriteReceipt {
        precondition(key.hasPrefix(folder), "a probe writes below its folder only")
        state.withLock { _ = $0.keys.insert(key) }
        return try await (store ?? self.store).put(
            PutRequest(
                key: key, body: content.slice, digest: digest ?? content.digest, attributes: attributes,
                condition: condition))
    }

    /// Reads a range and digests it.
    func read(
        _ key: ObjectKey, _ range: ByteRange, version: VersionToken?, size: Int64? = nil,
        through store: (any ObjectStore)? = nil
    ) async throws(StoreError) -> ReadReply {
        let buffer = try await buffer(Int(range.length))
        var reply = try await (store ?? self.store).read(
            ReadRequest(key: key, range: range, version: version, objectSize: size), into: buffer)
        // What the bytes are is asked of the bytes.
        reply.digest = buffer.slice(Int(range.length)).withUnsafeBytes { ContentDigest(of: $0) }
        return reply
    }

    func begin(
        _ key: ObjectKey, size: Int, partSize: Int, _ condition: WriteCondition = .absent
    ) async throws(StoreError) -> UploadSession {
        precondition(key.hasPrefix(folder), "a probe writes below its folder only")
        let session = try await store.beginUpload(
            UploadRequest(
                key: key, size: Int64(size), partSize: Int64(partSize), attributes: ObjectAttributes(),
                condition: condition))
        state.withLock { $0.sessions.append(session) }
        return session
    }

    func send(
        _ content: DoctorContent, _ number: Int, at offset: Int, of session: UploadSession,
        digest: ContentDigest? = nil, through store: (any ObjectStore)? = nil
    ) async throws(StoreError) -> PartReceipt {
        try await (store ?? self.store).uploadPart(
            PartRequest(
                number: number, offset: Int64(offset), body: content.slice, digest: digest ?? content.digest),
            of: session)
    }

    func complete(
        _ session: UploadSession, _ parts: [PartReceipt], digest: ContentDigest?, _ condition: WriteCondition = .absent,
        through store: (any ObjectStore)? = nil
    ) async throws(StoreError) -> WriteReceipt {
        state.withLock { _ = $0.keys.insert(session.key) }
        let receipt = try await (store ?? self.store).completeUpload(
            CompleteRequest(parts: parts, digest: digest, attributes: ObjectAttributes(), condition: condition),
            of: session)
        forget(session)
        return receipt
    }

    func abort(_ session: UploadSession) async throws(StoreError) {
        try await store.abortUpload(session)
        forget(session)
    }

    func copy(_ request: CopyRequest, through store: any ObjectStore) async throws(StoreError) -> WriteReceipt {
        precondition(request.destination.hasPrefix(folder), "a probe writes below its folder only")
        state.withLock { _ = $0.keys.insert(request.destination) }
        return try await store.copy(request)
    }

    /// Bytes of every part but the last: the smallest that the store takes, but not tiny.
    var partSize: Int {
        let capabilities = store.capabilities
        let multiple = Int(capabilities.partSizeMultiple)
        let wanted = max(Int(capabilities.partSize.lowerBound), Self.smallPart)
        return (wanted + multiple - 1) / multiple * multiple
    }
}

/// Bytes that follow from their seed, and their digest.
struct DoctorContent: Sendable {
    let slice: BufferSlice
    let digest: ContentDigest
    let count: Int

    init(buffer: PooledBuffer, count: Int, seed: UInt64) {
        var state = seed &* 0x9E37_79B9_7F4A_7C15 | 1
        let bytes = UnsafeMutableRawBufferPointer(start: buffer.base, count: count)
        for index in 0..<count {
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            bytes[index] = UInt8(truncatingIfNeeded: state)
        }
        slice = buffer.slice(count)
        digest = slice.withUnsafeBytes { ContentDigest(of: $0) }
        self.count = count
    }

    /// The digest of other bytes of the same length.
    var wrongDigest: ContentDigest {
        ContentDigest(
            crc32c: digest.crc32c ^ 0x5555_5555, crc64nvme: digest.crc64nvme ^ 0x5555_5555_5555_5555,
            length: digest.length)
    }

    func digest(of range: ByteRange) -> ContentDigest {
        slice.slice(Int(range.offset), Int(range.length)).withUnsafeBytes { ContentDigest(of: $0) }
    }
}
