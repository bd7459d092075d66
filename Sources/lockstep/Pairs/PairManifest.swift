import Buffers
import Configuration
import Cryptography
import Foundation
import Manifests
import ObjectStores
import ReplicationModel
import SQLiteManifests

/// The published manifest of one pair, as a run uses it: a lost or outdated ledger is rebuilt from it first, and a changed one is published last.
struct PairManifest {
    /// Its requests are counted apart from those of the target.
    let control: OpenStore
    private let key: SigningKeyFile
    /// Remembers the newest head for `manifest verify` and for a ledger that is lost.
    private let anchor: AnchorFile
    private let source: String
    private let target: String
    private let kept: Int
    private let adopts: Bool
    private let pool: BufferPool
    private let time: any Timekeeper
    private let say: @Sendable (String) -> Void

    /// nil when no manifest is wanted.
    static func open(
        _ request: PairRequest, source: OpenStore, target: OpenStore, pool: BufferPool, context: CommandContext,
        say: @escaping @Sendable (String) -> Void
    ) async throws -> PairManifest? {
        let settings = request.settings.manifest
        guard settings.isEnabled else { return nil }
        let control: OpenStore
        if let place = request.control {
            guard !place.location.isVault else {
                throw CommandFailure(
                    .usage,
                    "the manifest's place \(place.location) is in a vault: a manifest is read without a key; name a location outside of vaults"
                )
            }
            control = try await context.stores.open(place.location, place.connection, for: .writing)
            guard !source.overlaps(control) else {
                throw CommandFailure(
                    .usage,
                    "the manifest's place \(place.location) is in the source \(source.location), and nothing is written there: name another one"
                )
            }
        } else {
            // A vault's snapshots say what a manifest would.
            guard target.vault == nil else { return nil }
            control = try await context.stores.open(target.location, request.target.connection, for: .writing)
        }
        let key = try context.signingKey(settings.signingKey, state: request.state.path)
        let found = FoundManifest(
            folder: ManifestFolder(control: control.store, pool: pool), identity: control.identity)
        let anchor = AnchorFile(path: context.anchorPath(found, in: context.statePath(request.state.path)))
        return PairManifest(
            control: control, key: key, anchor: anchor, source: source.identity, target: target.identity,
            kept: settings.kept, adopts: request.adoptsManifest, pool: pool, time: context.time, say: say)
    }

    private static let placeNote = "manifest.control"

    /// What the ledger remembers of this place; nil when it has published elsewhere, or nowhere.
    private func published(_ ledger: any Ledger) async throws -> PublishedState? {
        if let place = try await ledger.note(Self.placeNote), place != control.identity { return nil }
        return try await PublishedState.load(from: ledger)
    }

    private var folder: ManifestFolder { ManifestFolder(control: control.store, pool: pool) }

    /// Brings a ledger that was lost, or put back from an old copy, to what the newest manifest says. Costs one listing when there is nothing to do.
    ///
    /// What cannot be used is named, and the run compares both sides as it does without a manifest.
    /// - Returns: whether a manifest that this ledger has published is no longer there.
    func recover(_ ledger: any Ledger) async throws -> Bool {
        let known = try await published(ledger)
        let anchor = try known?.anchor ?? anchor.load()
        do {
            let newest = try await folder.heads().last?.sequence ?? 0
            let expected = known?.anchor.sequence ?? 0
            guard newest > expected else { return newest < expected }
            let verified = try await ManifestVerifier(folder, trusted: [], anchor: anchor).verifyHeads()
            guard verified.head.source == source, verified.head.target == target else {
                let pair = "\(verified.head.source) to \(verified.head.target)"
                say("\(folder.name) holds the manifest of another pair, \(pair)")
                return false
            }
            guard verified.head.publicKey == key.key.publicKey else {
                say(
                    "the manifest at \(folder.name) is signed by the key \(verified.head.publicKey.id), which is not here: "
                        + "no row is taken from it; what this ledger does not know is compared")
                return false
            }
            try await restore(ledger, anchor)
        } catch let error as StoreError where error.code == .missingContainer || error.code == .notFound {
            // There is no target yet, or never will be: the run says so where it matters.
        } catch  where error is ManifestError || error is StoreError {
            say("the manifest at \(folder.name) is not used: \(error)")
        }
        return false
    }

    private func restore(_ ledger: any Ledger, _ anchor: PublishedHeadAnchor?) async throws {
        let verified = try await ManifestVerifier(folder, trusted: [key.key.publicKey], anchor: anchor).verify()
        let isEmpty = try await ledger.count() == 0
        let counts = try await ManifestImport(verified, from: folder).restore(ledger)
        guard counts.rows > 0 else { return }
        let reason = isEmpty ? "the ledger was empty" : "the ledger was older than the newest manifest"
        say("\(reason): \(Format.count(counts.rows)) rows were taken from manifest \(verified.head.sequence)")
    }

    /// Publishes the ledger if it has changed since the last publication; nil when it has not.
    /// - Parameter isMissing: what `recover` returned; then the publisher looks, and refuses.
    func publish(_ ledger: any Ledger, isMissing: Bool) async throws -> ManifestPublisher.Publication? {
        let known = try await published(ledger)
        let revision = try await ledger.revision()
        guard isMissing || revision != known?.revision, revision > 0 || known != nil else { return nil }
        let publisher = ManifestPublisher(
            control: control.store, key: key.key, pool: pool, sourceIdentity: source, targetIdentity: target,
            time: time, keep: kept)
        let publication = try await publisher.publish(
            ledger, after: known?.anchor, adopting: adopts)
        try await publication.state.save(in: ledger)
        try await ledger.setNote(Self.placeNote, control.identity)
        // The ledger remembers the same; the file is for who has none.
        do { try anchor.save(publication.state.anchor) } catch let error as ManifestError { say(error.description) }
        for notice in publication.notices { say(notice) }
        return publication
    }
}
