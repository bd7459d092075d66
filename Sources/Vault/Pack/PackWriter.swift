import Buffers
package import ChunkPipeline
import Cryptography
package import ObjectStores
package import ReplicationModel
import Synchronization

/// Places chunks into packs: each is compressed, sealed, opened again and re-hashed before its pack may leave.
///
/// Many tasks add at once. Two packs are open at a time and each chunk goes into either by chance, so that the order of a known file's
/// chunks cannot be read off. A pack that has no room for a chunk is closed and uploaded in the background; its memory comes back when
/// it is durable, and whoever finds none waits for that (see `PackMemory`).
///
/// The first failure ends it: the uploads under way are cancelled, open multipart uploads aborted, and every later call throws that
/// failure. So does an interrupted `flush`; an interrupted `add` concerns that chunk only. Whoever does not come to `flush` calls
/// `abandon`.
package final class PackWriter: Sendable {
    package enum Kind: Sendable {
        case data, metadata
    }

    /// A pack that is durable.
    package struct FinishedPack: Sendable, Hashable {
        package let name: PackName
        /// Bytes of the whole object.
        package let size: Int64
    }

    private enum Slot {
        case empty
        case opening(Promise<Void>)
        case open(OpenPack)
    }

    private struct State {
        var slots: [Slot] = [.empty, .empty]
        /// Packs that are closed and not durable yet.
        var closed: [ObjectIdentifier: OpenPack] = [:]
        var failure: VaultError?
        var finished: [FinishedPack] = []
        var storedBytes: Int64 = 0
    }

    private let store: any ObjectStore
    private let keys: KeyRing
    private let session: SessionName
    private let isMetadata: Bool
    private let memory: PackMemory
    private let time: any Timekeeper
    private let hasher: ChunkHasher
    private let bench: ChunkBench
    private let capacity: Int
    private let tamper: (@Sendable (UnsafeMutableRawBufferPointer) -> Void)?
    private let state = Mutex(State())

    /// - Parameter store: rooted at the vault.
    /// - Parameter chunker: of the vault's format, as is `compression`; the size of packs is the memory's.
    /// - Parameter tamper: for tests: may change a sealed record before it is opened again.
    package init(
        store: any ObjectStore, keys: KeyRing, chunker: ChunkerProfile, compression: CompressionPolicy,
        session: SessionName, kind: Kind, memory: PackMemory, time: any Timekeeper = SystemTime(),
        tamper: (@Sendable (UnsafeMutableRawBufferPointer) -> Void)? = nil
    ) {
        self.store = store
        self.keys = keys
        self.session = session
        self.memory = memory
        self.time = time
        self.tamper = tamper
        isMetadata = kind == .metadata
        capacity = memory.capacity(isMetadata: isMetadata)
        hasher = ChunkHasher(key: keys.chunkIDKey)
        bench = ChunkBench(compression, largest: chunker.largest)
    }

    /// Bytes of all packs that are durable.
    package var storedBytes: Int64 { state.withLock { $0.storedBytes } }

    /// The packs that became durable since the last call.
    package func takeFinished() -> [FinishedPack] {
        state.withLock { state in
            defer { state.finished = [] }
            return state.finished
        }
    }

    /// Compresses, seals, opens again and re-hashes one chunk. It is durable after the next `flush`.
    ///
    /// - Parameters:
    ///   - chunk: 1 byte to 8 MiB, there until the call returns.
    ///   - lane: which of the two open packs: chunks that will be read together go together.
    /// - Returns: where it lies.
    package func add(
        _ id: ChunkID, _ chunk: UnsafeRawBufferPointer, elementWidth: Int, lane: PackLane = .random()
    ) async throws(VaultError) -> ChunkLocation {
        let chunk = SharedBytes(bytes: chunk)
        // Not on the thread of a transport, which many transfers wait for.
        return try await withTaskExecutorPreference(globalConcurrentExecutor) { () async throws(VaultError) in
            try await seal(id, chunk, elementWidth, lane)
        }
    }

    @concurrent private func seal(
        _ id: ChunkID, _ chunk: SharedBytes, _ elementWidth: Int, _ lane: PackLane
    ) async throws(VaultError) -> ChunkLocation {
        let plain = chunk.bytes
        guard (1...PackLayout.maxChunk).contains(plain.count),
            PackLayout.fits(
                end: ObjectHeader.length + plain.count + RecordCipher.overhead, rows: 1, capacity: capacity)
        else { throw VaultError(.invalid, "a chunk of \(plain.count) bytes does not fit packs of \(capacity)") }
        if let failure = state.withLock({ $0.failure }) { throw failure }

        let place = try await bench.take(stored: ChunkCompressor.bound(plain.count), plain: plain.count)
        defer { bench.giveBack(place) }
        let (codec, count) = place.compressor.compress(plain, elementWidth: elementWidth, into: place.first)
        let (pack, location) = try await reserve(
            id, lane, stored: count, plain: plain.count, codec: codec)
        let record = pack.record(at: location)
        let stored = codec == .raw ? plain : UnsafeRawBufferPointer(rebasing: place.first[..<count])
        pack.cipher.seal(stored, at: UInt64(location.offset), into: record.baseAddress!)
        tamper?(record)
        let isSound = holds(id, UnsafeRawBufferPointer(record), of: pack, at: location, place)
        if !isSound {
            fail(
                VaultError(
                    .damaged, object: pack.name.text,
                    "a chunk could not be read back from memory after it was sealed: this machine's memory or a codec is at fault. "
                        + "Nothing of the pack was uploaded; test the memory before the next run"))
        }
        release(pack)
        guard isSound else { throw state.withLock { $0.failure! } }
        return location
    }

    /// Whether a sealed record gives the chunk with this id.
    private func holds(
        _ id: ChunkID, _ record: UnsafeRawBufferPointer, of pack: OpenPack, at location: ChunkLocation,
        _ place: ChunkBench.Place
    ) -> Bool {
        guard pack.cipher.open(record, at: UInt64(location.offset), into: place.first.baseAddress!) else {
            return false
        }
        let stored = UnsafeRawBufferPointer(rebasing: place.first[..<(record.count - RecordCipher.overhead)])
        if location.codec == .raw { return hasher.id(of: stored) == id }
        let plain = UnsafeMutableRawBufferPointer(rebasing: place.second[..<Int(location.plainLength)])
        do throws(ChunkCodecError) {
            try place.decompressor.decompress(stored, location.codec, into: plain)
        } catch {
            return false
        }
        return hasher.id(of: UnsafeRawBufferPointer(plain)) == id
    }

    // MARK: Open packs

    private enum Step {
        case reserved(OpenPack, ChunkLocation)
        case open(Int, Promise<Void>)
        case wait(Promise<Void>)
        case failed(VaultError)
    }

    private func reserve(
        _ id: ChunkID, _ lane: PackLane, stored: Int, plain: Int, codec: ChunkCodec
    ) async throws(VaultError) -> (OpenPack, ChunkLocation) {
        let slot = lane.slot
        while true {
            switch step(slot, id, stored, plain, codec) {
            case .reserved(let pack, let location): return (pack, location)
            case .failed(let failure): throw failure
            case .open(let slot, let promise): try await open(slot, promise)
            case .wait(let promise):
                do throws(CancellationError) { try await promise.value() } catch { throw Self.interrupted }
            }
        }
    }

    private func step(_ slot: Int, _ id: ChunkID, _ stored: Int, _ plain: Int, _ codec: ChunkCodec) -> Step {
        state.withLock { state in
            if let failure = state.failure { return .failed(failure) }
            switch state.slots[slot] {
            case .opening(let promise): return .wait(promise)
            case .open(let pack):
                if let location = pack.reserve(id, stored: stored, plain: plain, codec: codec) {
                    return .reserved(pack, location)
                }
                close(slot, &state)
            case .empty: break
            }
            let promise = Promise<Void>()
            state.slots[slot] = .opening(promise)
            return .open(slot, promise)
        }
    }

    /// Opens a pack in a slot that this task has claimed.
    private func open(_ slot: Int, _ promise: Promise<Void>) async throws(VaultError) {
        defer { promise.fulfil(()) }
        do {
            let buffer = try await memory.acquire(isMetadata: isMetadata)
            let name = PackName(session: session, id: SecureRandom.bytes(16), isMetadata: isMetadata)
            let pack = OpenPack(name, keys: keys, memory: buffer, capacity: capacity)
            state.withLock { $0.slots[slot] = $0.failure == nil ? .open(pack) : .empty }
        } catch {
            state.withLock { $0.slots[slot] = .empty }
            throw Self.interrupted
        }
    }

    private func release(_ pack: OpenPack) {
        state.withLock { state in
            pack.writers -= 1
            if pack.writers == 0, state.closed[ObjectIdentifier(pack)] != nil { upload(pack) }
        }
    }

    /// Called with the state locked.
    private func close(_ slot: Int, _ state: inout State) {
        guard case .open(let pack) = state.slots[slot] else { return }
        state.slots[slot] = .empty
        state.closed[ObjectIdentifier(pack)] = pack
        if pack.writers == 0 { upload(pack) }
    }

    // MARK: Uploads

    /// Called with the state locked, once for each pack, when nobody writes to it any more.
    private func upload(_ pack: OpenPack) {
        pack.upload = Task { await finish(pack) }
    }

    @concurrent private func finish(_ pack: OpenPack) async {
        do throws(VaultError) {
            // A failure elsewhere may have come before this task was there to be cancelled.
            if let failure = state.withLock({ $0.failure }) { throw failure }
            // Empty is one whose only chunk was given up while the pack was being opened.
            if !pack.rows.isEmpty {
                let size = try await send(pack)
                state.withLock { state in
                    state.finished.append(FinishedPack(name: pack.name, size: size))
                    state.storedBytes += size
                }
            }
        } catch {
            fail(error)
        }
        pack.returnMemory()
        state.withLock { _ = $0.closed.removeValue(forKey: ObjectIdentifier(pack)) }
        pack.ended.fulfil(())
    }

    private func send(_ pack: OpenPack) async throws(VaultError) -> Int64 {
        let body = pack.finish()
        try await PackUpload(store: store, name: pack.name.text, body: body, time: time).run()
        return Int64(body.count)
    }

    /// Ends all open packs and waits until every pack is durable. More chunks may follow, in new packs.
    ///
    /// Throws the first failure, once nothing is under way any more.
    package func flush() async throws(VaultError) {
        let ending = state.withLock { state in
            for slot in state.slots.indices { close(slot, &state) }
            return Array(state.closed.values)
        }
        for pack in ending {
            do throws(CancellationError) { try await pack.ended.value() } catch {
                fail(Self.interrupted)
                break
            }
        }
        guard let failure = state.withLock({ $0.failure }) else { return }
        await settle()
        throw failure
    }

    /// Gives the session up: cancels what is under way, aborts open multipart uploads, and returns when all that has ended. What is
    /// stored stays; nothing refers to it.
    package func abandon() async {
        fail(VaultError(.cancelled, "the session was given up"))
        await settle()
    }

    /// Waits until nothing is under way, after a failure.
    private func settle() async {
        for pack in state.withLock({ Array($0.closed.values) }) { await pack.ended.valueInAnyCase() }
    }

    private func fail(_ failure: VaultError) {
        let uploads = state.withLock { state in
            if state.failure == nil { state.failure = failure }
            for slot in state.slots.indices { close(slot, &state) }
            return state.closed.values.compactMap(\.upload)
        }
        for upload in uploads { upload.cancel() }
    }

    private static let interrupted = VaultError(.cancelled, "interrupted")
}

/// Bytes that belong to a caller who waits.
private struct SharedBytes: @unchecked Sendable {
    let bytes: UnsafeRawBufferPointer
}

/// One of the two packs of a kind that are open at a time. Thrown anew for each run of bytes of an object, so that packs do not tell the
/// sizes of known objects, and a run can be read in one piece.
package struct PackLane: Sendable, Hashable {
    let slot: Int

    package static func random() -> PackLane { PackLane(slot: .random(in: 0...1)) }
}
