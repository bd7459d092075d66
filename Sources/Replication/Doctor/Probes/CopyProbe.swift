import ObjectStores
import ReplicationModel

/// Whether the server copies an object, all of it, and only in the version that was meant.
struct CopyProbe: DoctorProbe {
    var subject: String { "copy" }

    func examine(_ bench: DoctorBench) async throws(StoreError) {
        guard let object = bench.subject else { return }
        let size = Int64(object.content.count)
        guard bench.store.capabilities.maxCopySize > 0 else { return tellNone(bench) }
        let key = bench.key("copied")
        do throws(StoreError) {
            let receipt = try await bench.copy(
                CopyRequest(
                    source: object.key, sourceVersion: object.version, size: size, destination: key,
                    condition: .unconditional), through: bench.store)
            let reply = try await bench.read(
                key, ByteRange(offset: 0, length: size), version: receipt.version, size: size)
            guard reply.digest == object.content.digest else {
                bench.tell(
                    .failure, subject, "a copy has other bytes than what was copied",
                    engine: "what is kept before a deletion could not be trusted")
                return
            }
        } catch {
            guard error.code == .unsupportedOperation else { throw error }
            return tellNone(bench)
        }
        do throws(StoreError) {
            _ = try await bench.copy(
                CopyRequest(
                    source: object.key, sourceVersion: object.oldVersion, size: size, destination: bench.key("stale"),
                    condition: .unconditional), through: bench.once)
            bench.tell(
                .failure, subject, "another version was copied than the one that was named",
                engine: "what is kept before a deletion would be something else")
        } catch {
            guard [.versionChanged, .preconditionFailed, .notFound].contains(error.code) else { throw error }
            bench.tell(
                .ok, subject, "the server copies objects, and only in the version that was named",
                engine: "what a run deletes is kept below \(ReservedKeys.deletedPrefix) without being sent again")
        }
    }

    private func tellNone(_ bench: DoctorBench) {
        bench.tell(
            .instead, subject, "the server does not copy objects",
            engine:
                "a run with --delete keeps nothing of what it deletes: it refuses, unless --permanent-delete is given")
    }
}
