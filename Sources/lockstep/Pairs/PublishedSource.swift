import Buffers
import Manifests
import Replication
import ReplicationModel
import SQLiteManifests

/// The newest manifest at a target, verified to its last bit, in the place of a source that cannot be asked.
struct PublishedSource {
    /// Bytes of the buffer that holds a head or a page.
    static let memory = 40 << 20

    let reader: PublishedManifestReader
    /// For people: where the objects came from.
    let name: String
    /// The identity of the target that it was published for.
    let target: String
    let sequence: Int64
    /// Nanoseconds since 1970.
    let createdAt: Int64

    static func open(
        at target: OpenStore, trustKey: String?, state: String?, pool: BufferPool, context: CommandContext
    ) async throws -> PublishedSource {
        let folder = ManifestFolder(control: target.store, pool: pool)
        let keyPath =
            trustKey ?? context.statePath(state) + "/" + SigningKeyFile.publicName
        do {
            guard let key = try SigningKeyFile.loadPublic(keyPath) else {
                throw CommandFailure(
                    .configuration,
                    "there is no public key in \(keyPath), so nobody knows who signed the manifest; name one with --trust-key"
                )
            }
            // A manifest that was put back from an old copy is not the newest one, however well it is signed.
            let found = FoundManifest(folder: folder, identity: target.identity)
            let anchor = try AnchorFile(path: context.anchorPath(found, in: context.statePath(state))).load()
            let verified = try await ManifestVerifier(folder, trusted: [key], anchor: anchor).verify()
            return PublishedSource(
                reader: PublishedManifestReader(verified, in: folder),
                name: "manifest \(verified.head.sequence) of \(verified.head.source)", target: verified.head.target,
                sequence: verified.head.sequence,
                createdAt: verified.head.createdAt * 1_000_000_000)
        } catch let error as ManifestError {
            switch error.code {
            case .noManifest, .wrongSigner, .badState: throw CommandFailure(.configuration, error.description)
            default: throw CommandFailure(.partial, error.description)
            }
        }
    }
}
