import ObjectStores
import ReplicationModel

/// What a run that crashed had stored: its packs name their chunks themselves.
struct EarlierSession {
    let vault: VaultHandle
    let reader: PackReader
    let name: SessionName

    /// Packs of one session that are looked at, at most: 30 TiB of the standard size.
    private static let maxPacks = 1_000_000

    /// Chunks that the index does not have. None of a session that was fenced: its packs may be deleted at any time.
    func rows(above fence: UInt64, known index: ChunkIndex) async throws(VaultError) -> [PackSession.Row] {
        guard name.base >= fence else { return [] }
        var rows: [PackSession.Row] = []
        for id in try await packs() {
            let kinds = [false, true].map { PackName(session: name, id: id, isMetadata: $0) }
            guard !kinds.contains(where: index.contains(pack:)) else { continue }
            rows += try await chunks(of: kinds)
        }
        return rows
    }

    /// Of a pack that is of one of these kinds. One that cannot be read is not needed, then: its chunks are stored again.
    private func chunks(of kinds: [PackName]) async throws(VaultError) -> [PackSession.Row] {
        for pack in kinds {
            do throws(VaultError) {
                return try await reader.footer(of: pack).map { ($0.0, $0.1) }
            } catch {
                guard error.code == .damaged || error.code == .missing else { throw error }
            }
        }
        return []
    }

    /// Ids of the session's packs.
    private func packs() async throws(VaultError) -> [[UInt8]] {
        var packs: [[UInt8]] = []
        var cursor: String?
        repeat {
            let page: ListPage
            do throws(StoreError) {
                page = try await vault.store.list(
                    ListRequest(prefix: ObjectKey("\(VaultName.packPrefix)\(name)/"), cursor: cursor))
            } catch {
                throw VaultError(error)
            }
            for object in page.objects {
                guard let text = object.key.utf8, let parts = VaultName.parts(of: text, prefix: VaultName.packPrefix)
                else { continue }
                packs.append(parts.id)
            }
            guard page.next == nil || page.next != cursor, packs.count <= Self.maxPacks else {
                throw VaultError(.damaged, object: "\(VaultName.packPrefix)\(name)/", "its listing does not end")
            }
            cursor = page.next
        } while cursor != nil
        return packs
    }
}
