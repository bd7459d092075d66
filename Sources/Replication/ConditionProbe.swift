import Buffers
import Digests
import Manifests
import ObjectStores
import ReplicationModel

/// Finds out whether a store that promises nothing enforces conditional writes: creates a small object of its own twice, and replaces it
/// as who has seen its version and as who has seen an older one.
///
/// The answer is kept in the pair's ledger, so a pair asks once.
struct ConditionProbe {
    static let note = "conditional-writes"
    /// Both conditions hold. Until it said so the note was about creating only.
    private static let enforced = "enforced: create, replace"
    private static let ignored = "ignored"

    let target: any ObjectStore
    let ledger: any Ledger
    /// Makes the probe's keys unguessable.
    let nonce: String
    let time: any Timekeeper

    func conditionsAreEnforced() async throws -> Bool {
        let (enforced, ignored) = ("\(target.name) \(Self.enforced)", "\(target.name) \(Self.ignored)")
        let known = try await ledger.note(Self.note)
        if known == enforced || known == ignored { return known == enforced }
        let isEnforced = try await probe()
        try await ledger.setNote(Self.note, isEnforced ? enforced : ignored)
        return isEnforced
    }

    /// Keys that are tried before the probe gives up: a lost reply spoils one, because nobody knows what its write did.
    static let maxAttempts = 5

    private func probe() async throws -> Bool {
        var attempt = 1
        while true {
            let key = ReservedKeys.probePrefix + ObjectKey("\(nonce)-\(attempt)")
            do throws(StoreError) {
                let isEnforced = try await ask(key)
                await remove(key)
                return isEnforced
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

    private func ask(_ key: ObjectKey) async throws(StoreError) -> Bool {
        let version = try await target.put(request(key, nil, .absent)).version
        guard try await refuses(request(key, nil, .absent)) else { return false }
        do throws(StoreError) {
            _ = try await target.put(request(key, try await content("replaced"), .matches(version)))
        } catch {
            // It replaces nothing under a condition, so nothing is overwritten: each changed object fails and is named.
            guard error.code == .preconditionFailed || error.code == .unsupportedOperation else { throw error }
            return true
        }
        return try await refuses(request(key, try await content("stale"), .matches(version)))
    }

    /// Whether a write that must not happen is refused.
    private func refuses(_ request: PutRequest) async throws(StoreError) -> Bool {
        do throws(StoreError) {
            _ = try await target.put(request)
            return false
        } catch {
            guard error.code == .preconditionFailed else { throw error }
            return true
        }
    }

    private func request(_ key: ObjectKey, _ body: BufferSlice?, _ condition: WriteCondition) -> PutRequest {
        let digest = body.map { $0.withUnsafeBytes { ContentDigest(of: $0) } } ?? ContentDigest()
        return PutRequest(
            key: key, body: body, digest: digest, attributes: ObjectAttributes(), condition: condition)
    }

    /// Other bytes each time: some stores take them for the version.
    private func content(_ text: String) async throws(StoreError) -> BufferSlice {
        do {
            let count = text.utf8.count
            let buffer = try await BufferPool(limit: BufferPool.footprint(count)).acquire(count)
            UnsafeMutableRawBufferPointer(start: buffer.base, count: count).copyBytes(from: text.utf8)
            return buffer.slice(count)
        } catch {
            throw StoreError(.cancelled, .put, message: "interrupted")
        }
    }

    /// A leftover of a few bytes under the reserved prefix harms nobody.
    private func remove(_ key: ObjectKey) async {
        _ = await target.delete([DeleteRequest(key: key, version: nil)])
    }
}
