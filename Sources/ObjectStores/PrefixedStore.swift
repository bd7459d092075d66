package import Buffers
package import ReplicationModel

/// The part of a store below a prefix, with keys relative to it: what a location like `s3://bucket/prefix` names.
package struct PrefixedStore: ObjectStore {
    private let base: any ObjectStore
    private let prefix: ObjectKey

    /// - Parameter prefix: ends in `/`.
    package init(_ base: any ObjectStore, prefix: ObjectKey) {
        precondition(prefix.bytes.last == UInt8(ascii: "/"), "a location's prefix ends in a slash")
        self.base = base
        self.prefix = prefix
    }

    /// The store behind the location's prefix, or the store itself for a location without one.
    package static func rooted(_ base: any ObjectStore, at prefix: ObjectKey) -> any ObjectStore {
        prefix.isEmpty ? base : PrefixedStore(base, prefix: prefix)
    }

    package var name: String { "\(base.name)/\(prefix)" }
    package var capabilities: StoreCapabilities { base.capabilities }
    package var rules: any ObjectRules { PrefixedRules(base: base.rules, prefix: prefix) }

    private func outer(_ key: ObjectKey) -> ObjectKey { prefix + key }

    private func inner(_ key: ObjectKey) -> ObjectKey { ObjectKey(Array(key.bytes.dropFirst(prefix.bytes.count))) }

    /// A name as people read it, from the location on.
    private func inner(name: String) -> String {
        let start = prefix.description
        return name.hasPrefix(start) ? String(name.dropFirst(start.count)) : name
    }

    private func inner(_ object: ListedObject) -> ListedObject {
        var object = object
        object.key = inner(object.key)
        return object
    }

    private func inner(_ description: ObjectDescription) -> ObjectDescription {
        ObjectDescription(object: inner(description.object), attributes: description.attributes)
    }

    private func outer(_ request: ListRequest) -> ListRequest {
        var request = request
        request.prefix = outer(request.prefix)
        request.startAfter = request.startAfter.map(outer)
        request.endBefore = request.endBefore.map(outer)
        return request
    }

    private func inner(_ session: UploadSession) -> UploadSession {
        var session = session
        session.key = inner(session.key)
        return session
    }

    private func outer(_ session: UploadSession) -> UploadSession {
        var session = session
        session.key = outer(session.key)
        return session
    }

    package func beginUpload(_ request: UploadRequest) async throws(StoreError) -> UploadSession {
        var request = request
        request.key = outer(request.key)
        return inner(try await base.beginUpload(request))
    }

    package func list(_ request: ListRequest) async throws(StoreError) -> ListPage {
        var page = try await base.list(outer(request))
        for index in page.objects.indices {
            guard page.objects[index].key.hasPrefix(prefix) else {
                throw StoreError(
                    .invalidResponse, .list, key: page.objects[index].key,
                    message: "the listing left the prefix \(prefix)")
            }
            page.objects[index].key = inner(page.objects[index].key)
        }
        for index in page.unlistable.indices {
            page.unlistable[index].name = inner(name: page.unlistable[index].name)
        }
        // The folder's own marker is the location itself, not an object below it.
        page.objects.removeAll { $0.key.isEmpty }
        return page
    }

    package func head(_ key: ObjectKey) async throws(StoreError) -> ObjectDescription {
        inner(try await base.head(outer(key)))
    }

    package func checksums(
        of key: ObjectKey, version: VersionToken, size: Int64
    ) async throws(StoreError) -> ObjectChecksums {
        try await base.checksums(of: outer(key), version: version, size: size)
    }

    package func read(_ request: ReadRequest, into buffer: PooledBuffer) async throws(StoreError) -> ReadReply {
        var request = request
        request.key = outer(request.key)
        let reply = try await base.read(request, into: buffer)
        return ReadReply(description: inner(reply.description), digest: reply.digest)
    }

    package func put(_ request: PutRequest) async throws(StoreError) -> WriteReceipt {
        var request = request
        request.key = outer(request.key)
        return try await base.put(request)
    }

    package func uploadPart(_ part: PartRequest, of session: UploadSession) async throws(StoreError) -> PartReceipt {
        try await base.uploadPart(part, of: outer(session))
    }

    package func copyPart(_ part: PartCopyRequest, of session: UploadSession) async throws(StoreError) -> PartReceipt {
        var part = part
        part.source = outer(part.source)
        return try await base.copyPart(part, of: outer(session))
    }

    package func listParts(of session: UploadSession) async throws(StoreError) -> [UploadedPart] {
        try await base.listParts(of: outer(session))
    }

    package func completeUpload(
        _ request: CompleteRequest, of session: UploadSession
    ) async throws(StoreError) -> WriteReceipt {
        try await base.completeUpload(request, of: outer(session))
    }

    package func abortUpload(_ session: UploadSession) async throws(StoreError) {
        try await base.abortUpload(outer(session))
    }

    package func openUploads(_ request: ListRequest) async throws(StoreError) -> OpenUploadsPage {
        var page = try await base.openUploads(outer(request))
        page.uploads.removeAll { !$0.session.key.hasPrefix(prefix) }
        for index in page.uploads.indices { page.uploads[index].session = inner(page.uploads[index].session) }
        return page
    }

    package func copy(_ request: CopyRequest) async throws(StoreError) -> WriteReceipt {
        var request = request
        request.source = outer(request.source)
        request.destination = outer(request.destination)
        return try await base.copy(request)
    }

    package func delete(_ requests: [DeleteRequest]) async -> [Result<Void, StoreError>] {
        await base.delete(requests.map { DeleteRequest(key: outer($0.key), version: $0.version) })
    }
}

/// The rules of the store, asked with whole keys: a prefix counts towards the length of a key.
private struct PrefixedRules: ObjectRules {
    let base: any ObjectRules
    let prefix: ObjectKey

    func problem(with key: ObjectKey) -> String? { base.problem(with: prefix + key) }

    func fit(_ attributes: ObjectAttributes) -> (kept: ObjectAttributes, dropped: [String]) { base.fit(attributes) }
}
