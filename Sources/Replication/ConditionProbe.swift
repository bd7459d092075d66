import Digests
import Manifests
import ObjectStores
import ReplicationModel

/// Finds out whether a store that promises nothing enforces conditional writes: creates a small object of its own twice.
///
/// The answer is kept in the pair's ledger, so a pair asks once.
struct ConditionProbe {
    static let note = "conditional-writes"

    let target: any ObjectStore
    let ledger: any Ledger
    /// Makes the probe's key unguessable.
    let nonce: String

    func conditionsAreEnforced() async throws -> Bool {
        let subject = "\(target.name) "
        if let known = try await ledger.note(Self.note), known.hasPrefix(subject) {
            return known == subject + "enforced"
        }
        let enforced = try await probe()
        try await ledger.setNote(Self.note, subject + (enforced ? "enforced" : "ignored"))
        return enforced
    }

    private func probe() async throws -> Bool {
        let key = ReservedKeys.probePrefix + ObjectKey(nonce)
        let request = PutRequest(
            key: key, body: nil, digest: ContentDigest(), attributes: ObjectAttributes(), condition: .absent)
        let enforced: Bool
        do throws(StoreError) {
            _ = try await target.put(request)
            do throws(StoreError) {
                _ = try await target.put(request)
                enforced = false
            } catch {
                guard error.code == .preconditionFailed else { throw error }
                enforced = true
            }
        } catch {
            throw TransferFailure(.target, error)
        }
        // A leftover of a few bytes under the reserved prefix harms nobody.
        _ = await target.delete([DeleteRequest(key: key, version: nil)])
        return enforced
    }
}
