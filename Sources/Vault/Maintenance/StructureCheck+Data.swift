import ObjectStores
import ReplicationModel

extension StructureCheck {
    /// Packs read at the same time.
    private static let parallelism = 4

    /// Reads every byte of the chosen packs.
    func verifyPacks(_ index: ChunkIndex) async throws(VaultError) {
        let chosen = index.packs.filter { options.data.contains($0) && broken[ObjectID($0.id)] == nil }
            .map { (text: $0.text, pack: $0) }.sorted { $0.text < $1.text }.map(\.pack)
        guard !chosen.isEmpty else { return }
        let reader = PackReader(
            store: vault.store, keys: vault.keys, memory: max(PackReader.smallestMemory, options.memory))
        var rest = chosen[...]
        var failure: VaultError?
        await withTaskGroup(of: (PackName, Result<PackVerification, VaultError>).self) { group in
            var running = 0
            while true {
                while running < Self.parallelism, failure == nil, let pack = rest.popFirst() {
                    running += 1
                    group.addTask {
                        do throws(VaultError) {
                            return (pack, .success(try await reader.verify(pack)))
                        } catch {
                            return (pack, .failure(error))
                        }
                    }
                }
                guard running > 0, let (pack, result) = await group.next() else { return }
                running -= 1
                switch result {
                case .success(let found):
                    report.verifiedBytes += found.size
                    report.verifiedObjects += 1
                    note(found, pack)
                case .failure(let error) where Self.isFinding(error):
                    broken[ObjectID(pack.id)] = find(error.object ?? pack.text, error.message)
                case .failure(let error): failure = failure ?? error
                }
                progress(
                    VaultCheckProgress(
                        phase: .packs, done: chosen.count - rest.count - running, total: chosen.count,
                        bytes: report.verifiedBytes))
            }
        }
        if let failure { throw failure }
    }

    private func note(_ found: PackVerification, _ pack: PackName) {
        for damage in found.damages {
            let place = find(damage.error.object ?? pack.text, damage.error.message)
            if let id = damage.id {
                damaged[id, default: [:]][ObjectID(pack.id)] = place
            } else if found.records == 0 {
                broken[ObjectID(pack.id)] = place
            }
        }
    }
}
