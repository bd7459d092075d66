package import Buffers
import Digests
import HTTPStores
import HTTPTransport
package import ObjectStores
package import ReplicationModel

extension GCSStore {
    package func head(_ key: ObjectKey) async throws(StoreError) -> ObjectDescription {
        try await resource(of: key, .head).description(of: key)
    }

    /// The CRC-32C, which every object has, and the MD5 of those that were written in one piece.
    package func checksums(
        of key: ObjectKey, version: VersionToken, size: Int64
    ) async throws(StoreError) -> ObjectChecksums {
        let found = try await resource(of: key, .head)
        guard found.version.token == version else { throw Self.replaced(key, .head) }
        guard found.size == size else {
            throw invalid(.head, key, "the server says the object has \(found.size) bytes, not \(size)")
        }
        return found.checksums
    }

    /// The resource of the live version, or of the generation given.
    func resource(of key: ObjectKey, generation: Int64? = nil, _ operation: StoreOperation) async throws(StoreError)
        -> GCSResource
    {
        var url = address.object(key)
        url.append("projection", plain: "noAcl")
        url.append("fields", GCSResource.fields)
        if let generation { url.append("generation", plain: String(generation)) }
        let get = GCSRequest(operation, .get, url, key: key)
        return try decode(GCSResource.self, try await send(get), get)
    }

    /// The bytes come from one request. Attributes come from the listing that named this version, or from one more
    /// request when the range is the whole object; with a part of it come those that the listing told, or none.
    package func read(_ request: ReadRequest, into buffer: PooledBuffer) async throws(StoreError) -> ReadReply {
        let pinned: GCSVersion? =
            if let token = request.version { try GCSVersion(token, .read, key: request.key) } else { nil }
        if request.range.isEmpty {
            let found = try await pinnedResource(request, pinned)
            return ReadReply(description: found.description(of: request.key), digest: ContentDigest())
        }
        let response = try await media(request, pinned, into: buffer)
        if pinned == nil, GCSVersion(response.headers) == nil {
            // An emulator that does not name versions: then the version is settled first.
            var again = request
            again.version = try await resource(of: request.key, .read).version.token
            return try await read(again, into: buffer)
        }
        let size = try size(of: response, for: request)
        if let expected = request.objectSize, size != expected {
            throw invalid(.read, request.key, "the server says the object has \(size) bytes, not \(expected)")
        }
        guard Int64(response.received) == request.range.length, response.digest.length == request.range.length else {
            throw invalid(
                .read, request.key, "\(response.received) bytes arrived where \(request.range.length) were asked for")
        }
        let description = try await describe(response, size, request, pinned)
        let arrived = ObjectChecksums(crc32c: response.digest.crc32c)
        if request.range.length == size, description.object.checksums.agrees(with: arrived) == false {
            throw StoreError(
                .checksumMismatch, .read, key: request.key,
                message: "the bytes that arrived differ from the checksum that the server reports", retry: .transient,
                status: response.status)
        }
        return ReadReply(description: description, digest: response.digest)
    }

    private func media(
        _ request: ReadRequest, _ pinned: GCSVersion?, into buffer: PooledBuffer
    ) async throws(StoreError) -> HTTPResponse {
        var url = address.object(request.key)
        url.append("alt", plain: "media")
        if let pinned { url.append("generation", plain: String(pinned.generation)) }
        var get = GCSRequest(.read, .get, url, key: request.key)
        // Without it the server unpacks objects that are stored packed.
        get.headers.append("accept-encoding", "gzip")
        if !request.isWholeObject { get.headers.append("range", request.range.headerValue) }
        get.sink = .buffer(buffer, limit: Int(request.range.length))
        do throws(StoreError) {
            return try await send(get)
        } catch {
            throw Self.asReplaced(error, pinned)
        }
    }

    /// Checks that the reply is about the range asked for; the size of the whole object.
    private func size(of response: HTTPResponse, for request: ReadRequest) throws(StoreError) -> Int64 {
        let stored = response.headers["x-goog-stored-content-length"].flatMap { Int64($0) }
        if request.isWholeObject {
            guard response.status == 200 else {
                throw invalid(.read, request.key, "HTTP \(response.status) for the whole object")
            }
            return stored ?? Int64(response.received)
        }
        guard response.status == 206 else {
            throw invalid(
                .read, request.key, "HTTP \(response.status) to a ranged request: the server ignored the range")
        }
        guard let range = response.headers["content-range"].flatMap({ ContentRange($0) }),
            range.first == request.range.offset,
            range.last == request.range.end - 1
        else { throw invalid(.read, request.key, "the reply's Content-Range is not the range asked for") }
        guard let total = range.total ?? stored ?? request.objectSize else {
            throw invalid(.read, request.key, "the reply's Content-Range does not tell the object's size")
        }
        return total
    }

    /// The object that the bytes belong to, and that it is the version asked for.
    private func describe(
        _ response: HTTPResponse, _ size: Int64, _ request: ReadRequest, _ pinned: GCSVersion?
    ) async throws(StoreError) -> ObjectDescription {
        let version = GCSVersion(response.headers)
        if let version, let pinned, version != pinned { throw Self.replaced(request.key) }
        if let version {
            let known = listed.entry(of: request.key, version)
            if known != nil || request.range.length < size {
                return ObjectDescription(
                    object: ListedObject(
                        key: request.key, size: size, version: version.token, modified: known?.modified ?? 0,
                        checksums: ObjectChecksums(goog: response.headers)),
                    attributes: known?.attributes ?? ObjectAttributes())
            }
        }
        // A generation that is the live one after the bytes have come was the live one before: generations never
        // return.
        let found = try await pinnedResource(request, pinned ?? version)
        guard found.size == size else {
            throw invalid(
                .read, request.key, "the server says the object has \(found.size) bytes and sent one of \(size)")
        }
        var description = found.description(of: request.key)
        let reported = ObjectChecksums(goog: response.headers)
        if !reported.isEmpty { description.object.checksums = reported }
        return description
    }

    /// The resource of exactly the version that is wanted.
    private func pinnedResource(_ request: ReadRequest, _ pinned: GCSVersion?) async throws(StoreError) -> GCSResource {
        let found: GCSResource
        do throws(StoreError) {
            found = try await resource(of: request.key, generation: pinned?.generation, .read)
        } catch {
            throw Self.asReplaced(error, pinned)
        }
        if let pinned, found.version != pinned { throw Self.replaced(request.key) }
        if let expected = request.objectSize, found.size != expected {
            throw invalid(.read, request.key, "the server says the object has \(found.size) bytes, not \(expected)")
        }
        return found
    }

    /// A version that is gone was replaced or deleted, and then the read starts again from what is there.
    private static func asReplaced(_ error: StoreError, _ pinned: GCSVersion?) -> StoreError {
        guard pinned != nil, error.code == .notFound else { return error }
        var error = error
        error.code = .versionChanged
        error.message = "the object has been replaced or deleted since it was listed"
        return error
    }

    private static func replaced(_ key: ObjectKey, _ operation: StoreOperation = .read) -> StoreError {
        StoreError(
            .versionChanged, operation, key: key,
            message: "the object has been replaced, or its attributes changed, since it was listed")
    }
}
