package import Buffers
import Digests
package import ReplicationModel
import Synchronization

/// A store in memory: the reference for the contract, and the ground of the engine's tests.
package final class MemoryStore: ObjectStore {
    private struct Stored {
        var bytes: [UInt8]
        var digest: ContentDigest
        var attributes: ObjectAttributes
        var version: VersionToken
        var modified: Int64
    }

    private struct Upload {
        var request: UploadRequest
        var parts: [Int: (bytes: [UInt8], digest: ContentDigest)] = [:]
        var initiated: Int64
    }

    private struct State {
        var objects: [ObjectKey: Stored] = [:]
        /// Keys in order; rebuilt when a listing finds it stale.
        var order: [ObjectKey]?
        var uploads: [String: Upload] = [:]
        var counter = 0
    }

    package let name: String
    package let capabilities: StoreCapabilities
    package let rules: any ObjectRules
    private let time: any Timekeeper
    private let state = Mutex(State())

    package init(
        name: String = "memory://store", capabilities: StoreCapabilities = MemoryStore.standardCapabilities,
        rules: any ObjectRules = MemoryRules(), time: any Timekeeper = SystemTime()
    ) {
        self.name = name
        self.capabilities = capabilities
        self.rules = rules
        self.time = time
    }

    package static let standardCapabilities = StoreCapabilities(
        partSize: 1...(5 << 30), maxParts: 10_000, maxObjectSize: 5 << 40, maxPutSize: 5 << 30, maxCopySize: 5 << 30,
        copiesParts: true, conditionalWrites: .enforced, listPageLimit: 1000, deleteBatch: 1000,
        versionCoversAttributes: true, reportsChecksums: true)

    package func list(_ request: ListRequest) async throws(StoreError) -> ListPage {
        state.withLock { state in
            let order = state.order ?? state.objects.keys.sorted()
            state.order = order
            let after = request.cursor.flatMap { Hex.decode($0) }.map { ObjectKey($0) } ?? request.startAfter
            var index = after.map { order.partitioningIndex(after: $0) } ?? 0
            if after.map({ $0 < request.prefix }) ?? true {
                index = max(index, order.partitioningIndex(from: request.prefix))
            }
            var objects: [ListedObject] = []
            while index < order.count, order[index].hasPrefix(request.prefix),
                objects.count < min(request.limit, capabilities.listPageLimit)
            {
                let key = order[index]
                if let bound = request.endBefore, !(key < bound) { return ListPage(objects: objects, next: nil) }
                objects.append(Self.listed(key, state.objects[key]!))
                index += 1
            }
            let more = index < order.count && order[index].hasPrefix(request.prefix)
            return ListPage(objects: objects, next: more ? objects.last.map { Hex.encode($0.key.bytes) } : nil)
        }
    }

    package func head(_ key: ObjectKey) async throws(StoreError) -> ObjectDescription {
        let found = state.withLock { $0.objects[key] }
        guard let found else { throw absent(.head, key) }
        return Self.description(key, found)
    }

    package func checksums(
        of key: ObjectKey, version: VersionToken, size: Int64
    ) async throws(StoreError) -> ObjectChecksums {
        let description = try await head(key)
        guard description.object.version == version else {
            throw StoreError(.versionChanged, .head, key: key, message: "the object was replaced")
        }
        return description.object.checksums
    }

    package func read(_ request: ReadRequest, into buffer: PooledBuffer) async throws(StoreError) -> ReadReply {
        let found = state.withLock { $0.objects[request.key] }
        guard let found else { throw absent(.read, request.key) }
        if let version = request.version, version != found.version {
            throw StoreError(.versionChanged, .read, key: request.key, message: "the object was replaced")
        }
        guard request.range.end <= Int64(found.bytes.count) else {
            throw StoreError(.invalidRequest, .read, key: request.key, message: "the range ends after the object")
        }
        let digest = found.bytes.withUnsafeBytes { bytes in
            let part = UnsafeRawBufferPointer(rebasing: bytes[Int(request.range.offset)..<Int(request.range.end)])
            if let base = part.baseAddress { buffer.base.copyMemory(from: base, byteCount: part.count) }
            return ContentDigest(of: part)
        }
        return ReadReply(description: Self.description(request.key, found), digest: digest)
    }

    package func put(_ request: PutRequest) async throws(StoreError) -> WriteReceipt {
        let bytes = request.body?.withUnsafeBytes { Array($0) } ?? []
        try verify(bytes, request.digest, .put, request.key)
        return try commit(request.key, bytes, request.attributes, request.condition, .put)
    }

    package func beginUpload(_ request: UploadRequest) async throws(StoreError) -> UploadSession {
        let initiated = time.now()
        let handle = state.withLock { state in
            state.counter += 1
            let handle = "upload-\(state.counter)"
            state.uploads[handle] = Upload(request: request, initiated: initiated)
            return handle
        }
        return UploadSession(key: request.key, handle: handle, size: request.size, partSize: request.partSize)
    }

    package func uploadPart(_ part: PartRequest, of session: UploadSession) async throws(StoreError) -> PartReceipt {
        let bytes = part.body.withUnsafeBytes { Array($0) }
        try verify(bytes, part.digest, .uploadPart, session.key)
        try store(bytes, part.digest, number: part.number, session, .uploadPart)
        return PartReceipt(
            number: part.number, size: Int64(bytes.count), tag: "part-\(part.number)", digest: part.digest)
    }

    package func copyPart(_ part: PartCopyRequest, of session: UploadSession) async throws(StoreError) -> PartReceipt {
        let found = state.withLock { $0.objects[part.source] }
        guard let found else { throw absent(.copyPart, part.source) }
        guard found.version == part.sourceVersion else {
            throw StoreError(.versionChanged, .copyPart, key: part.source, message: "the object was replaced")
        }
        guard part.range.end <= Int64(found.bytes.count) else {
            throw StoreError(.invalidRequest, .copyPart, key: part.source, message: "the range ends after the object")
        }
        let bytes = Array(found.bytes[Int(part.range.offset)..<Int(part.range.end)])
        let digest = bytes.withUnsafeBytes { ContentDigest(of: $0) }
        try store(bytes, digest, number: part.number, session, .copyPart)
        return PartReceipt(number: part.number, size: Int64(bytes.count), tag: "part-\(part.number)", digest: digest)
    }

    package func listParts(of session: UploadSession) async throws(StoreError) -> [UploadedPart] {
        let upload = state.withLock { $0.uploads[session.handle] }
        guard let upload else { throw gone(.listParts, session) }
        return upload.parts.sorted { $0.key < $1.key }.map { number, part in
            UploadedPart(
                number: number, size: Int64(part.bytes.count), tag: "part-\(number)",
                checksums: Self.checksums(part.digest))
        }
    }

    package func completeUpload(
        _ request: CompleteRequest, of session: UploadSession
    ) async throws(StoreError) -> WriteReceipt {
        let upload = state.withLock { $0.uploads[session.handle] }
        guard let upload else { throw gone(.completeUpload, session) }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Int(session.size))
        for part in request.parts {
            guard let stored = upload.parts[part.number] else {
                throw StoreError(
                    .invalidRequest, .completeUpload, key: session.key, message: "part \(part.number) was never sent")
            }
            bytes += stored.bytes
        }
        if let digest = request.digest { try verify(bytes, digest, .completeUpload, session.key) }
        let receipt = try commit(session.key, bytes, request.attributes, request.condition, .completeUpload)
        state.withLock { _ = $0.uploads.removeValue(forKey: session.handle) }
        return receipt
    }

    package func abortUpload(_ session: UploadSession) async throws(StoreError) {
        state.withLock { _ = $0.uploads.removeValue(forKey: session.handle) }
    }

    package func openUploads(_ request: ListRequest) async throws(StoreError) -> OpenUploadsPage {
        state.withLock { state in
            let open = state.uploads.filter { $0.value.request.key.hasPrefix(request.prefix) }
                .map { handle, upload in
                    OpenUpload(
                        session: UploadSession(
                            key: upload.request.key, handle: handle, size: upload.request.size,
                            partSize: upload.request.partSize), initiated: upload.initiated)
                }
            return OpenUploadsPage(page: request, of: open)
        }
    }

    package func copy(_ request: CopyRequest) async throws(StoreError) -> WriteReceipt {
        let found = state.withLock { $0.objects[request.source] }
        guard let found else { throw absent(.copy, request.source) }
        guard found.version == request.sourceVersion else {
            throw StoreError(.versionChanged, .copy, key: request.source, message: "the object was replaced")
        }
        return try commit(request.destination, found.bytes, found.attributes, request.condition, .copy)
    }

    package func delete(_ requests: [DeleteRequest]) async -> [Result<Void, StoreError>] {
        state.withLock { state in
            requests.map { request in
                guard let found = state.objects[request.key] else { return .success(()) }
                if let version = request.version, version != found.version {
                    return .failure(
                        StoreError(.preconditionFailed, .delete, key: request.key, message: "another version is there"))
                }
                state.objects.removeValue(forKey: request.key)
                state.order = nil
                return .success(())
            }
        }
    }

    // MARK: Inside

    private func commit(
        _ key: ObjectKey, _ bytes: [UInt8], _ attributes: ObjectAttributes, _ condition: WriteCondition,
        _ operation: StoreOperation
    ) throws(StoreError) -> WriteReceipt {
        let digest = bytes.withUnsafeBytes { ContentDigest(of: $0) }
        let modified = time.now()
        let result: Result<WriteReceipt, StoreError> = state.withLock { state in
            let current = state.objects[key]?.version
            let holds =
                switch condition {
                case .absent: current == nil
                case .matches(let version): current == version
                case .unconditional: true
                }
            guard holds else {
                return .failure(
                    StoreError(.preconditionFailed, operation, key: key, message: "the condition does not hold"))
            }
            state.counter += 1
            let version = VersionToken("v\(state.counter)")
            if current == nil { state.order = nil }
            state.objects[key] = Stored(
                bytes: bytes, digest: digest, attributes: attributes, version: version, modified: modified)
            return .success(WriteReceipt(version: version, checksums: Self.checksums(digest), bytesVerified: true))
        }
        return try result.get()
    }

    private func store(
        _ bytes: [UInt8], _ digest: ContentDigest, number: Int, _ session: UploadSession, _ operation: StoreOperation
    ) throws(StoreError) {
        let known = state.withLock { state in
            state.uploads[session.handle]?.parts[number] = (bytes, digest)
            return state.uploads[session.handle] != nil
        }
        if !known { throw gone(operation, session) }
    }

    private func verify(
        _ bytes: [UInt8], _ digest: ContentDigest, _ operation: StoreOperation, _ key: ObjectKey
    ) throws(StoreError) {
        guard bytes.withUnsafeBytes({ ContentDigest(of: $0) }) == digest else {
            throw StoreError(
                .checksumMismatch, operation, key: key, message: "the bytes do not have the checksum sent with them")
        }
    }

    private static func checksums(_ digest: ContentDigest) -> ObjectChecksums {
        ObjectChecksums(crc32c: digest.crc32c, crc64nvme: digest.crc64nvme)
    }

    private static func listed(_ key: ObjectKey, _ stored: Stored) -> ListedObject {
        ListedObject(key: key, size: Int64(stored.bytes.count), version: stored.version, modified: stored.modified)
    }

    private static func description(_ key: ObjectKey, _ stored: Stored) -> ObjectDescription {
        var object = listed(key, stored)
        object.checksums = checksums(stored.digest)
        return ObjectDescription(object: object, attributes: stored.attributes)
    }

    private func absent(_ operation: StoreOperation, _ key: ObjectKey) -> StoreError {
        StoreError(.notFound, operation, key: key, message: "no such object")
    }

    private func gone(_ operation: StoreOperation, _ session: UploadSession) -> StoreError {
        StoreError(.missingUpload, operation, key: session.key, message: "no such upload")
    }
}

/// Memory holds every key and every attribute.
package struct MemoryRules: ObjectRules {
    package init() {}
    package func problem(with key: ObjectKey) -> String? { key.isEmpty ? "an object needs a name" : nil }
    package func fit(_ attributes: ObjectAttributes) -> (kept: ObjectAttributes, dropped: [String]) { (attributes, []) }
}

extension [ObjectKey] {
    /// Index of the first key that is not before `key`; the array is sorted.
    fileprivate func partitioningIndex(from key: ObjectKey) -> Int { partitioningIndex { !($0 < key) } }

    /// Index of the first key after `key`; the array is sorted.
    fileprivate func partitioningIndex(after key: ObjectKey) -> Int { partitioningIndex { key < $0 } }

    private func partitioningIndex(_ belongsToSecond: (ObjectKey) -> Bool) -> Int {
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            if belongsToSecond(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
