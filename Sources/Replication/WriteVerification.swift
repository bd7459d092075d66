import Buffers
import Digests
import Manifests
import ObjectStores
import ReplicationModel

/// Turns a store's receipt into evidence: compares what it reports with what was sent, and reads back what it does not report.
struct WriteVerification {
    let context: RunContext
    let key: ObjectKey
    let digest: ContentDigest
    /// BLAKE3 of the bytes that were sent, where it is known.
    var blake3: [UInt8]?

    func evidence(for receipt: WriteReceipt) async throws -> EvidenceLevel {
        let sent = ObjectChecksums(crc32c: digest.crc32c, crc64nvme: digest.crc64nvme, blake3: blake3)
        switch receipt.checksums.agrees(with: sent) {
        case true: return .reported
        case false:
            throw TransferFailure(
                .target, .corrupted,
                "the target reports another checksum for the stored object than the bytes that were sent have")
        default:
            if receipt.bytesVerified { return .reported }
            try await compareByReading(receipt.version)
            return .reread
        }
    }

    private func compareByReading(_ version: VersionToken) async throws {
        let found = try await ContentReader(context: context, store: context.target, side: .target)
            .digest(of: key, size: digest.length, version: version)
        guard found == digest else {
            throw TransferFailure(
                .target, .corrupted, "the bytes read back from the target are not those that were sent")
        }
    }
}

/// Reads a whole object of one side part by part, for its digest only.
struct ContentReader {
    let context: RunContext
    let store: any ObjectStore
    let side: TransferFailure.Side

    func digest(of key: ObjectKey, size: Int64, version: VersionToken) async throws -> ContentDigest {
        var whole = ContentDigest()
        let step = min(context.options.partSize, Int64(context.pool.limit))
        repeat {
            try await context.transfers.acquire()
            defer { context.transfers.release() }
            let range = ByteRange(offset: whole.length, length: min(step, size - whole.length))
            let buffer = try await context.pool.acquire(Int(range.length))
            do throws(StoreError) {
                let reply = try await store.read(
                    ReadRequest(key: key, range: range, version: version, objectSize: size), into: buffer)
                whole = whole.appending(reply.digest)
            } catch {
                throw TransferFailure(side, error)
            }
        } while whole.length < size
        return whole
    }
}
