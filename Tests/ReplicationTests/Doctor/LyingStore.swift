import Buffers
import Digests
import Foundation
import ObjectStores
import ReplicationModel
import Synchronization

/// What a server can do wrong without saying so.
enum Lie: String, CaseIterable {
    case listsWithoutCase, listsByUTF16, listsFoldersFirst, listsTwice, hidesNewObjects, ignoresStartAfter
    case repeatsPages, composesNames, mergesNames
    case showsOldObjects, keepsVersions, changesBytes
    case shiftsRanges, padsTheEnd, ignoresPins
    case createsOverOthers, replacesOthers, completesOverOthers, deletesOthers, refusesAndWrites, forgetsDeletions
    case confirmsWrongChecksums, confirmsWrongParts
    case mixesParts, hidesParts, reportsOtherChecksums
    case copiesOtherVersions, copiesOtherBytes, copiesOtherRanges
    case losesMetadata, losesUnicode, cutsMetadata
}

/// A store in memory that lies in one way.
final class LyingStore: ObjectStore {
    private let base: MemoryStore
    private let lie: Lie?
    private let denied: Set<StoreOperation>
    private let lacking: Set<StoreOperation>
    private let first = Mutex<[ObjectKey: ObjectDescription]>([:])
    private let arrived = Mutex<[PartReceipt]>([])
    let capabilities: StoreCapabilities

    init(
        _ base: MemoryStore, _ lie: Lie?, denied: Set<StoreOperation> = [], lacking: Set<StoreOperation> = [],
        _ change: (inout StoreCapabilities) -> Void = { _ in }
    ) {
        self.base = base
        self.lie = lie
        self.denied = denied
        self.lacking = lacking
        var capabilities = base.capabilities
        change(&capabilities)
        self.capabilities = capabilities
    }

    var name: String { base.name }
    var rules: any ObjectRules { base.rules }

    private func admit(_ operation: StoreOperation, _ key: ObjectKey?) throws(StoreError) {
        if denied.contains(operation) {
            throw StoreError(.forbidden, operation, key: key, message: "not allowed", status: 403)
        }
        if lacking.contains(operation) {
            throw StoreError(.unsupportedOperation, operation, key: key, message: "not made", status: 501)
        }
    }

    // MARK: Listings

    func list(_ request: ListRequest) async throws(StoreError) -> ListPage {
        try admit(.list, nil)
        var request = request
        switch lie {
        case .ignoresStartAfter: request.startAfter = nil
        case .repeatsPages where request.cursor != nil:
            request.cursor = nil
            var page = try await base.list(request)
            page.next = nil
            return page
        default: break
        }
        var page = try await base.list(request)
        switch lie {
        case .listsWithoutCase:
            page.objects.sort { Array($0.key.text.lowercased().utf8) < Array($1.key.text.lowercased().utf8) }
        case .listsByUTF16: page.objects.sort { Array($0.key.text.utf16) < Array($1.key.text.utf16) }
        case .listsFoldersFirst:
            page.objects.sort { Self.foldersFirst($0.key) < Self.foldersFirst($1.key) }
        case .listsTwice: if let middle = page.objects.dropFirst().first { page.objects.insert(middle, at: 1) }
        case .hidesNewObjects: if page.objects.count > 5 { page.objects.removeLast() }
        case .composesNames:
            for index in page.objects.indices {
                let text = page.objects[index].key.text.precomposedStringWithCanonicalMapping
                page.objects[index].key = ObjectKey(text)
            }
        default: break
        }
        return page
    }

    private static func foldersFirst(_ key: ObjectKey) -> [UInt8] {
        key.bytes.map { $0 == UInt8(ascii: "/") ? 1 : $0 }
    }

    func openUploads(_ request: ListRequest) async throws(StoreError) -> OpenUploadsPage {
        try admit(.openUploads, nil)
        return try await base.openUploads(request)
    }

    // MARK: Reading

    func head(_ key: ObjectKey) async throws(StoreError) -> ObjectDescription {
        try admit(.head, key)
        var found = try await base.head(key)
        switch lie {
        case .showsOldObjects:
            let known = first.withLock { known in
                if known[key] == nil { known[key] = found }
                return known[key]!
            }
            return known
        case .keepsVersions: found.object.version = VersionToken("1")
        case .losesMetadata: found.attributes.userMetadata = [:]
        case .losesUnicode:
            found.attributes.userMetadata = found.attributes.userMetadata.mapValues {
                String($0.unicodeScalars.map { $0.isASCII ? Character($0) : "?" })
            }
        case .cutsMetadata:
            if found.attributes.userMetadata.count > 10 {
                let first = found.attributes.userMetadata.keys.sorted().prefix(10)
                found.attributes.userMetadata = found.attributes.userMetadata.filter { first.contains($0.key) }
            }
        default: break
        }
        return found
    }

    func checksums(
        of key: ObjectKey, version: VersionToken, size: Int64
    ) async throws(StoreError) -> ObjectChecksums {
        try admit(.head, key)
        return try await base.checksums(of: key, version: version, size: size)
    }

    func read(_ request: ReadRequest, into buffer: PooledBuffer) async throws(StoreError) -> ReadReply {
        try admit(.read, request.key)
        var request = request
        let length = Int(request.range.length)
        switch lie {
        case .shiftsRanges where request.range.offset > 0 && request.range.offset < 2000: request.range.offset += 1
        case .ignoresPins, .keepsVersions: request.version = nil
        case .padsTheEnd:
            let size = try await base.head(request.key).object.size
            if request.range.end > size {
                let missing = Int(request.range.end - size)
                request.range.length = size - request.range.offset
                let reply = try await base.read(request, into: buffer)
                (buffer.base + length - missing).initializeMemory(as: UInt8.self, repeating: 0, count: missing)
                return reply
            }
        default: break
        }
        let reply = try await base.read(request, into: buffer)
        if lie == .changesBytes, length > 0 { buffer.base.assumingMemoryBound(to: UInt8.self)[length / 2] ^= 1 }
        return reply
    }

    // MARK: Writing

    func put(_ request: PutRequest) async throws(StoreError) -> WriteReceipt {
        try admit(.put, request.key)
        var request = request
        let told = request.digest
        switch (lie, request.condition) {
        case (.createsOverOthers, .absent), (.replacesOthers, .matches): request.condition = .unconditional
        case (.confirmsWrongChecksums, _):
            request.digest = request.body?.withUnsafeBytes { ContentDigest(of: $0) } ?? ContentDigest()
        case (.mergesNames, _):
            request.key = ObjectKey(request.key.text.precomposedStringWithCanonicalMapping)
        case (.refusesAndWrites, _):
            do throws(StoreError) {
                return try await base.put(request)
            } catch {
                request.condition = .unconditional
                _ = try await base.put(request)
                throw error
            }
        default: break
        }
        var receipt = try await base.put(request)
        if lie == .keepsVersions { receipt.version = VersionToken("1") }
        if lie == .confirmsWrongChecksums {
            receipt.checksums = ObjectChecksums(crc32c: told.crc32c, crc64nvme: told.crc64nvme)
        }
        return receipt
    }

    func delete(_ requests: [DeleteRequest]) async -> [Result<Void, StoreError>] {
        do throws(StoreError) { try admit(.delete, nil) } catch { return requests.map { _ in .failure(error) } }
        switch lie {
        case .deletesOthers: return await base.delete(requests.map { DeleteRequest(key: $0.key, version: nil) })
        case .forgetsDeletions where requests.count > 1: return requests.map { _ in .success(()) }
        default: return await base.delete(requests)
        }
    }

    // MARK: Parts

    func beginUpload(_ request: UploadRequest) async throws(StoreError) -> UploadSession {
        try admit(.beginUpload, request.key)
        arrived.withLock { $0 = [] }
        return try await base.beginUpload(request)
    }

    func uploadPart(_ part: PartRequest, of session: UploadSession) async throws(StoreError) -> PartReceipt {
        try admit(.uploadPart, session.key)
        var part = part
        let told = part.digest
        if lie == .confirmsWrongParts { part.digest = part.body.withUnsafeBytes { ContentDigest(of: $0) } }
        var receipt = try await base.uploadPart(part, of: session)
        arrived.withLock { $0.append(receipt) }
        receipt.digest = told
        return receipt
    }

    func copyPart(_ part: PartCopyRequest, of session: UploadSession) async throws(StoreError) -> PartReceipt {
        try admit(.copyPart, session.key)
        var part = part
        if lie == .copiesOtherRanges { part.range.offset -= 1 }
        return try await base.copyPart(part, of: session)
    }

    func listParts(of session: UploadSession) async throws(StoreError) -> [UploadedPart] {
        try admit(.listParts, session.key)
        let parts = try await base.listParts(of: session)
        return lie == .hidesParts ? parts.dropLast() : parts
    }

    func completeUpload(
        _ request: CompleteRequest, of session: UploadSession
    ) async throws(StoreError) -> WriteReceipt {
        try admit(.completeUpload, session.key)
        var request = request
        let told = request.digest
        switch lie {
        case .completesOverOthers: request.condition = .unconditional
        case .confirmsWrongParts: request.digest = nil
        case .mixesParts where request.parts.count > 2:
            request.parts = arrived.withLock { $0 }
            request.digest = nil
        default: break
        }
        var receipt = try await base.completeUpload(request, of: session)
        if lie == .confirmsWrongParts || lie == .mixesParts, let told {
            receipt.checksums = ObjectChecksums(crc32c: told.crc32c, crc64nvme: told.crc64nvme)
        }
        if lie == .reportsOtherChecksums { receipt.checksums = ObjectChecksums(crc32c: 1, crc64nvme: 2) }
        return receipt
    }

    func abortUpload(_ session: UploadSession) async throws(StoreError) {
        try admit(.abortUpload, session.key)
        try await base.abortUpload(session)
    }

    func copy(_ request: CopyRequest) async throws(StoreError) -> WriteReceipt {
        try admit(.copy, request.source)
        switch lie {
        case .copiesOtherVersions:
            var request = request
            request.sourceVersion = try await base.head(request.source).object.version
            return try await base.copy(request)
        case .copiesOtherBytes:
            return try await base.put(
                PutRequest(
                    key: request.destination, body: Self.zeros(Int(request.size)),
                    digest: Self.zeros(Int(request.size)).withUnsafeBytes { ContentDigest(of: $0) },
                    attributes: ObjectAttributes(), condition: .unconditional))
        default: return try await base.copy(request)
        }
    }

    private static func zeros(_ count: Int) -> BufferSlice {
        let pool = BufferPool(limit: BufferPool.footprint(count))
        let buffer = pool.tryAcquire(count)!
        buffer.base.initializeMemory(as: UInt8.self, repeating: 0, count: count)
        return buffer.slice(count)
    }
}

extension Array where Element: Comparable {
    fileprivate static func < (a: [Element], b: [Element]) -> Bool { a.lexicographicallyPrecedes(b) }
}
