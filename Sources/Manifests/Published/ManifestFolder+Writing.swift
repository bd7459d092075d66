import Buffers
import Digests
import ObjectStores
import ReplicationModel

extension ManifestFolder {
    private static let maxAttempts = 4

    /// Writes an object where none is, or over the version given.
    /// - Returns: what is there instead of it, nil when it was written.
    func put(
        _ key: ObjectKey, _ body: BufferSlice, _ contentType: String, over version: VersionToken? = nil,
        time: any Timekeeper
    ) async throws -> ListedObject? {
        let condition = version.map { WriteCondition.matches($0) } ?? .absent
        let digest = body.withUnsafeBytes { ContentDigest(of: $0) }
        let attributes = store.rules.fit(ObjectAttributes(contentType: contentType)).kept
        var attempt = 1
        while true {
            do throws(StoreError) {
                let receipt = try await store.put(
                    PutRequest(key: key, body: body, digest: digest, attributes: attributes, condition: condition))
                try check(receipt, digest, key)
                return nil
            } catch {
                guard error.code == .preconditionFailed || error.retry == .unknownOutcome else { throw error }
                if let there = try await find(key) { return there }
                guard attempt < Self.maxAttempts else { throw error }
            }
            try await time.sleep(for: .milliseconds(200 << attempt))
            attempt += 1
        }
    }

    /// Writes a page. What is under its name already, and was not proven to be it, is replaced.
    func putPage(
        _ page: PublishedPage, _ file: BufferSlice, over known: ListedObject?, time: any Timekeeper
    ) async throws {
        guard let there = try await put(page.key, file, "application/zstd", over: known?.version, time: time) else {
            return
        }
        guard there.size != Int64(page.fileBytes) else { return }
        throw PageContent.damaged(
            page, "something else with \(there.size) bytes is there; delete \(name)\(page.key) and run again")
    }

    private func find(_ key: ObjectKey) async throws(StoreError) -> ListedObject? {
        do throws(StoreError) {
            return try await store.head(key).object
        } catch {
            guard error.code == .notFound else { throw error }
            return nil
        }
    }

    private func check(_ receipt: WriteReceipt, _ digest: ContentDigest, _ key: ObjectKey) throws(StoreError) {
        let sent = ObjectChecksums(crc32c: digest.crc32c, crc64nvme: digest.crc64nvme)
        guard receipt.checksums.agrees(with: sent) != false else {
            throw StoreError(
                .checksumMismatch, .put, key: key,
                message: "the store reports another checksum than that of the bytes sent")
        }
    }
}
