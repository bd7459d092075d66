import Digests
import Foundation
import ObjectStores
import ReplicationModel
import SQLiteManifests
import Vault

/// Where a vault was found.
struct FoundVault: Sendable {
    /// Of the vault itself, `vault+…`.
    let location: ObjectLocation
    /// What the path has left behind the vault: empty, or a folder inside.
    let inner: ObjectKey
    /// Rooted at the vault.
    let store: any ObjectStore
    let meter: MeteredStore
    let endpoint: String
    let learned: @Sendable () -> [String]
}

extension StoreFactory {
    /// Folders above the one named that are looked at, itself included.
    private static let maxLevels = 64

    /// Opens the vault that a location leads into: finds it, asks for what opens it, and reads its newest root.
    func openVault(
        _ location: ObjectLocation, _ connection: Connection, for use: Use, rate: ByteRateLimit?, memory: Int
    ) async throws(CommandFailure) -> OpenStore {
        let (found, handle) = try await unlock(location, connection, for: use, rate: rate)
        let store: VaultStore
        do throws(VaultError) {
            switch use {
            case .reading:
                store = try await VaultStore.reading(
                    handle, snapshot: connection.vault.snapshot?.choice ?? .latest, memory: memory)
            case .writing(let source):
                store = try await VaultStore.writing(
                    handle, source: source, host: ProcessInfo.processInfo.hostName, folder: found.inner,
                    memory: memory)
            }
        } catch {
            throw CommandFailure(error, at: found.location)
        }
        let id = Hex.encode(Array(handle.format.repository.prefix(8)))
        var partial: [String] = []
        if case .reading = use, let snapshot = store.snapshot, snapshot.isPartial {
            partial = ["\(found.location): snapshot \(snapshot.id) is what a run had done that did not come to its end"]
        }
        let learned = found.learned
        let notes = partial
        return OpenStore(
            location: location, store: PrefixedStore.rooted(store, at: found.inner), meter: found.meter,
            identity: "\(location)@\(found.endpoint)#\(id)", endpoint: found.endpoint, learned: { learned() + notes },
            vault: OpenVault(location: found.location, inner: found.inner, handle: handle, store: store))
    }

    /// Finds a vault and opens it with its key, without reading any state.
    func unlock(
        _ location: ObjectLocation, _ connection: Connection, for use: Use, rate: ByteRateLimit? = nil
    ) async throws(CommandFailure) -> (found: FoundVault, handle: VaultHandle) {
        if case .writing = use, let snapshot = connection.vault.snapshot {
            throw CommandFailure(
                .usage, "snapshot \(snapshot) of \(location) is as it was: only the newest state is written to")
        }
        let found = try await find(location, connection, for: use, rate: rate)
        let credential = try await passphrases.credential(for: found.location.description, connection.vault)
        do throws(VaultError) {
            let handle = try await VaultHandle.open(
                found.store, credential, local: vaultState(connection.vault), time: time)
            try await connection.vault.atLeast?.check(handle)
            return (found, handle)
        } catch {
            throw CommandFailure(error, at: found.location)
        }
    }

    /// What this machine remembers of vaults.
    func vaultState(_ access: VaultAccess) -> VaultLocalStateSource {
        let path = access.state ?? StateDirectory.standardPath(environment: environment)
        return { repository throws(VaultError) in try FileVaultState(state: path, repository: repository) }
    }

    /// Looks for the vault in the folder that the location names and then in those above it.
    func find(
        _ location: ObjectLocation, _ connection: Connection, for use: Use, rate: ByteRateLimit? = nil
    ) async throws(CommandFailure) -> FoundVault {
        guard let found = try await findIfThere(location, connection, for: use, rate: rate) else {
            throw CommandFailure(
                .configuration,
                "there is no vault at \(location), nor in the folders above; make one with: lockstep vault init "
                    + connection.arguments(for: location)
            )
        }
        return found
    }

    func findIfThere(
        _ location: ObjectLocation, _ connection: Connection, for use: Use, rate: ByteRateLimit? = nil
    ) async throws(CommandFailure) -> FoundVault? {
        location.service == .file
            ? try findDirectory(location, connection, use, rate)
            : try await findPrefix(location, connection, use, rate)
    }

    private func findPrefix(
        _ location: ObjectLocation, _ connection: Connection, _ use: Use, _ rate: ByteRateLimit?
    ) async throws(CommandFailure) -> FoundVault? {
        var bucket = location.underlying
        bucket.prefix = ObjectKey([])
        let opened = try openPlain(bucket, connection, for: use, rate: rate)
        var refusal: StoreError?
        for prefix in location.prefix.foldersUpwards.prefix(Self.maxLevels) {
            do throws(StoreError) {
                _ = try await opened.store.head(prefix + ObjectKey(VaultName.format))
            } catch {
                switch error.code {
                case .notFound: continue
                case .forbidden:
                    // Rights may begin further down, and without the right to list what is absent is forbidden too.
                    refusal = refusal ?? error
                    continue
                default: throw CommandFailure(ExitStatus(error.code), "\(location): \(error)")
                }
            }
            var place = bucket
            place.prefix = prefix
            place.isVault = true
            return FoundVault(
                location: place, inner: ObjectKey(Array(location.prefix.bytes.dropFirst(prefix.bytes.count))),
                store: PrefixedStore.rooted(opened.store, at: prefix), meter: opened.meter, endpoint: opened.endpoint,
                learned: opened.learned)
        }
        if let refusal { throw CommandFailure(ExitStatus(refusal.code), "\(location): \(refusal)") }
        return nil
    }

    private func findDirectory(
        _ location: ObjectLocation, _ connection: Connection, _ use: Use, _ rate: ByteRateLimit?
    ) throws(CommandFailure) -> FoundVault? {
        var path = location.bucket
        var names: [String] = []
        for _ in 0..<Self.maxLevels {
            var isDirectory: ObjCBool = false
            if FileManager.default.fileExists(atPath: path + "/" + VaultName.format, isDirectory: &isDirectory),
                !isDirectory.boolValue
            {
                var place = location
                place.bucket = path
                let opened = try openPlain(place.underlying, connection, for: use, rate: rate)
                return FoundVault(
                    location: place, inner: ObjectKey(names.reversed().map { $0 + "/" }.joined()), store: opened.store,
                    meter: opened.meter, endpoint: opened.endpoint, learned: opened.learned)
            }
            guard let slash = path.lastIndex(of: "/"), path != "/" else { return nil }
            names.append(String(path[path.index(after: slash)...]))
            path = slash == path.startIndex ? "/" : String(path[..<slash])
        }
        return nil
    }
}

extension ObjectKey {
    /// `a/b/`, `a/`, and the empty prefix.
    fileprivate var foldersUpwards: [ObjectKey] {
        let slash = UInt8(ascii: "/")
        let ends = bytes.indices.reversed().filter { bytes[$0] == slash }
        return ends.map { ObjectKey(Array(bytes[...$0])) } + [ObjectKey([])]
    }
}

extension RootMark {
    /// Throws `.rolledBack` unless the vault's newest root is this one or goes on from it.
    func check(_ handle: VaultHandle) async throws(VaultError) {
        let newest = try await handle.roots.newest()
        guard newest.root.sequence >= sequence else {
            throw VaultError(
                .rolledBack,
                "the newest root is \(newest.root.sequence), and \(sequence) has been seen: somebody has put back an older state"
            )
        }
        let hash = newest.root.sequence == sequence ? newest.hash : try await handle.roots.read(sequence).hash
        guard hash == self.hash else {
            throw VaultError(
                .rolledBack,
                "root \(sequence) is not the one that was seen: somebody has put another history in its place")
        }
    }
}
