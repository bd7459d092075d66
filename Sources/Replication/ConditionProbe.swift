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
    /// Makes the probe's keys unguessable.
    let nonce: String
    let time: any Timekeeper

    func conditionsAreEnforced() async throws -> Bool {
        let subject = "\(target.name) "
        if let known = try await ledger.note(Self.note), known.hasPrefix(subject) {
            return known == subject + "enforced"
        }
        let enforced = try await probe()
        try await ledger.setNote(Self.note, subject + (enforced ? "enforced" : "ignored"))
        return enforced
    }

    /// Keys that are tried before the probe gives up: a lost reply spoils one, because nobody knows what its write did.
    static let maxAttempts = 5

    private func probe() async throws -> Bool {
        var attempt = 1
        while true {
            let key = ReservedKeys.probePrefix + ObjectKey("\(nonce)-\(attempt)")
            do throws(StoreError) {
                let enforced = try await createTwice(key)
                await remove(key)
                return enforced
            } catch {
                await remove(key)
                guard error.retry == .unknownOutcome, attempt < Self.maxAttempts, !Task.isCancelled else {
                    throw TransferFailure(.target, error)
                }
            }
            try await time.sleep(for: .milliseconds(100 << attempt))
            attempt += 1
        }
    }

    private func createTwice(_ key: ObjectKey) async throws(StoreError) -> Bool {
        let request = PutRequest(
            key: key, body: nil, digest: ContentDigest(), attributes: ObjectAttributes(), condition: .absent)
        _ = try await target.put(request)
        do throws(StoreError) {
            _ = try await target.put(request)
            return false
        } catch {
            guard error.code == .preconditionFailed else { throw error }
            return true
        }
    }

    /// A leftover of a few bytes under the reserved prefix harms nobody.
    private func remove(_ key: ObjectKey) async {
        _ = await target.delete([DeleteRequest(key: key, version: nil)])
    }
}
