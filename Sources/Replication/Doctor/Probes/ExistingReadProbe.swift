import Digests
import ObjectStores
import ReplicationModel

/// Reads of an object that is there already: the range asked for, none beyond the end, and never under another version's name.
struct ExistingReadProbe: DoctorProbe {
    var subject: String { "ranged-reads" }

    private static let length: Int64 = 4096

    func examine(_ bench: DoctorBench) async throws(StoreError) {
        let listed = try await bench.store.list(ListRequest(limit: 200)).objects
        guard let object = listed.first(where: { $0.size > 1 && $0.archiveTier == nil }) else {
            bench.tell(.unknown, subject, "no object to read was found: reads are not known")
            return
        }
        let half = min(Self.length, object.size / 2)
        let whole = try await bench.read(
            object.key, ByteRange(offset: 0, length: 2 * half), version: object.version, size: object.size)
        let parts = [ByteRange(offset: 0, length: half), ByteRange(offset: half, length: half)]
        var digests: [ReadReply] = []
        for range in parts {
            digests.append(try await bench.read(object.key, range, version: object.version, size: object.size))
        }
        guard digests[0].digest.appending(digests[1].digest) == whole.digest else {
            bench.tell(
                .failure, subject, "two halves of a range of `\(object.key)` are not its whole",
                engine: "large objects would be put together wrongly")
            return
        }
        do throws(StoreError) {
            _ = try await bench.read(
                object.key, ByteRange(offset: object.size - 1, length: 10), version: object.version,
                through: bench.once)
            bench.tell(
                .failure, subject, "bytes arrive beyond the end of `\(object.key)`",
                engine: "an object that was cut short could pass for a whole one")
            return
        } catch {
            guard !error.isNoAnswer else { throw error }
        }
        bench.tell(
            .ok, subject, "exactly the bytes asked for arrive, and none beyond the end",
            engine: "objects are read in parts, side by side")
        try await examinePin(object, listed, bench)
    }

    /// A version that never was this object's stands for one that was replaced.
    private func examinePin(
        _ object: ListedObject, _ listed: [ListedObject], _ bench: DoctorBench
    ) async throws(StoreError) {
        guard let other = listed.first(where: { $0.version != object.version })?.version else {
            bench.tell(.unknown, "pinned-reads", "all objects have one version: whether reads are pinned is not known")
            return
        }
        do throws(StoreError) {
            _ = try await bench.read(object.key, ByteRange(offset: 0, length: 1), version: other, through: bench.once)
            bench.tell(
                .failure, "pinned-reads", "a read of a version that is not there gives the bytes of the one that is",
                engine: "an object that changes while it is copied would become a mix of both")
        } catch {
            guard error.code == .versionChanged || error.code == .notFound else { throw error }
            bench.tell(
                .ok, "pinned-reads", "a read of a version that is not there fails",
                engine: "an object that changes while it is copied is noticed and copied again")
        }
    }
}
