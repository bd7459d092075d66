package import Buffers
import Digests
import HTTPStores
import HTTPTransport
package import ObjectStores
package import ReplicationModel

extension S3Store {
    package func head(_ key: ObjectKey) async throws(StoreError) -> ObjectDescription {
        try await properties(key, version: nil).0
    }

    /// The object's description and the headers that it was made from, pinned to a version when one is given.
    func properties(
        _ key: ObjectKey, version: VersionToken?
    ) async throws(StoreError) -> (ObjectDescription, HTTPHeaders) {
        let response = try await withReportedChecksums(wanted: true) { mode throws(StoreError) in
            var request = S3Request(.head, .head, key: key, headers: mode)
            if let version { request.headers.append("if-match", version.quoted) }
            return try await send(request)
        }
        guard let size = response.headers["content-length"].flatMap({ Int64($0) }), size >= 0 else {
            throw invalid(.head, key, "the reply has no valid Content-Length")
        }
        let description = try describe(
            response.headers, .head, key: key, size: size, checksums: ObjectChecksums(s3: response.headers))
        return (description, response.headers)
    }

    package func read(_ request: ReadRequest, into buffer: PooledBuffer) async throws(StoreError) -> ReadReply {
        precondition(request.range.length <= buffer.capacity, "the buffer is smaller than the range")
        let isWhole = request.isWholeObject
        if request.range.isEmpty && !isWhole {
            // No Range header can ask for nothing.
            var description: ObjectDescription
            do throws(StoreError) {
                (description, _) = try await properties(request.key, version: request.version)
            } catch {
                var error = error
                error.operation = .read
                throw error
            }
            try check(description, against: request)
            description.object.checksums = ObjectChecksums()
            return ReadReply(description: description, digest: ContentDigest())
        }
        let response = try await withReportedChecksums(wanted: isWhole) { mode throws(StoreError) in
            var get = S3Request(.read, .get, key: request.key, headers: mode)
            if let version = request.version { get.headers.append("if-match", version.quoted) }
            if !isWhole { get.headers.append("range", request.range.headerValue) }
            get.sink = .buffer(buffer, limit: Int(request.range.length))
            return try await send(get)
        }
        let description = try describe(response, for: request)
        guard Int64(response.received) == request.range.length, response.digest.length == request.range.length else {
            throw invalid(
                .read, request.key, "\(response.received) bytes arrived where \(request.range.length) were asked for")
        }
        let arrived = UnsafeRawBufferPointer(start: buffer.base, count: response.received)
        if isWhole, !Self.agrees(response.headers, description.object.checksums, with: response.digest, arrived) {
            throw StoreError(
                .checksumMismatch, .read, key: request.key,
                message: "the bytes that arrived differ from the checksum that the server reports", retry: .transient,
                status: response.status)
        }
        return ReadReply(description: description, digest: response.digest)
    }

    /// Whether what the server reports fits what arrived; true when it reports nothing that can be compared.
    ///
    /// An object that the AWS SDKs have uploaded with their defaults has a CRC-32 and nothing else. It is computed here,
    /// because only such objects need it.
    private static func agrees(
        _ headers: HTTPHeaders, _ reported: ObjectChecksums, with digest: ContentDigest, _ bytes: UnsafeRawBufferPointer
    ) -> Bool {
        if let agrees = reported.agrees(with: ObjectChecksums(digest)) { return agrees }
        return ObjectChecksums.crc32(s3: headers).map { $0 == CRC32.update(0, bytes) } ?? true
    }

    /// Checks that the reply is about the range and version asked for, and describes the object.
    private func describe(_ response: HTTPResponse, for request: ReadRequest) throws(StoreError) -> ObjectDescription {
        let headers = response.headers
        let size: Int64
        var checksums = ObjectChecksums()
        if request.isWholeObject {
            guard response.status == 200 else {
                throw invalid(.read, request.key, "HTTP \(response.status) for the whole object")
            }
            size = headers["content-length"].flatMap { Int64($0) } ?? Int64(response.received)
            checksums = ObjectChecksums(s3: headers)
        } else {
            let range = headers["content-range"].flatMap { ContentRange($0) }
            // Some clones send the range with the status of a whole object; what counts is which bytes they say these
            // are.
            guard response.status == 206 || (response.status == 200 && range != nil && !configuration.isAWS) else {
                throw invalid(
                    .read, request.key, "HTTP \(response.status) to a ranged request: the server ignored the range")
            }
            guard let range, range.first == request.range.offset, range.last == request.range.end - 1 else {
                throw invalid(.read, request.key, "the reply's Content-Range is not the range asked for")
            }
            guard let total = range.total ?? request.objectSize else {
                throw invalid(.read, request.key, "the reply's Content-Range does not tell the object's size")
            }
            size = total
        }
        let description = try describe(headers, .read, key: request.key, size: size, checksums: checksums)
        try check(description, against: request)
        return description
    }

    private func check(_ description: ObjectDescription, against request: ReadRequest) throws(StoreError) {
        if let version = request.version, description.object.version != version {
            throw StoreError(
                .versionChanged, .read, key: request.key,
                message: "the object has been replaced: the reply is of another version")
        }
        if let expected = request.objectSize, description.object.size != expected {
            throw invalid(
                .read, request.key, "the server says the object has \(description.object.size) bytes, not \(expected)")
        }
    }

    /// The object as the headers of a reply describe it.
    private func describe(
        _ headers: HTTPHeaders, _ operation: StoreOperation, key: ObjectKey, size: Int64, checksums: ObjectChecksums
    ) throws(StoreError) -> ObjectDescription {
        guard let version = VersionToken(entityTag: headers["etag"]) else {
            throw invalid(operation, key, "the reply has no strong ETag, so the object's version cannot be pinned")
        }
        let modified = headers["last-modified"].flatMap { CivilTime(httpDate: $0)?.nanosecondsSince1970 } ?? 0
        return ObjectDescription(
            object: ListedObject(
                key: key, size: size, version: version, modified: modified, checksums: checksums,
                archiveTier: Self.archiveTier(headers)),
            attributes: ObjectAttributes(s3: headers))
    }

    /// The archive that holds the object, unless a restored copy can be read.
    private static func archiveTier(_ headers: HTTPHeaders) -> String? {
        guard let tier = headers["x-amz-archive-status"] ?? archiveTier(ofClass: headers["x-amz-storage-class"]) else {
            return nil
        }
        return headers["x-amz-restore"]?.hasPrefix("ongoing-request=\"false\"") == true ? nil : tier
    }

    /// The storage class when its objects must be restored before they can be read.
    static func archiveTier(ofClass storageClass: String?) -> String? {
        storageClass == "GLACIER" || storageClass == "DEEP_ARCHIVE" ? storageClass : nil
    }

    /// Asks for the whole-object checksum where it is wanted; a clone that refuses the header is asked again without
    /// it.
    private func withReportedChecksums(
        wanted: Bool, _ body: (HTTPHeaders) async throws(StoreError) -> HTTPResponse
    ) async throws(StoreError) -> HTTPResponse {
        guard wanted, knownFacts.reportsOnRead else { return try await body([:]) }
        do throws(StoreError) {
            return try await body(["x-amz-checksum-mode": "ENABLED"])
        } catch {
            guard !configuration.isAWS, error.status == 501 || (error.status == 400 && error.code == .invalidRequest)
            else { throw error }
            let response = try await body([:])
            // A HEAD is refused without a reason: only when it is refused again was it the header.
            if error.status == 400, error.serviceCode.isEmpty, error.operation == .head {
                do throws(StoreError) {
                    return try await body(["x-amz-checksum-mode": "ENABLED"])
                } catch {
                    guard error.status == 400 else { return response }
                }
            }
            learn { $0.learnNoReportsOnRead() }
            return response
        }
    }

    func invalid(_ operation: StoreOperation, _ key: ObjectKey?, _ message: String) -> StoreError {
        StoreError(
            .invalidResponse, operation, key: key, message: message,
            retry: operation.changesObjects ? .unknownOutcome : .transient)
    }
}
