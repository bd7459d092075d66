import Foundation
import GRDB
package import Manifests

/// The lease as it is stored.
struct StoredLease: Codable {
    /// Never falls, also when the lease is given back.
    var epoch: Int64
    /// nil when nobody works on the pair.
    var holder: LeaseHolder?
    var until: Int64
}

extension SQLiteLedger {
    package func takeLease(_ request: LeaseRequest) async throws(LedgerError) -> LeaseOutcome {
        let outcome: LeaseOutcome = try await access { db in
            let known = try Self.storedLease(db)
            if let known, let holder = known.holder, known.until > request.now, !request.hasEnded(holder) {
                return .held(by: holder, until: known.until)
            }
            let lease = StoredLease(epoch: (known?.epoch ?? 0) + 1, holder: request.holder, until: request.until)
            try Self.store(lease, db)
            return .taken(epoch: lease.epoch)
        }
        if case .taken(let epoch) = outcome { hold(epoch: epoch) }
        return outcome
    }

    package func renewLease(until: Int64) async throws(LedgerError) {
        try await change { db in
            guard var lease = try Self.storedLease(db) else { return }
            lease.until = until
            try Self.store(lease, db)
        }
    }

    package func releaseLease() async throws(LedgerError) {
        try await change { db in
            guard var lease = try Self.storedLease(db) else { return }
            lease.holder = nil
            try Self.store(lease, db)
        }
    }

    static func storedLease(_ db: Database) throws -> StoredLease? {
        let statement = try db.cachedStatement(sql: "SELECT value FROM pair WHERE name = 'lease'")
        guard let text = try String.fetchOne(statement) else { return nil }
        return try JSONDecoder().decode(StoredLease.self, from: Data(text.utf8))
    }

    private static func store(_ lease: StoredLease, _ db: Database) throws {
        let text = String(decoding: try JSONEncoder().encode(lease), as: UTF8.self)
        try db.execute(sql: "INSERT OR REPLACE INTO pair VALUES ('lease', ?)", arguments: [text])
    }
}
