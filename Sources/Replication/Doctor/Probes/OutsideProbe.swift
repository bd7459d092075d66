import ObjectStores
import ReplicationModel

/// Whether the credentials reach further than the location: rights in excess are no error, and worth knowing.
///
/// Writing is asked for by a write that cannot happen, under a condition that does not hold; where conditions are not heeded it is not
/// asked for.
struct OutsideProbe: DoctorProbe {
    let use: Doctor.Use
    var subject: String { "rights-outside" }

    func examine(_ bench: DoctorBench) async throws(StoreError) {
        guard let around = bench.around else { return }
        var excess: [String] = []
        do throws(StoreError) {
            _ = try await around.list(ListRequest(limit: 1))
            excess.append("list")
        } catch {
            guard error.code == .forbidden else { throw error }
        }
        if use == .target, bench.heedsReplacing, let object = bench.subject {
            let key = ObjectKey("lockstep-doctor-\(bench.nonce)")
            let content = try await bench.content(1, seed: 12)
            bench.remember(outer: key)
            do throws(StoreError) {
                _ = try await around.put(
                    PutRequest(
                        key: key, body: content.slice, digest: content.digest, attributes: ObjectAttributes(),
                        condition: .matches(object.version)))
                excess.append("write")
            } catch {
                switch error.code {
                case .preconditionFailed:
                    bench.forget(outer: key)
                    excess.append("write")
                case .forbidden: bench.forget(outer: key)
                default: throw error
                }
            }
        }
        guard !excess.isEmpty else {
            bench.tell(.ok, subject, "the credentials reach nothing outside of the location that was asked for")
            return
        }
        bench.tell(
            .warning, subject, "the credentials may \(excess.joined(separator: " and ")) outside of the location too",
            engine: "the engine never does; `lockstep policy` prints the rights that it needs")
    }
}
