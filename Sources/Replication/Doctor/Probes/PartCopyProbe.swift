import Digests
import ObjectStores
import ReplicationModel

/// Whether a part can be made from a range of an object that is there already.
struct PartCopyProbe: DoctorProbe {
    var subject: String { "part-copy" }

    func examine(_ bench: DoctorBench) async throws(StoreError) {
        guard bench.store.capabilities.copiesParts else { return tellNone(bench) }
        guard let object = bench.composed else { return }
        let range = ByteRange(offset: Int64(object.parts[0]), length: Int64(object.parts[1]))
        let source = try await bench.content(object.parts[1], seed: 2).digest
        let rest = try await bench.content(DoctorBench.smallPart / 2, seed: 11)
        let size = Int(range.length) + rest.count
        let session = try await bench.begin(bench.key("composed"), size: size, partSize: Int(range.length))
        let copied: PartReceipt
        do throws(StoreError) {
            copied = try await bench.store.copyPart(
                PartCopyRequest(
                    number: 1, offset: 0, source: object.key, sourceVersion: object.version, range: range,
                    digest: source), of: session)
        } catch {
            guard error.code == .unsupportedOperation else { throw error }
            try await bench.abort(session)
            return tellNone(bench)
        }
        let sent = try await bench.send(rest, 2, at: Int(range.length), of: session)
        let receipt = try await bench.complete(
            session, [copied, sent], digest: source.appending(rest.digest))
        for (range, digest) in [
            (ByteRange(offset: 0, length: range.length), source),
            (ByteRange(offset: range.length, length: Int64(rest.count)), rest.digest),
        ] {
            let reply = try await bench.read(
                bench.key("composed"), range, version: receipt.version, size: Int64(size))
            guard reply.digest == digest else {
                bench.tell(
                    .failure, subject, "a copied range has other bytes than what was copied",
                    engine: "an object that was composed of copied ranges could not be trusted")
                return
            }
        }
        bench.tell(
            .ok, subject, "parts are copied from objects that are there",
            engine: "with --delta, what has not changed inside a large object is not sent again")
    }

    private func tellNone(_ bench: DoctorBench) {
        bench.tell(
            .instead, subject, "the server cannot make a part from a range of an object",
            engine: "--delta has no effect here: changed objects are sent whole")
    }
}
