import ObjectStores
import ReplicationModel

/// Whether the place can be asked at all, and what earlier examinations left there.
struct ReachProbe: DoctorProbe {
    static let subject = "reach"
    var subject: String { Self.subject }

    func examine(_ bench: DoctorBench) async throws(StoreError) {
        let page: ListPage
        do throws(StoreError) {
            page = try await bench.store.list(ListRequest(prefix: ReservedKeys.doctorPrefix, limit: 1000))
        } catch {
            // Without the right to list the other rights are still worth knowing.
            guard error.code == .forbidden else { throw error }
            bench.tell(.denied, subject, "\(error)", operation: .list)
            return
        }
        bench.tell(.ok, subject, "the place answers, and its objects may be listed")
        let leftovers = Set(page.objects.map { Self.examination(of: $0.key) }).sorted()
        if let first = leftovers.first {
            bench.tell(
                .warning, "leftovers",
                "\(counted(page.objects.count, "object")) of earlier examinations left below \(first)"
                    + (leftovers.count > 1 ? " and \(leftovers.count - 1) more" : "") + "; nobody needs them")
        }
    }

    /// `.lockstep/doctor/NONCE/` of a key below it.
    private static func examination(of key: ObjectKey) -> ObjectKey {
        let rest = key.bytes.dropFirst(ReservedKeys.doctorPrefix.bytes.count)
        return ReservedKeys.doctorPrefix
            + ObjectKey(Array(rest.prefix { $0 != UInt8(ascii: "/") }) + [UInt8(ascii: "/")])
    }
}
