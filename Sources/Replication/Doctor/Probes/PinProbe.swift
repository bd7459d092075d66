import ObjectStores
import ReplicationModel

/// Whether a read of a version that has been replaced fails, instead of giving the new bytes.
struct PinProbe: DoctorProbe {
    var subject: String { "pinned-reads" }

    func examine(_ bench: DoctorBench) async throws(StoreError) {
        guard let object = bench.subject else { return }
        let range = ByteRange(offset: 0, length: 1000)
        do throws(StoreError) {
            let reply = try await bench.read(
                object.key, range, version: object.oldVersion, size: Int64(object.oldContent.count),
                through: bench.once)
            guard reply.digest == object.oldContent.digest(of: range) else {
                bench.tell(
                    .failure, subject, "a read of the version before gives the bytes of the one that replaced it",
                    engine: "an object that changes while it is copied would become a mix of both")
                return
            }
        } catch {
            guard error.code == .versionChanged || error.code == .notFound else { throw error }
        }
        bench.tell(
            .ok, subject, "a read of a version that was replaced does not give the new bytes",
            engine: "an object that changes while it is copied is noticed and copied again")
    }
}
