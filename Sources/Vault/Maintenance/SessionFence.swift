/// Which sessions are so old that they may be ended.
struct SessionFence {
    let roots: RootLog

    /// The newest root that is not younger than `time` (seconds since 1970), found by halving: sessions that began from an older one are at
    /// least as old. 0 when there is none.
    ///
    /// Roots carry the clocks of who made them. A wrong one ends sessions too early, which costs their work and nothing else, or too late.
    func sequence(notAfter time: Int64, newest: VaultRoot) async throws(VaultError) -> UInt64 {
        guard newest.time > time else { return newest.sequence }
        var older: UInt64 = 0
        var younger = newest.sequence
        while younger - older > 1 {
            let middle = older + (younger - older) / 2
            if try await isOlder(middle, than: time) { older = middle } else { younger = middle }
        }
        return older
    }

    private func isOlder(_ sequence: UInt64, than time: Int64) async throws(VaultError) -> Bool {
        do throws(VaultError) {
            return try await roots.read(sequence).root.time <= time
        } catch {
            // Somebody has cleared old roots away.
            guard error.code == .missing else { throw error }
            return true
        }
    }
}
