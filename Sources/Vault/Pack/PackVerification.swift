import Buffers
import ChunkPipeline
import ObjectStores
package import ReplicationModel

/// What was found in one pack that was read from its first byte to its last.
package struct PackVerification: Sendable {
    package struct Damage: Sendable {
        /// The chunk whose record it is; nil when it is not about a record.
        package let id: ChunkID?
        package let error: VaultError
    }

    /// Records that were opened and hashed, the damaged ones included.
    package var records = 0
    /// Bytes of the whole pack.
    package var size: Int64 = 0
    /// Plain bytes of the records.
    package var plainBytes: Int64 = 0
    /// In the order in which it lies; empty for a sound pack.
    package var damages: [Damage] = []
}

extension PackReader {
    /// Reads a whole pack: every record is opened and its id computed again, and the hash of the trailer compared.
    ///
    /// What is damaged is reported, not thrown; thrown is what keeps the pack from being read, as `.missing`.
    package func verify(_ pack: PackName) async throws(VaultError) -> PackVerification {
        try await withTaskExecutorPreference(globalConcurrentExecutor) { () async throws(VaultError) in
            try await verifyEverything(pack)
        }
    }

    @concurrent private func verifyEverything(_ pack: PackName) async throws(VaultError) -> PackVerification {
        var found = PackVerification()
        let rows: [(ChunkID, ChunkLocation)]
        let cipher: RecordCipher
        do throws(VaultError) {
            rows = try await footer(of: pack)
            cipher = try await directory.cipher(of: pack)
        } catch {
            guard [.damaged, .newerFormat, .wrongKey].contains(error.code) else { throw error }
            found.damages = [PackVerification.Damage(id: nil, error: error)]
            return found
        }
        let size = try await directory.askedSize(of: pack)
        found.size = Int64(size)
        found.records = rows.count
        found.plainBytes = rows.reduce(0) { $0 + Int64($1.1.plainLength) }
        let longest = rows.reduce(RecordCipher.overhead) { max($0, Int($1.1.storedLength)) }
        let largest = rows.reduce(1) { max($0, Int($1.1.plainLength)) }
        let place = try await bench.take(stored: longest, plain: largest)
        defer { bench.giveBack(place) }

        var stream = SealedStream(
            try await acquire(blockSize + max(longest, ObjectTrailer.length)), blockSize: blockSize, size: size)
        var next = 0
        while try await stream.advance({ (offset, count, buffer) async throws(VaultError) in
            try await directory.read(pack, offset: offset, count: count, into: buffer)
        }) {
            while next < rows.count, let bytes = stream.bytes(of: rows[next].1) {
                let (id, location) = rows[next]
                let plain = UnsafeMutableRawBufferPointer(rebasing: place.second[..<Int(location.plainLength)])
                do throws(VaultError) {
                    try open(id, at: location, Record(first: bytes, second: nil), cipher, place, into: plain)
                } catch {
                    found.damages.append(PackVerification.Damage(id: id, error: error))
                }
                next += 1
            }
            stream.keep(from: next < rows.count ? Int(rows[next].1.offset) : size - ObjectTrailer.length)
        }
        do throws(VaultError) { try stream.check(name: pack.text) } catch {
            found.damages.append(PackVerification.Damage(id: nil, error: error))
        }
        return found
    }

    private func acquire(_ count: Int) async throws(VaultError) -> PooledBuffer {
        do { return try await maintenance.acquire(count) } catch { throw VaultError(.cancelled, "interrupted") }
    }
}
