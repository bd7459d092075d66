import Buffers
import Digests
import ObjectStores
import ReplicationModel
import Synchronization

/// What all processes see of a target with commits: the state that was committed last.
final class StagedMemory: Sendable {
    struct Stored: Sendable {
        var bytes: [UInt8]
        var digest: ContentDigest
        var attributes: ObjectAttributes
        var version: VersionToken
    }

    fileprivate struct State {
        var objects: [ObjectKey: Stored] = [:]
        var counter = 0
        var commits = 0
    }

    fileprivate let state = Mutex(State())

    var contents: [ObjectKey: (version: VersionToken, bytes: [UInt8])] {
        state.withLock { $0.objects.mapValues { ($0.version, $0.bytes) } }
    }

    /// Commits that changed something.
    var commits: Int { state.withLock { $0.commits } }

    /// Another process commits one object, or its absence.
    @discardableResult
    func change(_ key: ObjectKey, _ bytes: [UInt8]?) -> VersionToken? {
        state.withLock { state in
            state.counter += 1
            let version = VersionToken("v\(state.counter)")
            state.objects[key] = bytes.map { bytes in
                Stored(
                    bytes: bytes, digest: bytes.withUnsafeBytes { ContentDigest(of: $0) },
                    attributes: ObjectAttributes(), version: version)
            }
            return bytes == nil ? nil : version
        }
    }

    fileprivate func nextVersion() -> VersionToken {
        state.withLock { state in
            state.counter += 1
            return VersionToken("v\(state.counter)")
        }
    }
}

/// One process's view of a target with commits: what was committed when it last looked, and on top of it what it has written since.
/// What it has not committed goes with it.
final class StagedMemoryStore: ObjectStore, StagedWrites {
    private struct Upload {
        var request: UploadRequest
        var parts: [Int: [UInt8]] = [:]
    }

    private struct State {
        var base: [ObjectKey: StagedMemory.Stored]
        var changes: [ObjectKey: StagedMemory.Stored?] = [:]
        var uploads: [String: Upload] = [:]
        var kinds: [CommitKind] = []

        func object(_ key: ObjectKey) -> StagedMemory.Stored? { changes[key] ?? base[key] }
    }

    /// What happens to a commit.
    enum CommitFault: Sendable {
        /// Nothing is committed.
        case fails
        /// It is committed, and nobody tells.
        case lostReply
    }

    let name = "staged://target"
    let rules: any ObjectRules = MemoryRules()
    let capabilities: StoreCapabilities
    private let shared: StagedMemory
    private let isSequential: Bool
    /// What it tells of an object's checksums.
    private let reported: @Sendable (ObjectChecksums) -> ObjectChecksums
    private let state: Mutex<State>
    /// Asked at each commit, before it does anything.
    private let commitFault: @Sendable (CommitKind) async -> CommitFault?
    /// Keys whose write the next commit does not keep, with the reason.
    private let refused = Mutex<[ObjectKey: String]>([:])
    private let isDue = Mutex(false)

    static let standardCapabilities: StoreCapabilities = {
        var capabilities = MemoryStore.standardCapabilities
        capabilities.copiesParts = false
        capabilities.maxCopySize = 0
        return capabilities
    }()

    init(
        _ shared: StagedMemory, capabilities: StoreCapabilities = standardCapabilities, isSequential: Bool = true,
        commitFault: @escaping @Sendable (CommitKind) async -> CommitFault? = { _ in nil },
        reported: @escaping @Sendable (ObjectChecksums) -> ObjectChecksums = { $0 }
    ) {
        self.shared = shared
        self.capabilities = capabilities
        self.isSequential = isSequential
        self.reported = reported
        self.commitFault = commitFault
        state = Mutex(State(base: shared.state.withLock { $0.objects }))
    }

    /// The commits that were asked for, in order.
    var kinds: [CommitKind] { state.withLock { $0.kinds } }

    func refuse(_ key: ObjectKey, _ reason: String) { refused.withLock { $0[key] = reason } }

    func makeDue() { isDue.withLock { $0 = true } }

    // MARK: Commits

    var wantsCheckpoint: Bool { isDue.withLock { $0 } && state.withLock { !$0.changes.isEmpty } }

    func commit(_ kind: CommitKind) async throws(StoreError) -> CommitOutcome {
        isDue.withLock { $0 = false }
        let changes = state.withLock { state in
            state.kinds.append(kind)
            return state.changes
        }
        let fault = await commitFault(kind)
        if case .fails = fault { throw Self.failed(.transient) }
        guard !changes.isEmpty else { return CommitOutcome() }
        var outcome = CommitOutcome(rejected: refused.withLock { $0 }.filter { changes[$0.key] != nil })
        refused.withLock { refused in for key in outcome.rejected.keys { refused[key] = nil } }
        let bases = state.withLock { $0.base }
        let committed = shared.state.withLock { shared in
            for (key, change) in changes where outcome.rejected[key] == nil {
                if shared.objects[key]?.version != bases[key]?.version {
                    outcome.rejected[key] = "somebody else has changed it"
                } else {
                    shared.objects[key] = change
                }
            }
            shared.commits += 1
            outcome.snapshot = "snapshot \(shared.commits)"
            return shared.objects
        }
        state.withLock { state in
            state.base = committed
            for (key, change) in changes {
                let isLast =
                    switch state.changes[key] {
                    case .some(let now): now?.version == change?.version
                    case nil: false
                    }
                if isLast || outcome.rejected[key] != nil { state.changes[key] = nil }
            }
        }
        if case .lostReply = fault { throw Self.failed(.unknownOutcome) }
        return outcome
    }

    private static func failed(_ retry: StoreError.Retry) -> StoreError {
        StoreError(.unavailable, .put, message: "planned", retry: retry)
    }

    // MARK: Reading

    func list(_ request: ListRequest) async throws(StoreError) -> ListPage {
        state.withLock { state in
            let after = request.cursor.flatMap { Hex.decode($0) }.map { ObjectKey($0) } ?? request.startAfter
            let keys = Set(state.base.keys).union(state.changes.keys).filter { key in
                key.hasPrefix(request.prefix) && (after.map { $0 < key } ?? true)
                    && (request.endBefore.map { key < $0 } ?? true)
            }
            var objects: [ListedObject] = []
            for key in keys.sorted() {
                guard let object = state.object(key) else { continue }
                if objects.count >= min(request.limit, capabilities.listPageLimit) {
                    return ListPage(objects: objects, next: Hex.encode(objects.last!.key.bytes))
                }
                objects.append(listed(key, object))
            }
            return ListPage(objects: objects, next: nil)
        }
    }

    func head(_ key: ObjectKey) async throws(StoreError) -> ObjectDescription { try found(key, .head).description }

    func checksums(
        of key: ObjectKey, version: VersionToken, size: Int64
    ) async throws(StoreError) -> ObjectChecksums {
        try found(key, .head, version).description.object.checksums
    }

    func read(_ request: ReadRequest, into buffer: PooledBuffer) async throws(StoreError) -> ReadReply {
        let (description, bytes) = try found(request.key, .read, request.version)
        let digest = bytes.withUnsafeBytes { bytes in
            let part = UnsafeRawBufferPointer(rebasing: bytes[Int(request.range.offset)..<Int(request.range.end)])
            if let base = part.baseAddress { buffer.base.copyMemory(from: base, byteCount: part.count) }
            return ContentDigest(of: part)
        }
        return ReadReply(description: description, digest: digest)
    }

    private func found(
        _ key: ObjectKey, _ operation: StoreOperation, _ version: VersionToken? = nil
    ) throws(StoreError) -> (description: ObjectDescription, bytes: [UInt8]) {
        guard let object = state.withLock({ $0.object(key) }) else {
            throw StoreError(.notFound, operation, key: key, message: "no such object")
        }
        if let version, version != object.version {
            throw StoreError(.versionChanged, operation, key: key, message: "the object was replaced")
        }
        return (
            ObjectDescription(object: listed(key, object), attributes: object.attributes), object.bytes
        )
    }

    private func listed(_ key: ObjectKey, _ object: StagedMemory.Stored) -> ListedObject {
        ListedObject(
            key: key, size: Int64(object.bytes.count), version: object.version, checksums: checksums(of: object))
    }

    private func checksums(of object: StagedMemory.Stored) -> ObjectChecksums {
        reported(
            ObjectChecksums(
                crc32c: object.digest.crc32c, crc64nvme: object.digest.crc64nvme,
                blake3: object.bytes.withUnsafeBytes { BLAKE3.hash($0) }))
    }

    // MARK: Writing

    func put(_ request: PutRequest) async throws(StoreError) -> WriteReceipt {
        try stage(
            request.key, request.body?.withUnsafeBytes { Array($0) } ?? [], request.attributes, request.condition, .put)
    }

    private func stage(
        _ key: ObjectKey, _ bytes: [UInt8], _ attributes: ObjectAttributes, _ condition: WriteCondition,
        _ operation: StoreOperation
    ) throws(StoreError) -> WriteReceipt {
        let object = StagedMemory.Stored(
            bytes: bytes, digest: bytes.withUnsafeBytes { ContentDigest(of: $0) }, attributes: attributes,
            version: shared.nextVersion())
        let holds = state.withLock { state in
            let current = state.object(key)?.version
            let holds =
                switch condition {
                case .absent: current == nil
                case .matches(let version): current == version
                case .unconditional: true
                }
            if holds { state.changes[key] = .some(object) }
            return holds
        }
        guard holds else {
            throw StoreError(.preconditionFailed, operation, key: key, message: "the condition does not hold")
        }
        return WriteReceipt(version: object.version, checksums: checksums(of: object), bytesVerified: true)
    }

    func beginUpload(_ request: UploadRequest) async throws(StoreError) -> UploadSession {
        let handle = "upload-\(shared.nextVersion().text)"
        state.withLock { $0.uploads[handle] = Upload(request: request) }
        return UploadSession(
            key: request.key, handle: handle, size: request.size, partSize: request.partSize,
            partOrder: isSequential ? .sequential : .parallel)
    }

    func uploadPart(_ part: PartRequest, of session: UploadSession) async throws(StoreError) -> PartReceipt {
        let bytes = part.body.withUnsafeBytes { Array($0) }
        let isNext = state.withLock { state in
            let count = state.uploads[session.handle]?.parts.count
            let isNext = count != nil && (!isSequential || part.number == count! + 1)
            if isNext { state.uploads[session.handle]?.parts[part.number] = bytes }
            return isNext
        }
        guard isNext else {
            throw StoreError(.missingUpload, .uploadPart, key: session.key, message: "no such upload, or not its turn")
        }
        return PartReceipt(
            number: part.number, size: Int64(bytes.count), tag: "part-\(part.number)", digest: part.digest)
    }

    func copyPart(_ part: PartCopyRequest, of session: UploadSession) async throws(StoreError) -> PartReceipt {
        throw StoreError(.unsupportedOperation, .copyPart, key: session.key, message: "ranges are not copied")
    }

    func listParts(of session: UploadSession) async throws(StoreError) -> [UploadedPart] {
        throw StoreError(.missingUpload, .listParts, key: session.key, message: "uploads end with their process")
    }

    func completeUpload(
        _ request: CompleteRequest, of session: UploadSession
    ) async throws(StoreError) -> WriteReceipt {
        guard let upload = state.withLock({ $0.uploads[session.handle] }) else {
            throw StoreError(.missingUpload, .completeUpload, key: session.key, message: "no such upload")
        }
        let bytes = request.parts.flatMap { upload.parts[$0.number] ?? [] }
        let receipt = try stage(session.key, bytes, request.attributes, request.condition, .completeUpload)
        state.withLock { _ = $0.uploads.removeValue(forKey: session.handle) }
        return receipt
    }

    func abortUpload(_ session: UploadSession) async throws(StoreError) {
        state.withLock { _ = $0.uploads.removeValue(forKey: session.handle) }
    }

    /// Uploads that were begun and neither completed nor aborted.
    var unfinished: Int { state.withLock { $0.uploads.count } }

    func openUploads(_ request: ListRequest) async throws(StoreError) -> OpenUploadsPage {
        OpenUploadsPage(uploads: [], next: nil)
    }

    func copy(_ request: CopyRequest) async throws(StoreError) -> WriteReceipt {
        throw StoreError(.unsupportedOperation, .copy, key: request.source, message: "objects are not copied")
    }

    func delete(_ requests: [DeleteRequest]) async -> [Result<Void, StoreError>] {
        state.withLock { state in
            requests.map { request in
                guard let object = state.object(request.key) else { return .success(()) }
                if let version = request.version, version != object.version {
                    return .failure(
                        StoreError(.preconditionFailed, .delete, key: request.key, message: "another version is there"))
                }
                if state.base[request.key] == nil {
                    state.changes[request.key] = nil
                } else {
                    state.changes[request.key] = .some(nil)
                }
                return .success(())
            }
        }
    }
}
