import Cryptography
import ReplicationModel

extension CollectionRun {
    /// Packs on the list at most: every root repeats it.
    private static let maxCondemned = 20_000
    /// Chunks stored anew in one run.
    private static let maxMoved = 1 << 20

    /// Packs to condemn, by their places in `LiveRows.packs`.
    private struct Choice {
        /// Nothing of them is needed.
        var dead: Set<Int> = []
        /// Little of them is needed.
        var low: Set<Int> = []
    }

    /// nil: there is not enough garbage.
    func condemn(_ newest: Newest) async throws(VaultError) -> Step? {
        let live = try await marking.mark(newest.root)
        let usage = live.usage()
        report.packs = .init(count: usage.count, bytes: usage.reduce(0) { $0 + $1.bytes })
        report.neededBytes = usage.reduce(0) { $0 + $1.liveBytes }
        var choice = choose(usage)
        if let session = mover?.session, session.base < newest.root.fence {
            // Another collector has ended the session meanwhile: what is in its packs may be deleted.
            await abandon()
        }
        if !choice.low.isEmpty, !options.isDryRun { try await move(live, &choice, newest.root) }
        let condemned = choice.dead.union(choice.low)
        guard !condemned.isEmpty else { return nil }

        var next = vault.successor(of: newest.root, hash: newest.hash)
        let moved = mover?.moved ?? [:]
        if !moved.isEmpty {
            next.segments += try await SegmentWriter.write(
                rows: moved.map { ($0.key, $0.value) },
                session: SessionName(base: newest.root.sequence, random: SecureRandom.bytes(8)), store: vault.store,
                keys: vault.keys, local: vault.local)
        }
        next.collection.epoch += 1
        next.collection.condemned = condemned.map { live.packs[$0].text }.sorted()
        next.collection.condemnedAt = next.time
        let repacked = choice.low.map { usage[$0] }
        return Step(next: next) { (run) throws(VaultError) in
            run.hasLooked = true
            run.report.condemned += .init(count: condemned.count, bytes: condemned.reduce(0) { $0 + usage[$1].bytes })
            run.report.repacked += .init(count: repacked.count, bytes: repacked.reduce(0) { $0 + $1.bytes })
            run.report.movedChunks += .init(
                count: repacked.reduce(0) { $0 + $1.liveRows }, bytes: repacked.reduce(0) { $0 + $1.liveBytes })
            if let mover = run.mover { try run.vault.local.forgetSession(mover.session) }
            run.mover = nil
        }
    }

    /// Most garbage first, up to what one run does.
    private func choose(_ usage: [LiveRows.Usage]) -> Choice {
        func garbage(_ pack: Int) -> Int64 { usage[pack].bytes - usage[pack].liveBytes }
        let byGarbage = usage.indices.sorted { (garbage($0), $1) > (garbage($1), $0) }
        let dead = byGarbage.filter { usage[$0].liveRows == 0 }
        var choice = Choice(dead: Set(dead.prefix(Self.maxCondemned)))
        report.hasMore = dead.count > Self.maxCondemned
        var chunks = 0
        for pack in byGarbage where usage[pack].liveRows > 0 {
            guard Double(usage[pack].liveBytes) < Double(usage[pack].bytes) * options.repackBelow else { continue }
            guard choice.dead.count + choice.low.count < Self.maxCondemned,
                chunks + usage[pack].liveRows <= Self.maxMoved
            else {
                report.hasMore = true
                break
            }
            chunks += usage[pack].liveRows
            choice.low.insert(pack)
        }
        return choice
    }

    /// Stores the needed chunks of packs that are mostly garbage anew. Packs that cannot be read are taken out of the choice.
    private func move(_ live: LiveRows, _ choice: inout Choice, _ root: VaultRoot) async throws(VaultError) {
        var rows: [Int: [(id: ChunkID, location: ChunkLocation)]] = [:]
        let low = choice.low
        live.forEach { (id, pack, location) throws(Never) in
            if low.contains(pack) { rows[pack, default: []].append((id, location)) }
        }
        let mover = try openMover(base: root.sequence)
        var unreadable: Set<String> = []
        for pack in choice.low.sorted() {
            do throws(VaultError) {
                try await mover.move(rows[pack] ?? [], others: live.index)
            } catch {
                guard error.code == .damaged || error.code == .missing, !mover.hasFailed else { throw error }
                choice.low.remove(pack)
                unreadable.insert(live.packs[pack].text)
            }
        }
        try await mover.flush()
        report.unreadable = unreadable.sorted()
    }

    private func openMover(base: UInt64) throws(VaultError) -> ChunkMover {
        if let mover { return mover }
        let opened = try ChunkMover(vault, packs, base: base)
        mover = opened
        return opened
    }
}
