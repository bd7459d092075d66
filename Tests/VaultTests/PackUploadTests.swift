import Buffers
import ObjectStores
import ReplicationModel
import Synchronization
import Testing
import Vault

@Suite struct PackUploadTests {
    /// Takes 16 KiB in one piece and parts of as much.
    private static func storeOfParts() -> MemoryStore {
        MemoryStore(
            capabilities: StoreCapabilities(
                partSize: 1...(16 << 10), partSizeMultiple: 4096, maxParts: 100, maxObjectSize: 1 << 30,
                maxPutSize: 16 << 10, maxCopySize: 0, copiesParts: false, conditionalWrites: .enforced,
                listPageLimit: 1000, deleteBatch: 1000, versionCoversAttributes: true, reportsChecksums: true))
    }

    /// Writes packs through a store with faults, and reads all chunks back through the store behind it.
    private func writes(_ base: MemoryStore, _ rule: @escaping @Sendable (StoreOperation, Int) -> Fault?) async throws {
        let faulty = FaultStore(base) { operation, _, number in rule(operation, number) }
        let fixture = PackFixture(store: base)
        let writer = fixture.writer(to: faulty)
        let chunks = PackFixture.chunks(20, upTo: 40_000, seed: 5)
        let locations = try await fixture.add(chunks, to: writer)
        try await writer.flush()
        let reader = fixture.reader()
        for (chunk, location) in zip(chunks, locations) {
            let found = await fixture.read(chunk, at: [location], by: reader)
            #expect(found.failure == nil && found.bytes == chunk)
        }
        #expect(try await base.openUploads(ListRequest()).uploads.isEmpty)
    }

    @Test func sendsLargePacksInParts() async throws {
        let parts = Mutex(0)
        try await writes(Self.storeOfParts()) { operation, _ in
            // Chunks are placed at random: the last pack may be small enough for one request.
            if operation == .uploadPart { parts.withLock { $0 += 1 } }
            return nil
        }
        #expect(parts.withLock { $0 } > 10)
    }

    @Test(arguments: [StoreOperation.put, .uploadPart, .completeUpload, .beginUpload], [true, false])
    func settlesLostReplies(of operation: StoreOperation, done: Bool) async throws {
        let fired = Mutex(false)
        let store = operation == .put ? MemoryStore() : Self.storeOfParts()
        try await writes(store) { called, number in
            guard called == operation, number == 0 else { return nil }
            fired.withLock { $0 = true }
            return done ? .lostReply : .lostRequest
        }
        #expect(fired.withLock { $0 })
    }

    @Test(arguments: [StoreOperation.put, .completeUpload])
    func readsBackWhatNobodyVouchesFor(_ operation: StoreOperation) async throws {
        let reads = Mutex(0)
        try await writes(operation == .put ? MemoryStore() : Self.storeOfParts()) { called, _ in
            if called == .read { reads.withLock { $0 += 1 } }
            return called == operation ? .mute : nil
        }
        #expect(reads.withLock { $0 } > 0)
    }

    @Test func readsBackAfterALostReplyWithoutChecksums() async throws {
        let reads = Mutex(0)
        try await writes(MemoryStore()) { called, number in
            if called == .read { reads.withLock { $0 += 1 } }
            return called == .put && number == 0 ? .lostReply : called == .head ? .mute : nil
        }
        #expect(reads.withLock { $0 } > 0)
    }

    @Test func findsThatOtherBytesWereStored() async throws {
        for operation in [StoreOperation.put, .uploadPart] {
            let failure = await #expect(throws: VaultError.self) {
                try await writes(operation == .put ? MemoryStore() : Self.storeOfParts()) { called, number in
                    called == operation && number == 0 ? .flippedBit : nil
                }
            }
            #expect(failure?.code == .damaged || failure?.store?.code == .checksumMismatch)
        }
    }

    @Test func takesNobodyElsesObjectForItsOwn() async throws {
        let base = MemoryStore()
        let squatter = FaultStore(base) { operation, key, _ in
            guard operation == .put, let key else { return nil }
            return .before { try? await PackFixture.put([1, 2, 3], key.text, to: base) }
        }
        let fixture = PackFixture(store: squatter)
        let writer = fixture.writer()
        _ = try await fixture.add([1], to: writer)
        let failure = await #expect(throws: VaultError.self) { try await writer.flush() }
        #expect(failure?.code == .damaged)
    }

    @Test func remembersTheFirstFailure() async throws {
        let base = Self.storeOfParts()
        let faulty = FaultStore(base) { operation, _, number in
            operation == .uploadPart && number == 3 ? .error(.forbidden) : nil
        }
        let fixture = PackFixture(store: faulty)
        let memory = PackMemory(packSize: fixture.packSize)
        let writer = fixture.writer(memory: memory)
        _ = try? await fixture.add(PackFixture.chunks(30, upTo: 40_000, seed: 6), to: writer)
        for _ in 0..<2 {
            let failure = await #expect(throws: VaultError.self) { try await writer.flush() }
            #expect(failure?.store?.code == .forbidden)
            #expect(failure?.object?.hasPrefix("pack/") == true)
        }
        let failure = await #expect(throws: VaultError.self) { try await fixture.add([1], to: writer) }
        #expect(failure?.store?.code == .forbidden)
        #expect(memory.inUse == 0)
        #expect(try await base.openUploads(ListRequest()).uploads.isEmpty)
    }

    @Test func endsSoonWhenInterrupted() async throws {
        let base = Self.storeOfParts()
        let gate = TestGate()
        let stuck = FaultStore(base) { operation, _, _ in
            operation == .uploadPart ? .before { await gate.wait() } : nil
        }
        let fixture = PackFixture(store: stuck)
        let memory = PackMemory(packSize: fixture.packSize)
        let writer = fixture.writer(memory: memory)
        _ = try await fixture.add(PackFixture.chunks(20, upTo: 40_000, seed: 7), to: writer)
        let flush = Task { () -> VaultError? in
            do throws(VaultError) { try await writer.flush() } catch { return error }
            return nil
        }
        while stuck.count(.uploadPart) == 0 { await Task.yield() }
        flush.cancel()
        #expect(await flush.value?.code == .cancelled)
        #expect(memory.inUse == 0)
        #expect(try await base.openUploads(ListRequest()).uploads.isEmpty)
    }

    @Test func isAbandonedWithoutTraces() async throws {
        let base = Self.storeOfParts()
        let gate = TestGate()
        let stuck = FaultStore(base) { operation, _, _ in
            operation == .uploadPart ? .before { await gate.wait() } : nil
        }
        let fixture = PackFixture(packSize: 64 << 10, store: stuck)
        let memory = PackMemory(packSize: fixture.packSize, limit: PackMemory.smallest(packSize: fixture.packSize))
        let writer = fixture.writer(memory: memory)
        // More than fits: adds wait for memory that only `abandon` frees.
        let adding = Task { try await fixture.add(PackFixture.chunks(200, upTo: 20_000, seed: 8), to: writer) }
        while stuck.count(.uploadPart) == 0 { await Task.yield() }
        await writer.abandon()
        let failure = await #expect(throws: VaultError.self) { _ = try await adding.value }
        #expect(failure?.code == .cancelled)
        #expect(memory.inUse == 0)
        #expect(try await base.openUploads(ListRequest()).uploads.isEmpty)
    }
}
