package import ObjectStores
import ReplicationModel

extension VaultCheck {
    /// What anybody can tell of a vault without a key: that every object has the bytes that were written, and that no root is missing.
    ///
    /// Finds accidents. Who changes an object on purpose can change its checksum with it; only a check with a key finds that.
    /// - Parameter store: rooted at the vault.
    package static func keyless(
        _ store: any ObjectStore, progress: @escaping @Sendable (VaultCheckProgress) -> Void = { _ in }
    ) async throws(VaultError) -> VaultCheckReport {
        try await KeylessCheck(store, progress).run()
    }
}

/// Reads all objects of a vault, piece by piece, a few at a time.
private final class KeylessCheck {
    private let store: any ObjectStore
    private let progress: @Sendable (VaultCheckProgress) -> Void
    private let verifier: KeylessVerifier
    private var report = VaultCheckReport()
    private var roots: [UInt64] = []
    private var keys = 0

    private static let parallelism = 4
    private static let batch = 1000

    init(_ store: any ObjectStore, _ progress: @escaping @Sendable (VaultCheckProgress) -> Void) {
        self.store = store
        self.progress = progress
        verifier = KeylessVerifier(store: store, parallel: Self.parallelism)
    }

    private enum Kind: Equatable {
        case format
        case key(UInt64)
        case sealed
    }

    func run() async throws(VaultError) -> VaultCheckReport {
        var hasFormat = false
        // The listing goes on where it ended, so that no more of it is in memory than is being looked at.
        var last: ObjectKey?
        while true {
            var batch: [(ListedObject, Kind)] = []
            var seen = 0
            try await store.forEachObject(startAfter: last) { (object) throws(VaultError) in
                last = object.key
                seen += 1
                if let kind = kind(of: object.key) {
                    hasFormat = hasFormat || kind == .format
                    batch.append((object, kind))
                } else {
                    report.foreign += 1
                }
                return seen < Self.batch
            }
            try await look(at: batch)
            if seen < Self.batch { break }
        }
        if !hasFormat { report.add(.init(object: VaultName.format, what: "is missing: nobody can open the vault")) }
        if keys == 0 {
            report.add(.init(object: VaultName.keyPrefix, what: "there are no keys: nobody can open the vault"))
        }
        checkRoots()
        return report
    }

    /// The root log has no gaps: no root is ever deleted.
    private func checkRoots() {
        if roots.isEmpty { report.add(.init(object: VaultName.rootPrefix, what: "there is no root")) }
        report.roots = roots.count
        var expected: UInt64 = 1
        for root in roots {
            if root > expected {
                report.add(
                    .init(
                        object: VaultName.root(expected),
                        what: root - expected == 1
                            ? "is missing, and later roots are there"
                            : "is missing, and so are all up to \(root - 1), and later ones are there"))
            }
            expected = root + 1
        }
    }

    private func kind(of key: ObjectKey) -> Kind? {
        guard let name = key.utf8 else { return nil }
        if name == VaultName.format { return .format }
        if let key = VaultName.sequence(of: name, prefix: VaultName.keyPrefix) {
            keys += 1
            return .key(key)
        }
        if let root = VaultName.sequence(of: name, prefix: VaultName.rootPrefix) {
            roots.append(root)
            return .sealed
        }
        for prefix in [VaultName.packPrefix, VaultName.indexPrefix, VaultName.pagePrefix]
        where VaultName.parts(of: name, prefix: prefix) != nil { return .sealed }
        return nil
    }

    private func look(at objects: [(ListedObject, Kind)]) async throws(VaultError) {
        var rest = objects[...]
        var failure: VaultError?
        await withTaskGroup(of: (ListedObject, VaultError?).self) { group in
            var running = 0
            while true {
                while running < Self.parallelism, failure == nil, let (object, kind) = rest.popFirst() {
                    running += 1
                    group.addTask { [store, verifier] in
                        do throws(VaultError) {
                            try await Self.look(at: object, kind, store, verifier)
                            return (object, nil)
                        } catch {
                            return (object, error)
                        }
                    }
                }
                guard running > 0, let (object, error) = await group.next() else { return }
                running -= 1
                report.verifiedObjects += 1
                report.verifiedBytes += object.size
                if let error {
                    if StructureCheck.isFinding(error) {
                        report.add(object.key.text, error)
                    } else {
                        failure = failure ?? error
                    }
                }
                progress(
                    VaultCheckProgress(
                        phase: .objects, done: report.verifiedObjects, total: nil, bytes: report.verifiedBytes))
            }
        }
        if let failure { throw failure }
    }

    private static func look(
        at object: ListedObject, _ kind: Kind, _ store: any ObjectStore, _ verifier: KeylessVerifier
    ) async throws(VaultError) {
        let name = object.key.text
        switch kind {
        case .format:
            _ = try VaultFormat(
                decoding: await StoredObject.read(name, from: store, limit: VaultFormat.maxLength))
        case .key(let sequence):
            _ = try KeySlotList(
                decoding: await StoredObject.read(name, from: store, limit: KeySlotList.maxLength), sequence: sequence)
        case .sealed: _ = try await verifier.verify(name)
        }
    }
}
