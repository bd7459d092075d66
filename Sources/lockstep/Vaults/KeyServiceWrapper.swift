import Cryptography
import HTTPStores
import ObjectStores
import Vault

/// A key service as what opens a vault: retries what can be tried again, and says in the vault's words what went wrong.
struct KeyServiceWrapper: KeyWrapper {
    let service: any KeyService
    let time: any Timekeeper

    private static let policy = RetryPolicy(maxAttempts: 5, maxRefusals: 5)

    var kind: String { service.kind }
    var parameters: [String: String] { service.parameters }

    func wrap(_ secret: Secret) async throws(VaultError) -> [UInt8] {
        let service = service
        return try await trying { () throws(StoreError) in try await service.encrypt(secret) }
    }

    func unwrap(_ wrapped: [UInt8], parameters: [String: String]) async throws(VaultError) -> Secret {
        let service = service
        return try await trying { () throws(StoreError) in try await service.decrypt(wrapped, parameters: parameters) }
    }

    private func trying<R: Sendable>(_ call: () async throws(StoreError) -> R) async throws(VaultError) -> R {
        var attempt = 1
        while true {
            let failure: StoreError
            do throws(StoreError) { return try await call() } catch { failure = error }
            // Another key's secret, which another slot may hold for this one.
            if failure.code == .damaged { throw VaultError(.wrongKey, failure.message) }
            guard attempt < Self.policy.maxAttempts, let wait = Self.wait(failure, attempt) else {
                throw error(failure)
            }
            do { try await time.sleep(for: wait) } catch { throw VaultError(.cancelled, "interrupted") }
            attempt += 1
        }
    }

    private static func wait(_ failure: StoreError, _ attempt: Int) -> Duration? {
        let jittered = policy.delay(afterAttempt: attempt, random: Double.random(in: 0...1))
        return switch failure.retry {
        case .never: nil
        case .after(let asked): min(asked, policy.cap) + jittered
        // Encrypting or decrypting twice does no harm.
        case .transient, .unknownOutcome: jittered
        }
    }

    private func error(_ failure: StoreError) -> VaultError {
        var failure = failure
        failure.message = "the key service \(service.kind): \(failure.message)"
        // Not an object of the vault that is missing.
        if failure.code == .notFound { failure.code = .invalidRequest }
        return VaultError(failure)
    }
}
