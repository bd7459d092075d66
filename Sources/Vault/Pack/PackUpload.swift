import Buffers
import Digests
import ObjectStores
import ReplicationModel

/// Writes one finished pack, with an outcome that is always known in the end.
///
/// What is there under the pack's name after a lost reply is compared with what was sent: the bytes come from a fresh random salt, so
/// equal ones are this very write. Cancellation ends it soon and leaves no open multipart upload; the pack may then be there or not.
struct PackUpload {
    /// Above it, in bytes, a pack goes in parts.
    private static let largestPut = 16 << 20
    private static let partSize = 8 << 20
    private static let parallelParts = 8
    private static let maxAttempts = 4

    let store: any ObjectStore
    let name: String
    /// The whole pack. Its memory is overwritten when the store can only be believed after reading back.
    let body: BufferSlice
    let time: any Timekeeper

    private var key: ObjectKey { ObjectKey(name) }

    func run() async throws(VaultError) {
        do throws(StoreError) {
            let (digest, write) = plan()
            try await settle(digest, write)
        } catch {
            var failure = VaultError(error)
            if error.code == .checksumMismatch { failure.code = .damaged }
            // It is not that a pack is missing: the bucket or the upload is.
            if failure.code == .missing { failure.code = .store }
            failure.object = name
            throw failure
        }
    }

    /// The digest of the pack, and how it is written.
    private func plan() -> (ContentDigest, () async throws(StoreError) -> WriteReceipt) {
        let fitsPut = Int64(body.count) <= store.capabilities.maxPutSize
        if !(fitsPut && body.count <= Self.largestPut), let partSize = partSize(), partSize < body.count || !fitsPut {
            let parts = parts(of: partSize)
            let digest = parts.reduce(ContentDigest()) { $0.appending($1.digest) }
            return (digest, { () async throws(StoreError) in try await sendParts(parts, partSize, digest) })
        }
        let digest = body.withUnsafeBytes { ContentDigest(of: $0) }
        let request = PutRequest(
            key: key, body: body, digest: digest, attributes: ObjectAttributes(), condition: .absent)
        return (digest, { () async throws(StoreError) in try await store.put(request) })
    }

    private func settle(
        _ digest: ContentDigest, _ write: () async throws(StoreError) -> WriteReceipt
    ) async throws(StoreError) {
        var attempt = 1
        while true {
            let failure: StoreError
            do throws(StoreError) {
                let receipt = try await write()
                return try await verify(receipt.checksums, receipt.bytesVerified, receipt.version, digest)
            } catch {
                failure = error
            }
            guard failure.retry == .unknownOutcome || failure.code == .preconditionFailed,
                failure.code != .cancelled, !Task.isCancelled
            else { throw failure }
            if try await isThere(digest) { return }
            guard attempt < Self.maxAttempts else { throw failure }
            do { try await time.sleep(for: .milliseconds(200 << attempt)) } catch { throw failure }
            attempt += 1
        }
    }

    /// Whether the pack is stored. Throws when something else is.
    private func isThere(_ digest: ContentDigest) async throws(StoreError) -> Bool {
        let found: ListedObject
        do throws(StoreError) {
            found = try await store.head(key).object
        } catch {
            if error.code == .notFound { return false }
            throw error
        }
        guard found.size == digest.length else { throw differs }
        try await verify(found.checksums, false, found.version, digest)
        return true
    }

    /// Throws unless the store vouches for the bytes that were sent, or gives them back.
    private func verify(
        _ checksums: ObjectChecksums, _ isVerified: Bool, _ version: VersionToken, _ digest: ContentDigest
    ) async throws(StoreError) {
        switch checksums.agrees(with: ObjectChecksums(crc32c: digest.crc32c, crc64nvme: digest.crc64nvme)) {
        case true: return
        case false: throw differs
        default:
            if isVerified { return }
            guard try await readBack(version) == digest else { throw differs }
        }
    }

    private var differs: StoreError {
        StoreError(
            .checksumMismatch, .put, key: key, message: "what the store holds differs from the pack that was sent to it"
        )
    }

    /// Into the pack's own memory, which is not needed any more: another pack could not be had while this one waits.
    private func readBack(_ version: VersionToken) async throws(StoreError) -> ContentDigest {
        var digest = ContentDigest()
        while digest.length < Int64(body.count) {
            let offset = Int(digest.length)
            let count = min(Self.partSize, body.count - offset)
            let reply = try await store.read(
                ReadRequest(
                    key: key, range: ByteRange(offset: Int64(offset), length: Int64(count)), version: version,
                    objectSize: Int64(body.count)), into: body.buffer.portion(body.offset + offset, count))
            digest = digest.appending(reply.digest)
        }
        return digest
    }
}

extension PackUpload {
    /// Bytes of each part but the last; nil when the store cannot take the pack in parts.
    private func partSize() -> Int? {
        let store = store.capabilities
        let size = Int64(body.count)
        let least = max(store.partSize.lowerBound, (size + Int64(store.maxParts) - 1) / Int64(store.maxParts))
        let multiple = store.partSizeMultiple
        let wanted = (max(Int64(Self.partSize), least) + multiple - 1) / multiple * multiple
        let partSize = min(wanted, store.partSize.upperBound / multiple * multiple)
        return partSize >= least && size <= store.maxObjectSize ? Int(partSize) : nil
    }

    private func parts(of partSize: Int) -> [PartRequest] {
        stride(from: 0, to: body.count, by: partSize).enumerated().map { index, offset in
            let part = body.slice(offset, min(partSize, body.count - offset))
            return PartRequest(
                number: index + 1, offset: Int64(offset), body: part,
                digest: part.withUnsafeBytes { ContentDigest(of: $0) })
        }
    }

    private func sendParts(
        _ parts: [PartRequest], _ partSize: Int, _ digest: ContentDigest
    ) async throws(StoreError) -> WriteReceipt {
        let session = try await begin(partSize)
        do throws(StoreError) {
            let receipts = try await send(parts, session)
            return try await store.completeUpload(
                CompleteRequest(
                    parts: receipts, digest: digest, attributes: ObjectAttributes(), condition: .absent), of: session)
        } catch {
            await abort(session)
            throw error
        }
    }

    private func begin(_ partSize: Int) async throws(StoreError) -> UploadSession {
        do throws(StoreError) {
            return try await store.beginUpload(
                UploadRequest(
                    key: key, size: Int64(body.count), partSize: Int64(partSize), attributes: ObjectAttributes(),
                    condition: .absent))
        } catch {
            // Open, perhaps, with a handle that nobody knows. Every upload under the name of this pack is this one's.
            if error.retry == .unknownOutcome {
                for stray in try await store.openUploads(ListRequest(prefix: key)).uploads {
                    await abort(stray.session)
                }
            }
            throw error
        }
    }

    private func send(_ parts: [PartRequest], _ session: UploadSession) async throws(StoreError) -> [PartReceipt] {
        let parallel = session.partOrder == .sequential ? 1 : Self.parallelParts
        let results = await withTaskGroup(of: Result<PartReceipt, StoreError>.self) { group in
            var results: [Result<PartReceipt, StoreError>] = []
            var rest = parts[...]
            while results.count < parts.count {
                while let part = rest.first, parts.count - rest.count - results.count < parallel {
                    rest.removeFirst()
                    group.addTask { await send(part, session) }
                }
                guard let result = await group.next() else { break }
                results.append(result)
                if case .failure = result {
                    group.cancelAll()
                    break
                }
            }
            return results
        }
        var receipts: [PartReceipt] = []
        for result in results { receipts.append(try result.get()) }
        return receipts.sorted { $0.number < $1.number }
    }

    private func send(_ part: PartRequest, _ session: UploadSession) async -> Result<PartReceipt, StoreError> {
        do throws(StoreError) {
            return .success(try await store.uploadPart(part, of: session))
        } catch {
            return .failure(error)
        }
    }

    /// Best effort: what cannot be aborted now is an open upload under `pack/`, which the sweep of open uploads finds.
    private func abort(_ session: UploadSession) async {
        // A task of its own: that of the upload may be cancelled.
        await Task {
            do throws(StoreError) { try await store.abortUpload(session) } catch {}
        }.value
    }
}
