import ObjectStores
import ReplicationModel

/// Index segments and snapshot pages in the store: sealed, written once under random names, read whole.
struct SealedObjects: Sendable {
    /// Bytes of a sealed object at most: a full index segment whose every row has a pack of its own, and some more.
    static let maxSize = 32 << 20
    private static let maxAttempts = 3

    let store: any ObjectStore
    let keys: KeyRing

    /// The plain content. `size`: of the sealed object, as its reference names it.
    @concurrent
    func read(_ name: String, as type: SealedType, size: Int) async throws(VaultError) -> [UInt8] {
        let object: [UInt8]
        do throws(VaultError) {
            object = try await StoredObject.read(name, from: store, limit: Self.maxSize, size: Int64(size))
        } catch {
            try await explain(error, name, size)
            throw error
        }
        let result: Result<[UInt8], VaultError> = object.withUnsafeBytes { bytes in
            do throws(VaultError) { return .success(try keys.open(bytes, as: type, name: name)) } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    /// Stores refuse to read an object that is shorter than its reference says, each in its own words: looks whether that is it.
    private func explain(_ error: VaultError, _ name: String, _ size: Int) async throws(VaultError) {
        switch error.store?.code {
        case .invalidRequest, .invalidResponse, .versionChanged: break
        default: return
        }
        let actual: Int64
        do throws(StoreError) { actual = try await store.head(ObjectKey(name)).object.size } catch { return }
        guard actual != Int64(size) else { return }
        throw VaultError(.damaged, object: name, "has \(actual) bytes and was written with \(size)")
    }

    /// Writes a sealed object. A lost reply is settled by reading back: the name is random, so nobody else writes it.
    @concurrent
    func write(_ object: [UInt8], _ name: String) async throws(VaultError) {
        var attempt = 1
        while true {
            let failure: StoreError
            do throws(StoreError) {
                try await StoredObject.put(object, name, to: store)
                return
            } catch {
                failure = error
            }
            guard failure.retry == .unknownOutcome || failure.code == .preconditionFailed else {
                throw VaultError(failure)
            }
            if try await isStored(object, name) { return }
            guard attempt < Self.maxAttempts else { throw VaultError(failure) }
            attempt += 1
        }
    }

    private func isStored(_ object: [UInt8], _ name: String) async throws(VaultError) -> Bool {
        let stored: [UInt8]
        do throws(VaultError) {
            stored = try await StoredObject.read(name, from: store, limit: Self.maxSize)
        } catch {
            if error.code == .missing { return false }
            throw error
        }
        guard stored == object else {
            throw VaultError(.damaged, object: name, "holds other bytes than were just written to it")
        }
        return true
    }
}
