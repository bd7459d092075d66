import Buffers
import ObjectStores
import ReplicationModel
import Synchronization

/// A store that can do less than the one below it: the kinds of servers that the engine must cope with.
final class VariantStore: ObjectStore {
    private let base: any ObjectStore
    private let reported: StoreCapabilities?
    /// Reports no checksum, ever, and verifies none.
    private let isSilent: Bool
    /// Ignores every condition of writes and deletes.
    private let isCareless: Bool
    /// Takes parts one after the other only.
    private let isSequential: Bool
    /// Says of a copied part only what it was told.
    private let believesCopies: Bool
    let rules: any ObjectRules
    private let nextPart = Mutex<[String: Int]>([:])

    init(
        _ base: any ObjectStore, capabilities: StoreCapabilities? = nil, rules: (any ObjectRules)? = nil,
        isSilent: Bool = false, isCareless: Bool = false, isSequential: Bool = false,
        believesCopies: Bool = false
    ) {
        self.base = base
        self.reported = capabilities
        self.rules = rules ?? base.rules
        self.isSilent = isSilent
        self.isCareless = isCareless
        self.isSequential = isSequential
        self.believesCopies = believesCopies
    }

    var name: String { base.name }

    var capabilities: StoreCapabilities {
        var capabilities = reported ?? base.capabilities
        if isSilent { capabilities.reportsChecksums = false }
        if isCareless { capabilities.conditionalWrites = .unproven }
        return capabilities
    }

    private func seen(_ object: ListedObject) -> ListedObject {
        var object = object
        if isSilent { object.checksums = ObjectChecksums() }
        return object
    }

    private func seen(_ description: ObjectDescription) -> ObjectDescription {
        ObjectDescription(object: seen(description.object), attributes: description.attributes)
    }

    private func seen(_ receipt: WriteReceipt) -> WriteReceipt {
        isSilent ? WriteReceipt(version: receipt.version, checksums: ObjectChecksums(), bytesVerified: false) : receipt
    }

    private func obeyed(_ condition: WriteCondition) -> WriteCondition { isCareless ? .unconditional : condition }

    func list(_ request: ListRequest) async throws(StoreError) -> ListPage {
        var page = try await base.list(request)
        page.objects = page.objects.map(seen)
        return page
    }

    func head(_ key: ObjectKey) async throws(StoreError) -> ObjectDescription { seen(try await base.head(key)) }

    func checksums(
        of key: ObjectKey, version: VersionToken, size: Int64
    ) async throws(StoreError) -> ObjectChecksums {
        let told = try await base.checksums(of: key, version: version, size: size)
        return isSilent ? ObjectChecksums() : told
    }

    func read(_ request: ReadRequest, into buffer: PooledBuffer) async throws(StoreError) -> ReadReply {
        let reply = try await base.read(request, into: buffer)
        return ReadReply(description: seen(reply.description), digest: reply.digest)
    }

    func put(_ request: PutRequest) async throws(StoreError) -> WriteReceipt {
        var request = request
        request.condition = obeyed(request.condition)
        return seen(try await base.put(request))
    }

    func beginUpload(_ request: UploadRequest) async throws(StoreError) -> UploadSession {
        var session = try await base.beginUpload(request)
        if isSequential { session.partOrder = .sequential }
        return session
    }

    func uploadPart(_ part: PartRequest, of session: UploadSession) async throws(StoreError) -> PartReceipt {
        if isSequential {
            let expected = nextPart.withLock { $0[session.handle] ?? 1 }
            guard part.number == expected else {
                throw StoreError(
                    .invalidRequest, .uploadPart, key: session.key, message: "part \(part.number) before \(expected)")
            }
        }
        let receipt = try await base.uploadPart(part, of: session)
        nextPart.withLock { $0[session.handle] = part.number + 1 }
        return receipt
    }

    func copyPart(_ part: PartCopyRequest, of session: UploadSession) async throws(StoreError) -> PartReceipt {
        var receipt = try await base.copyPart(part, of: session)
        if believesCopies { receipt.digest = part.digest }
        return receipt
    }

    func listParts(of session: UploadSession) async throws(StoreError) -> [UploadedPart] {
        try await base.listParts(of: session)
    }

    func completeUpload(
        _ request: CompleteRequest, of session: UploadSession
    ) async throws(StoreError) -> WriteReceipt {
        var request = request
        request.condition = obeyed(request.condition)
        if isSilent { request.digest = nil }
        return seen(try await base.completeUpload(request, of: session))
    }

    func abortUpload(_ session: UploadSession) async throws(StoreError) { try await base.abortUpload(session) }

    func openUploads(_ request: ListRequest) async throws(StoreError) -> OpenUploadsPage {
        try await base.openUploads(request)
    }

    func copy(_ request: CopyRequest) async throws(StoreError) -> WriteReceipt {
        var request = request
        request.condition = obeyed(request.condition)
        return seen(try await base.copy(request))
    }

    func delete(_ requests: [DeleteRequest]) async -> [Result<Void, StoreError>] {
        await base.delete(isCareless ? requests.map { DeleteRequest(key: $0.key, version: nil) } : requests)
    }
}
