import ObjectStores

/// Looks whether a vault is whole. Changes nothing, and goes on after every finding, so that one run tells all.
package struct VaultCheck: Sendable {
    /// Which packs are read as a whole.
    package enum DataShare: Sendable, Hashable {
        case none
        case all
        /// The `number`-th of `count` shares, from 1. Which one a pack belongs to follows from its name, so that all shares together are
        /// all packs, however many come and go meanwhile.
        case share(number: Int, count: Int)

        func contains(_ pack: PackName) -> Bool {
            switch self {
            case .none: false
            case .all: true
            case .share(let number, let count):
                pack.id.prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) } % UInt64(count) == UInt64(number - 1)
            }
        }
    }

    package struct Options: Sendable {
        package var data: DataShare
        /// Bytes for packs that are read.
        package var memory: Int

        package init(data: DataShare = .none, memory: Int = 128 << 20) {
            self.data = data
            self.memory = memory
        }
    }

    private let vault: VaultHandle

    /// Roots that may come in between before what was found counts all the same.
    private static let maxRounds = 3

    package init(_ vault: VaultHandle) {
        self.vault = vault
    }

    /// Throws only when nothing can be said: the newest root cannot be read, the store does not answer, or the check was interrupted.
    package func run(
        _ options: Options = Options(), progress: @escaping @Sendable (VaultCheckProgress) -> Void = { _ in }
    ) async throws(VaultError) -> VaultCheckReport {
        if case .share(let number, let count) = options.data, count < 1 || !(1...count).contains(number) {
            throw VaultError(.invalid, "there is no share \(number) of \(count)")
        }
        var round = 1
        while true {
            let (root, hash) = try await vault.roots.newest()
            let report = try await StructureCheck(vault, options, progress).run(root, hash)
            if report.isSound || round == Self.maxRounds { return report }
            // Garbage collection removes what an older root needed: only what the newest one lacks is wrong.
            guard try await vault.roots.newest().root.sequence > root.sequence else { return report }
            round += 1
        }
    }
}
