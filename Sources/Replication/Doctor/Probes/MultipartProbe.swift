import Digests
import ObjectStores
import ReplicationModel

/// Whether an object can be made from parts, sent in any order and of the smallest size that the engine may choose.
struct MultipartProbe: DoctorProbe {
    var subject: String { "multipart" }

    func examine(_ bench: DoctorBench) async throws(StoreError) {
        let key = bench.key("parts")
        let sizes = [bench.partSize, bench.partSize, DoctorBench.smallPart / 2]
        let session = try await bench.begin(key, size: sizes.reduce(0, +), partSize: bench.partSize)
        var receipts: [PartReceipt] = []
        for number in session.partOrder == .sequential ? [1, 2, 3] : [2, 1, 3] {
            let content = try await bench.content(sizes[number - 1], seed: UInt64(number))
            receipts.append(
                try await bench.send(content, number, at: sizes[..<(number - 1)].reduce(0, +), of: session))
        }
        receipts.sort { $0.number < $1.number }
        guard try await lists(session, sizes, bench) else { return }
        let digest = receipts.reduce(ContentDigest()) { $0.appending($1.digest ?? ContentDigest()) }
        let receipt = try await bench.complete(session, receipts, digest: digest)
        guard try await reads(key, receipt.version, sizes, bench) else { return }
        bench.composed = DoctorBench.Composed(key: key, version: receipt.version, parts: sizes)
        bench.tell(
            .ok, subject,
            "an object of \(sizes.count) parts of \(Self.shown(bench.partSize)) is put together as it was sent",
            engine: "large objects are sent in parts, and an upload that was cut off goes on where it was")
        tellEvidence(receipt, digest, bench)
    }

    private static func shown(_ bytes: Int) -> String {
        bytes >= 1 << 20 ? "\(bytes >> 20) MiB" : "\(bytes >> 10) KiB"
    }

    private func tellEvidence(_ receipt: WriteReceipt, _ digest: ContentDigest, _ bench: DoctorBench) {
        let sent = ObjectChecksums(crc32c: digest.crc32c, crc64nvme: digest.crc64nvme)
        switch receipt.checksums.agrees(with: sent) {
        case true:
            bench.tell(
                .ok, "multipart-checksums", "the checksum of the whole object is reported",
                engine: "large objects are proven without being read back")
        case false:
            bench.tell(
                .failure, "multipart-checksums", "another checksum is reported than the object has",
                engine: "every large object would count as damaged")
        case nil:
            bench.tell(
                receipt.bytesVerified ? .ok : .instead, "multipart-checksums",
                "no checksum of the whole object is reported",
                engine: receipt.bytesVerified
                    ? "the checksums of the parts prove it"
                    : "every large object is read back once after it was written")
        }
    }

    /// A sequential session never shows its last part.
    private func lists(_ session: UploadSession, _ sizes: [Int], _ bench: DoctorBench) async throws(StoreError) -> Bool
    {
        let parts = try await bench.store.listParts(of: session)
        let expected = session.partOrder == .sequential ? sizes.dropLast() : sizes[...]
        guard parts.map(\.number) == Array(1...expected.count), parts.map(\.size) == expected.map({ Int64($0) }) else {
            bench.tell(
                .failure, "list-parts",
                "of \(expected.count) parts that were sent, \(parts.count) are listed, or others than were sent",
                engine: "an upload that was cut off would go on wrongly")
            return false
        }
        return true
    }

    private func reads(
        _ key: ObjectKey, _ version: VersionToken, _ sizes: [Int], _ bench: DoctorBench
    ) async throws(StoreError) -> Bool {
        let whole = Int64(sizes.reduce(0, +))
        var offset: Int64 = 0
        for (index, size) in sizes.enumerated() {
            let content = try await bench.content(size, seed: UInt64(index + 1))
            do throws(StoreError) {
                let reply = try await bench.read(
                    key, ByteRange(offset: offset, length: Int64(size)), version: version, size: whole)
                if reply.digest == content.digest {
                    offset += Int64(size)
                    continue
                }
            } catch {
                guard !error.isNoAnswer else { throw error }
                bench.tell(.failure, subject, "what was put together cannot be read as it was sent: \(error)")
                return false
            }
            bench.tell(
                .failure, subject, "the object has other bytes in part \(index + 1) than were sent",
                engine: "large objects could not be trusted")
            return false
        }
        return true
    }
}
