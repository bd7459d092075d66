import Azure
package import Buffers
import Digests
import HTTPStores
import HTTPTransport
package import ObjectStores
package import ReplicationModel

extension AzureBlobStore {
    /// The blob's description with the checksum that can be trusted, if there is one.
    ///
    /// The service keeps one checksum, an MD5, and it means two things: for a blob written by one request the service
    /// computed or verified it; for a blob made of blocks it is what a client once claimed, and nobody ever checked it.
    /// The blob's headers do not tell which. Its committed blocks do, so a second request asks for them:
    /// - none: written by one request, the MD5 is the service's;
    /// - the blocks of one upload by this program: their names carry the CRC-64 under which the service verified each,
    ///   and together they give the blob's CRC-64 (`AzureBlockID`);
    /// - other blocks: no checksum is reported.
    ///
    /// What remains is an MD5 that somebody set by hand after the blob was written.
    package func head(_ key: ObjectKey) async throws(StoreError) -> ObjectDescription {
        let (description, headers) = try await properties(key, version: nil, .head)
        return try await withTrustedChecksums(description, headers)
    }

    /// What `head` trusts, pinned to the version.
    ///
    /// A CRC-64 that is combined from the names of blocks is this program's word, given when the service had verified
    /// each block under the sum in its name: nobody but a program that commits blocks under such names by hand could
    /// make it untrue, and the service does not look at names. It vouches for nothing unless every block is one of ours,
    /// of one upload, numbered from 1 without a gap, and their sizes add up to the blob's.
    package func checksums(
        of key: ObjectKey, version: VersionToken, size: Int64
    ) async throws(StoreError) -> ObjectChecksums {
        let (description, headers) = try await properties(key, version: version, .head)
        guard description.object.version == version else {
            throw StoreError(
                .versionChanged, .head, key: key,
                message: "the blob has been replaced, or its attributes changed, since it was listed")
        }
        guard description.object.size == size else {
            throw invalid(.head, key, "the server says the blob has \(description.object.size) bytes, not \(size)")
        }
        return try await withTrustedChecksums(description, headers).object.checksums
    }

    package func read(_ request: ReadRequest, into buffer: PooledBuffer) async throws(StoreError) -> ReadReply {
        precondition(request.range.length <= buffer.capacity, "the buffer is smaller than the range")
        if request.range.isEmpty && !request.isWholeObject {
            // No range can ask for nothing.
            let (description, _) = try await properties(request.key, version: request.version, .read)
            try check(description, against: request)
            return ReadReply(description: description, digest: ContentDigest())
        }
        let reading = AzureRangeRead(request)
        var get = AzureBlobRequest(.read, .get, key: request.key, headers: reading.headers)
        if let version = request.version { get.headers.append("if-match", version.quoted) }
        get.sink = .buffer(buffer, limit: Int(request.range.length))
        let response = try await send(get)
        var description = try describe(response, reading)
        guard Int64(response.received) == request.range.length, response.digest.length == request.range.length else {
            throw invalid(
                .read, request.key, "\(response.received) bytes arrived where \(request.range.length) were asked for")
        }
        if reading.wantsChecksum, let reported = response.headers.contentCRC64 {
            guard reported == response.digest.crc64nvme else {
                throw StoreError(
                    .checksumMismatch, .read, key: request.key,
                    message: "the bytes that arrived differ from the checksum that the server sent with them",
                    retry: .transient,
                    status: response.status)
            }
            if request.range.length == description.object.size { description.object.checksums.crc64nvme = reported }
        }
        return ReadReply(description: description, digest: response.digest)
    }

    /// What HEAD tells, pinned to a version when one is given; no checksums.
    func properties(
        _ key: ObjectKey, version: VersionToken?, _ operation: StoreOperation
    ) async throws(StoreError) -> (ObjectDescription, HTTPHeaders) {
        var request = AzureBlobRequest(operation, .head, key: key)
        if let version { request.headers.append("if-match", version.quoted) }
        let response = try await send(request)
        guard let size = response.headers["content-length"].flatMap({ Int64($0) }), size >= 0 else {
            throw invalid(operation, key, "the reply has no valid Content-Length")
        }
        return (try describe(response.headers, operation, key: key, size: size), response.headers)
    }

    /// The blocks of a blob and the version that they belong to; nil when there is neither a blob nor a block.
    func blockList(
        _ key: ObjectKey, _ operation: StoreOperation, type: String
    ) async throws(StoreError) -> (list: AzureBlockList, version: VersionToken?)? {
        let response: HTTPResponse
        do throws(StoreError) {
            response = try await send(
                AzureBlobRequest(operation, .get, key: key, query: ["blocklisttype": type, "comp": "blocklist"]))
        } catch {
            if error.code == .notFound { return nil }
            throw error
        }
        do {
            return (try AzureBlockList(response.body), VersionToken(entityTag: response.headers["etag"]))
        } catch {
            throw invalid(operation, key, "the block list cannot be read: \(error)")
        }
    }

    private func withTrustedChecksums(
        _ description: ObjectDescription, _ headers: HTTPHeaders
    ) async throws(StoreError) -> ObjectDescription {
        var description = description
        if description.object.size == 0 {
            description.object.checksums = ObjectChecksums(crc32c: 0, crc64nvme: 0)
            return description
        }
        guard headers["x-ms-blob-type"] ?? "BlockBlob" == "BlockBlob", description.object.archiveTier == nil else {
            return description
        }
        do throws(StoreError) {
            guard let (list, version) = try await blockList(description.object.key, .head, type: "committed"),
                version == description.object.version
            else { return description }
            if list.committed.isEmpty {
                let md5 = headers["content-md5"].flatMap { Base64.decode($0) }
                description.object.checksums.md5 = md5.flatMap { $0.count == 16 ? $0 : nil }
            } else if let proven = list.provenDigest, proven.length == description.object.size {
                description.object.checksums.crc64nvme = proven.crc64
            }
            return description
        } catch {
            // A server without this call, or a signature that does not cover it: the description holds, without
            // checksums.
            guard error.retry == .never, error.code != .cancelled else { throw error }
            return description
        }
    }

    /// Checks that the reply is about the range and version asked for, and describes the blob.
    private func describe(_ response: HTTPResponse, _ reading: AzureRangeRead) throws(StoreError) -> ObjectDescription {
        let request = reading.request
        let size: Int64
        if reading.isRanged {
            guard response.status == 206 else {
                throw invalid(
                    .read, request.key, "HTTP \(response.status) to a ranged request: the server ignored the range")
            }
            guard let range = response.headers["content-range"].flatMap({ ContentRange($0) }),
                range.first == request.range.offset,
                range.last == request.range.end - 1
            else { throw invalid(.read, request.key, "the reply's Content-Range is not the range asked for") }
            guard let total = range.total else {
                throw invalid(.read, request.key, "the reply's Content-Range does not tell the blob's size")
            }
            size = total
        } else {
            guard response.status == 200 else {
                throw invalid(.read, request.key, "HTTP \(response.status) for the whole blob")
            }
            size = response.headers["content-length"].flatMap { Int64($0) } ?? Int64(response.received)
        }
        let description = try describe(response.headers, .read, key: request.key, size: size)
        try check(description, against: request)
        return description
    }

    private func check(_ description: ObjectDescription, against request: ReadRequest) throws(StoreError) {
        if let version = request.version, description.object.version != version {
            throw StoreError(
                .versionChanged, .read, key: request.key,
                message: "the blob has been replaced: the reply is of another version")
        }
        if let expected = request.objectSize, description.object.size != expected {
            throw invalid(
                .read, request.key, "the server says the blob has \(description.object.size) bytes, not \(expected)")
        }
    }

    /// The blob as the headers of a reply describe it.
    private func describe(
        _ headers: HTTPHeaders, _ operation: StoreOperation, key: ObjectKey, size: Int64
    ) throws(StoreError) -> ObjectDescription {
        guard let version = VersionToken(entityTag: headers["etag"]) else {
            throw invalid(operation, key, "the reply has no strong ETag, so the blob's version cannot be pinned")
        }
        let modified = headers["last-modified"].flatMap { CivilTime(httpDate: $0)?.nanosecondsSince1970 } ?? 0
        let tier =
            headers["x-ms-access-tier"] == "Archive"
            ? AzureBlobListing.archiveTier(status: headers["x-ms-archive-status"]) : nil
        return ObjectDescription(
            object: ListedObject(key: key, size: size, version: version, modified: modified, archiveTier: tier),
            attributes: ObjectAttributes(azure: headers))
    }
}

/// How a read is asked for.
///
/// The service sends the CRC-64 of what it sends with ranges of up to 4 MiB only; so small blobs are read as a range
/// too, and large ones without, when the whole is wanted.
private struct AzureRangeRead {
    let request: ReadRequest

    static let checksumLimit: Int64 = 4 << 20

    init(_ request: ReadRequest) {
        self.request = request
    }

    var wantsChecksum: Bool { !request.range.isEmpty && request.range.length <= Self.checksumLimit }
    var isRanged: Bool { wantsChecksum || !request.isWholeObject }

    var headers: HTTPHeaders {
        var headers = HTTPHeaders()
        if isRanged { headers.append("x-ms-range", request.range.headerValue) }
        if wantsChecksum { headers.append("x-ms-range-get-content-crc64", "true") }
        return headers
    }
}
