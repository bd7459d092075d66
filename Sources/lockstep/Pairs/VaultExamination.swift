import Cryptography
import ObjectStores
import Replication
import Vault

/// Whether a vault is there, and opens with what shall open it.
struct VaultExamination {
    private static let subject = "vault"
    private static let keySubject = "vault-key"

    let place: PairRequest.Place
    /// Runs need it: without it they fail.
    let isNeeded: Bool
    let stores: StoreFactory

    func findings() async -> [DoctorFinding] {
        do throws(CommandFailure) {
            let found = try await stores.findIfThere(place.location, place.connection, for: .reading)
            let credential = try await stores.passphrases.namedCredential(place.connection.vault)
            guard let found else { return [await key(credential), missing].compactMap { $0 } }
            guard let credential else {
                return [
                    DoctorFinding(
                        .unknown, Self.keySubject,
                        "the vault at \(found.location) was not opened: nothing names its key, and nobody is asked here"
                    )
                ]
            }
            return [await open(found, credential)]
        } catch {
            let mark: DoctorFinding.Mark = error.status == .temporary ? .unavailable : .denied
            return [DoctorFinding(mark, Self.keySubject, error.description)]
        }
    }

    private var missing: DoctorFinding {
        DoctorFinding(
            isNeeded ? .denied : .warning, Self.subject, "there is no vault yet",
            engine: "it is made with: lockstep vault init \(place.connection.arguments(for: place.location))")
    }

    private func open(_ found: FoundVault, _ credential: VaultCredential) async -> DoctorFinding {
        do throws(VaultError) {
            let handle = try await VaultHandle.open(
                found.store, credential, local: stores.vaultState(place.connection.vault), time: stores.time)
            let root = try await handle.roots.newest().root
            return DoctorFinding(
                .ok, Self.subject,
                "the vault at \(found.location) opens with its \(credential.name), and its newest state, \(root.sequence), can be read"
            )
        } catch {
            return DoctorFinding(Self.mark(error), Self.subject, "the vault at \(found.location): \(error)")
        }
    }

    /// A key service is asked for what it will be asked for when the vault is made and opened.
    private func key(_ credential: VaultCredential?) async -> DoctorFinding? {
        guard case .wrapper(let wrapper) = credential else { return nil }
        do throws(VaultError) {
            let secret = Secret(SecureRandom.bytes(32))
            let wrapped = try await wrapper.wrap(secret)
            guard try await wrapper.unwrap(wrapped, parameters: wrapper.parameters) == secret else {
                return DoctorFinding(
                    .failure, Self.keySubject,
                    "\(wrapper.kind) gives back another secret than the one that it encrypted",
                    engine: "no vault could be opened with it")
            }
            return DoctorFinding(.ok, Self.keySubject, "\(wrapper.kind) encrypts and decrypts with the key")
        } catch {
            return DoctorFinding(Self.mark(error), Self.keySubject, "\(error)")
        }
    }

    private static func mark(_ error: VaultError) -> DoctorFinding.Mark {
        switch error.code {
        case .damaged, .missing, .rolledBack, .conflict: .failure
        default: ExitStatus(error) == .temporary ? .unavailable : .denied
        }
    }
}

extension VaultCredential {
    /// For sentences.
    fileprivate var name: String {
        switch self {
        case .passphrase: "passphrase"
        case .keyFile: "key file"
        case .wrapper(let wrapper): "key of \(wrapper.kind)"
        }
    }
}
