import Buffers
import Digests
package import ObjectStores
import ReplicationModel

extension VaultStore {
    package func put(_ request: PutRequest) async throws(StoreError) -> WriteReceipt {
        let writer = try writable(.put, request.key)
        try check(request.key, .put)
        try request.digest.verify(request.body, .put, request.key)
        let object = ObjectWriter(
            size: request.digest.length, profile: vault.format.chunker, store: ChunkStore(writer))
        do throws(VaultError) {
            if let body = request.body { try await object.append(body, digest: request.digest) }
        } catch {
            throw error.asStoreError(.put, request.key)
        }
        return try await stage(
            object.finish(), request.key, request.attributes, request.condition, writer, .put)
    }

    func check(_ key: ObjectKey, _ operation: StoreOperation) throws(StoreError) {
        guard let problem = rules.problem(with: key) else { return }
        throw StoreError(.invalidKey, operation, key: key, message: problem)
    }

    /// Makes an object of chunks that are stored.
    func stage(
        _ content: ObjectWriter.Content, _ key: ObjectKey, _ attributes: ObjectAttributes, _ condition: WriteCondition,
        _ writer: VaultWriter, _ operation: StoreOperation
    ) async throws(StoreError) -> WriteReceipt {
        do throws(VaultError) {
            var references = content.references
            var entry = VaultEntry(
                key: key, size: content.digest.length, modified: vault.time.now(), crc32c: content.digest.crc32c,
                crc64nvme: content.digest.crc64nvme, blake3: content.blake3, attributes: attributes,
                content: .chunks(references))
            if references.count > ChunkList.inline {
                let list = try await ChunkStore(writer).placeList(references)
                entry.content = .list(list)
                references += list
            }
            return try await stage(entry, references, condition, writer, operation)
        } catch {
            throw error.asStoreError(operation, key)
        }
    }

    func stage(
        _ entry: VaultEntry, _ references: [ChunkReference], _ condition: WriteCondition, _ writer: VaultWriter,
        _ operation: StoreOperation
    ) async throws(VaultError) -> WriteReceipt {
        let holds = try await writer.stage(entry, references: references, for: entry.key) { condition.holds(for: $0) }
        guard holds else {
            throw VaultError(
                StoreError(.preconditionFailed, operation, key: entry.key, message: "the condition does not hold"))
        }
        return WriteReceipt(version: entry.token, checksums: entry.checksums, bytesVerified: true)
    }

    /// Another name for the same chunks.
    package func copy(_ request: CopyRequest) async throws(StoreError) -> WriteReceipt {
        let writer = try writable(.copy, request.destination)
        try check(request.destination, .copy)
        let source = try await entry(for: request.source, .copy)
        guard source.token == request.sourceVersion else {
            throw StoreError(.preconditionFailed, .copy, key: request.source, message: "the object was replaced")
        }
        var entry = source
        entry.key = request.destination
        entry.modified = vault.time.now()
        do throws(VaultError) {
            var references = try await content(of: source).references
            if case .list(let list) = source.content { references += list }
            return try await stage(entry, references, request.condition, writer, .copy)
        } catch {
            throw error.asStoreError(.copy, request.destination)
        }
    }

    package func delete(_ requests: [DeleteRequest]) async -> [Result<Void, StoreError>] {
        var results: [Result<Void, StoreError>] = []
        for request in requests {
            do throws(StoreError) {
                try await delete(request)
                results.append(.success(()))
            } catch {
                results.append(.failure(error))
            }
        }
        return results
    }

    private func delete(_ request: DeleteRequest) async throws(StoreError) {
        let writer = try writable(.delete, request.key)
        do throws(VaultError) {
            var isAbsent = false
            let holds = try await writer.stage(nil, references: [], for: request.key) { there in
                isAbsent = there == nil
                return !isAbsent && (request.version == nil || there?.token == request.version)
            }
            guard holds || isAbsent else {
                throw VaultError(
                    StoreError(.preconditionFailed, .delete, key: request.key, message: "the object was replaced"))
            }
        } catch {
            throw error.asStoreError(.delete, request.key)
        }
    }
}

extension WriteCondition {
    func holds(for there: VaultEntry?) -> Bool {
        switch self {
        case .absent: there == nil
        case .matches(let version): there?.token == version
        case .unconditional: true
        }
    }
}

extension ContentDigest {
    /// Throws when the bytes do not have this digest.
    func verify(_ body: BufferSlice?, _ operation: StoreOperation, _ key: ObjectKey) throws(StoreError) {
        let found = body?.withUnsafeBytes { ContentDigest(of: $0) } ?? ContentDigest()
        guard found == self else {
            throw StoreError(
                .checksumMismatch, operation, key: key, message: "the bytes do not have the checksum sent with them")
        }
    }
}
