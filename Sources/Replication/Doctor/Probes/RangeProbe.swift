import ObjectStores
import ReplicationModel

/// Whether exactly the bytes of a range arrive, and nothing passes for bytes that are not there.
struct RangeProbe: DoctorProbe {
    var subject: String { "ranged-reads" }

    func examine(_ bench: DoctorBench) async throws(StoreError) {
        guard let object = bench.subject else { return }
        let size = Int64(object.content.count)
        for range in [ByteRange(offset: 1000, length: 777), ByteRange(offset: size - 5, length: 5)] {
            do throws(StoreError) {
                let reply = try await bench.read(
                    object.key, range, version: object.version, size: size, through: bench.once)
                guard reply.digest == object.content.digest(of: range) else {
                    bench.tell(
                        .failure, subject,
                        "bytes \(range.offset) to \(range.end - 1) are other bytes than were written there",
                        engine: "large objects would be put together wrongly")
                    return
                }
            } catch {
                guard !error.isNoAnswer else { throw error }
                bench.tell(
                    .failure, subject, "\(error)",
                    engine: "the engine refuses such an answer: no object larger than a part could be copied")
                return
            }
        }
        let beyond = ByteRange(offset: size - 4, length: 10)
        do throws(StoreError) {
            _ = try await bench.read(object.key, beyond, version: object.version, through: bench.once)
        } catch {
            guard !error.isNoAnswer else { throw error }
            bench.tell(
                .ok, subject, "exactly the bytes asked for arrive, and none beyond the end",
                engine: "objects are read in parts, side by side")
            return
        }
        bench.tell(
            .failure, subject, "ten bytes arrived where four were left",
            engine: "an object that was cut short could pass for a whole one")
    }
}
