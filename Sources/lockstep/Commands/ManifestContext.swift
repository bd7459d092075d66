import ArgumentParser
import Buffers
import Cryptography
import Digests
import Foundation
import Manifests
import ObjectStores
import ReplicationModel
import SQLiteManifests

/// A manifest that was found at a location.
struct FoundManifest {
    let folder: ManifestFolder
    /// Of the location, for what is remembered of it.
    let identity: String
}

extension CommandContext {
    /// Holds the largest head, or a page.
    private static let memory = 40 << 20

    /// Looks for a manifest where runs publish it, and then for a copy of that folder in the location itself.
    func manifest(at place: PairRequest.Place) async throws -> FoundManifest {
        let (location, connection) = (place.location, place.connection)
        guard !location.isVault else {
            throw CommandFailure(
                .usage,
                "a vault has snapshots in place of manifests: see lockstep vault snapshots, vault diff and vault check")
        }
        let pool = BufferPool(limit: Self.memory)
        let opened = try await stores.open(location, connection, for: .reading)
        var places = [
            ManifestFolder(control: opened.store, pool: pool), ManifestFolder(folder: opened.store, pool: pool),
        ]
        // A copied folder keeps its name, which in a directory is not the one that a run writes into.
        let copy = location.bucket + "/.lockstep/manifest"
        if location.service == .file, FileManager.default.fileExists(atPath: copy) {
            let store = try stores.openPlain(ObjectLocation(service: .file, bucket: copy), connection, for: .reading)
                .store
            places.append(ManifestFolder(folder: store, pool: pool))
        }
        for folder in places where try await !folder.heads().isEmpty {
            return FoundManifest(folder: folder, identity: opened.identity)
        }
        return FoundManifest(folder: places[0], identity: opened.identity)
    }

    func statePath(_ option: String?) -> String {
        option ?? StateDirectory.standardPath(environment: environment)
    }

    /// Where the newest head that was seen at a location is remembered.
    func anchorPath(_ found: FoundManifest, in state: String) -> String {
        let hash = Array(found.identity.utf8).withUnsafeBytes { BLAKE3.hash($0) }
        return "\(state)/manifest-\(Hex.encode(Array(hash.prefix(8)))).anchor"
    }
}

extension ManifestFolder {
    /// The head asked for, or the newest.
    func open(_ sequence: Int64?) async throws -> HeadFile {
        let heads = try await heads()
        guard let last = heads.last else {
            throw ManifestError(
                .noManifest, "there is no manifest in \(name); a run publishes one when it has changed something")
        }
        guard let sequence else { return try await head(last) }
        guard let listed = heads.first(where: { $0.sequence == sequence }) else {
            throw ManifestError(
                .noManifest,
                "there is no head \(sequence) in \(name): it holds \(heads[0].sequence) to \(last.sequence)")
        }
        return try await head(listed)
    }
}

extension PublishedHead {
    /// `12 of s3://a/ to gs://b/`.
    var title: String { "manifest \(sequence) of \(ObjectKey(source)) to \(ObjectKey(target))" }

    /// `1,000 objects, 5.0 GiB; evidence 2: 990, 3: 10`.
    var counts: String {
        let levels = totals.evidence.enumerated().filter { $0.element > 0 }
            .map { "\($0.offset): \(Format.count(Int($0.element)))" }.joined(separator: ", ")
        return "\(Format.objects(Int(totals.rows))), \(Format.bytes(totals.bytes))"
            + (levels.isEmpty ? "" : "; evidence \(levels)")
    }
}
