import Digests
import ObjectStores
import ReplicationModel

/// Whether the server compares what arrives with the checksum that is sent with it: a wrong one must be refused.
struct ChecksumProbe: DoctorProbe {
    var subject: String { "checksums" }

    func examine(_ bench: DoctorBench) async throws(StoreError) {
        let content = try await bench.content(DoctorBench.subjectSize, seed: 7)
        do throws(StoreError) {
            let receipt = try await bench.put(
                bench.key("checksum"), content, .unconditional, digest: content.wrongDigest, through: bench.once)
            tellAccepted(bench, subject, receipt, content, "an object")
        } catch {
            guard error.refusesBytes else { throw error }
            bench.forget(bench.key("checksum"))
            bench.tell(
                .ok, subject, "an object with a wrong checksum is refused",
                engine: "what the server takes is what was sent; nothing is read back")
        }
    }

    /// What follows when a wrong checksum was taken: whether the engine would find it out.
    func tellAccepted(
        _ bench: DoctorBench, _ subject: String, _ receipt: WriteReceipt, _ content: DoctorContent, _ what: String
    ) {
        let wrong = ObjectChecksums(crc32c: content.wrongDigest.crc32c, crc64nvme: content.wrongDigest.crc64nvme)
        let right = ObjectChecksums(crc32c: content.digest.crc32c, crc64nvme: content.digest.crc64nvme)
        switch receipt.checksums.agrees(with: wrong) {
        case false where receipt.checksums.agrees(with: right) == false:
            bench.tell(
                .failure, subject,
                "\(what) with a wrong checksum is stored, and the checksum that is reported is neither that nor that of the content",
                engine: "every write would look damaged, and be tried until it fails")
        case false:
            bench.tell(
                .instead, subject,
                "\(what) with a wrong checksum is stored, and the checksum of what was stored is reported",
                engine: "the engine compares it after each write, and writes again what is wrong")
        case nil where !receipt.bytesVerified:
            bench.tell(
                .instead, subject, "\(what) with a wrong checksum is stored, and nothing is said of its checksum",
                engine: "every object is read back once after it was written")
        default:
            bench.tell(
                .failure, subject, "\(what) with a wrong checksum is stored, and the wrong checksum is confirmed",
                engine: "bytes that were damaged on their way would count as proven")
        }
    }
}

extension StoreError {
    /// Whether the server has refused a write because of its bytes.
    var refusesBytes: Bool { code == .checksumMismatch || (code == .invalidRequest && status == 400) }
}
