package import Buffers
import Digests
package import ObjectStores
package import ReplicationModel

extension VaultStore {
    package func head(_ key: ObjectKey) async throws(StoreError) -> ObjectDescription {
        try await entry(for: key, .head).description
    }

    package func checksums(
        of key: ObjectKey, version: VersionToken, size: Int64
    ) async throws(StoreError) -> ObjectChecksums {
        let entry = try await entry(for: key, .head)
        guard entry.token == version else {
            throw StoreError(.versionChanged, .head, key: key, message: "the object was replaced")
        }
        return entry.checksums
    }

    /// Fetches the packs that the range needs, opens its chunks in parallel, and compares each with its id.
    package func read(_ request: ReadRequest, into buffer: PooledBuffer) async throws(StoreError) -> ReadReply {
        let entry = try await entry(for: request.key, .read)
        let token = entry.token
        if let version = request.version, version != token {
            throw StoreError(.versionChanged, .read, key: request.key, message: "the object was replaced")
        }
        guard request.range.end <= entry.size else {
            throw StoreError(.invalidRequest, .read, key: request.key, message: "the range ends after the object")
        }
        do throws(VaultError) {
            try await read(request.range, of: content(of: entry), into: buffer.base)
        } catch {
            throw error.asStoreError(.read, request.key)
        }
        let bytes = UnsafeRawBufferPointer(start: buffer.base, count: Int(request.range.length))
        return ReadReply(description: entry.description, digest: ContentDigest(of: bytes))
    }

    private func read(
        _ range: ByteRange, of content: ObjectContent, into destination: UnsafeMutableRawPointer
    ) async throws(VaultError) {
        var wanted: [ChunkRead] = []
        for chunk in content.chunks(of: range) {
            let place = chunk.offset + Int64(chunk.wanted.lowerBound) - range.offset
            wanted.append(
                ChunkRead(
                    chunk.reference.id, at: try await locations(of: chunk.reference.id), range: chunk.wanted,
                    into: destination + Int(place)))
        }
        try await packs.read(wanted)
    }
}

extension VaultEntry {
    var checksums: ObjectChecksums { ObjectChecksums(crc32c: crc32c, crc64nvme: crc64nvme, blake3: blake3) }

    var listed: ListedObject {
        ListedObject(key: key, size: size, version: token, modified: modified, checksums: checksums)
    }

    var description: ObjectDescription { ObjectDescription(object: listed, attributes: attributes) }
}
