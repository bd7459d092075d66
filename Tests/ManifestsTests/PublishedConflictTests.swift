import Buffers
import Cryptography
import Digests
import Foundation
import Manifests
import ObjectStores
import ReplicationModel
import SQLiteManifests
import Synchronization
import Testing

/// Who may publish after whom, what is pruned, and what a lost reply means.
@Suite struct PublishedConflictTests {
    @Test func `only the pair that published goes on`() async throws {
        let fixture = try await PublishedFixture(rows: 3)
        let first = try await fixture.publish()
        let second = try await fixture.publish()
        let stranger = fixture.publisher(key: try Ed25519PrivateKey.generate())
        let otherPair = fixture.publisher(source: "s3://other/@aws")
        func code(
            _ publisher: ManifestPublisher, _ previous: PublishedHeadAnchor?
        ) async throws -> ManifestError.Code? {
            try await PublishedFixture.code { try await publisher.publish(fixture.ledger, after: previous) }
        }
        #expect(try await code(otherPair, nil) == .foreignHead)
        #expect(
            try await code(
                fixture.publisher(), PublishedHeadAnchor(sequence: 2, digest: first.state.anchor.digest))
                == .foreignHead)
        #expect(
            try await code(
                fixture.publisher(), PublishedHeadAnchor(sequence: 1, digest: second.state.anchor.digest))
                == .foreignHead)
        #expect(
            try await code(
                fixture.publisher(), PublishedHeadAnchor(sequence: 3, digest: second.state.anchor.digest))
                == .rolledBack)

        // It had died before the ledger remembered: its own head is no surprise, nor is it to a ledger that was lost.
        let third = try await fixture.publisher().publish(fixture.ledger, after: first.state.anchor)
        #expect(third.head.sequence == 3)
        #expect(try await fixture.publisher().publish(fixture.ledger, after: nil).head.sequence == 4)
        // A new key, known to the ledger: the chain goes on under it.
        let rotated = try await stranger.publish(
            fixture.ledger, after: PublishedHeadAnchor(sequence: 4, digest: try await digest(fixture, 4)))
        #expect(rotated.head.sequence == 5)
        // Two machines that run the same pair: the chain goes on, and its newest head says who signed it.
        #expect(try await fixture.publisher().publish(fixture.ledger, after: third.state.anchor).head.sequence == 6)
        #expect(try await fixture.verifier().verify().heads == 6)
    }

    @Test func `a control location that was emptied`() async throws {
        let fixture = try await PublishedFixture(rows: 3)
        let first = try await fixture.publish()
        try await fixture.remove(PublishedFixture.headKey(1))
        await #expect {
            try await fixture.publish()
        } throws: {
            ($0 as? ManifestError)?.code == .rolledBack
        }
        let anew = try await fixture.publisher().publish(fixture.ledger, after: first.state.anchor, adopting: true)
        #expect(anew.head.sequence == 1)
    }

    /// The other one publishes while this one is writing its pages.
    @Test func `two publishers at the same time`() async throws {
        let fixture = try await PublishedFixture(rows: 3)
        let rival = try Ed25519PrivateKey.generate()
        let racing = HookedStore(fixture.control) {
            _ = try await fixture.publisher(key: rival, source: "s3://rival/@aws").publish(fixture.ledger, after: nil)
        }
        await #expect {
            try await fixture.publish(fixture.publisher(racing))
        } throws: { error in
            (error as? ManifestError)?.code == .conflict && "\(error)".contains(rival.publicKey.id)
                && "\(error)".contains("s3://rival/@aws")
        }
        #expect(try await fixture.names("heads/").count == 1)
        #expect(try await PublishedState.load(from: fixture.ledger) == nil)
    }

    @Test func `a lost reply is settled by looking`() async throws {
        for commits in [true, false] {
            let fixture = try await PublishedFixture(rows: 3)
            let losing = HookedStore(fixture.control, losesReplies: true, commits: commits) {}
            let done = try await fixture.publish(fixture.publisher(losing))
            #expect(done.head.sequence == 1 && losing.lost == 2)
            #expect(try await fixture.verifier(anchor: done.state.anchor).verify().head == done.head)
        }
    }

    @Test func `errors of the store come through`() async throws {
        let fixture = try await PublishedFixture(rows: 3)
        let broken = HookedStore(fixture.control) {
            throw StoreError(.quotaExceeded, .put, message: "full")
        }
        await #expect {
            try await fixture.publish(fixture.publisher(broken))
        } throws: {
            ($0 as? StoreError)?.code == .quotaExceeded
        }
        #expect(try await fixture.names("heads/").isEmpty)
    }

    @Test func `old heads are pruned, with the pages that only they listed`() async throws {
        let fixture = try await PublishedFixture(rows: 3000)
        let publisher = fixture.publisher(keep: 6)
        var pages: [Set<[UInt8]>] = []
        for number in 1...8 {
            try await fixture.record([PublishedFixture.row(5000 + number)])
            let done = try await fixture.publish(publisher)
            pages.append(Set(done.head.pages.map(\.digest)))
            #expect(done.prunedHeads == 0 && done.notices.isEmpty)
        }
        try await fixture.replace(ObjectKey(PublishedFixture.prefix + "heads/README"), [1])
        try await fixture.replace(
            ObjectKey(PublishedFixture.prefix + "pages/" + String(repeating: "0", count: 64) + ".jsonl.zst"), [1])
        try await fixture.record([PublishedFixture.row(6000)])
        let done = try await fixture.publish(publisher)
        pages.append(Set(done.head.pages.map(\.digest)))
        #expect(done.prunedHeads == 3)
        let remaining = Set(pages.suffix(6).joined())
        #expect(done.prunedPages == Set(pages.joined()).count - remaining.count + 1)
        #expect(try await fixture.names("pages/").count == remaining.count)
        #expect(try await fixture.names("heads/").count == 7)
        let verifier = fixture.verifier(anchor: done.state.anchor)
        for sequence in 4...9 { #expect(try await verifier.verify(sequence: Int64(sequence)).heads == 6) }
    }

    @Test func `what cannot be pruned is said and kept`() async throws {
        let fixture = try await PublishedFixture(rows: 3)
        let publisher = fixture.publisher(keep: 3)
        for _ in 1...4 { try await fixture.publish(publisher) }
        var head = try await fixture.content(PublishedFixture.headKey(3))
        head[5] ^= 1
        try await fixture.replace(PublishedFixture.headKey(3), head)
        let done = try await fixture.publish(publisher)
        #expect(done.head.sequence == 5 && done.prunedHeads == 0)
        #expect(done.notices.count == 1 && done.notices[0].contains("0000000000000003.json"))
        #expect(try await fixture.names("heads/").count == 5)
    }

    @Test func `what the ledger remembers`() async throws {
        let fixture = try await PublishedFixture(rows: 3)
        #expect(try await PublishedState.load(from: fixture.ledger) == nil)
        let done = try await fixture.publish()
        #expect(try await PublishedState.load(from: fixture.ledger) == done.state)
        let revision = try await fixture.ledger.revision()
        #expect(done.state.revision == revision)
        try await fixture.ledger.setNote("manifest.published", "1 zz 3")
        #expect(try await PublishedFixture.code { try await fixture.publish() } == .badState)
    }

    private func digest(_ fixture: PublishedFixture, _ sequence: Int) async throws -> [UInt8] {
        SHA256.hash(try await fixture.content(PublishedFixture.headKey(sequence)))
    }
}

/// A store that does something before the first write of a head, or loses the first reply to each write.
final class HookedStore: ObjectStore {
    private let base: MemoryStore
    private let losesReplies: Bool
    private let commits: Bool
    private let hook: @Sendable () async throws -> Void
    private let state = Mutex((isDone: false, lost: Set<ObjectKey>()))

    init(
        _ base: MemoryStore, losesReplies: Bool = false, commits: Bool = true,
        beforeHead hook: @escaping @Sendable () async throws -> Void
    ) {
        self.base = base
        self.losesReplies = losesReplies
        self.commits = commits
        self.hook = hook
    }

    /// Replies that were lost.
    var lost: Int { state.withLock { $0.lost.count } }

    var name: String { base.name }
    var capabilities: StoreCapabilities { base.capabilities }
    var rules: any ObjectRules { base.rules }

    func put(_ request: PutRequest) async throws(StoreError) -> WriteReceipt {
        let isFirst = state.withLock { state in
            guard request.key.text.contains("heads/"), !state.isDone else { return false }
            state.isDone = true
            return true
        }
        if isFirst {
            do { try await hook() } catch {
                throw error as? StoreError ?? StoreError(.local, .put, message: "\(error)")
            }
        }
        guard losesReplies, state.withLock({ $0.lost.insert(request.key).inserted }) else {
            return try await base.put(request)
        }
        if commits { _ = try await base.put(request) }
        throw StoreError(.network, .put, key: request.key, message: "reset", retry: .unknownOutcome)
    }

    func list(_ request: ListRequest) async throws(StoreError) -> ListPage { try await base.list(request) }
    func head(_ key: ObjectKey) async throws(StoreError) -> ObjectDescription { try await base.head(key) }
    func checksums(
        of key: ObjectKey, version: VersionToken, size: Int64
    ) async throws(StoreError) -> ObjectChecksums { try await base.checksums(of: key, version: version, size: size) }
    func read(_ request: ReadRequest, into buffer: PooledBuffer) async throws(StoreError) -> ReadReply {
        try await base.read(request, into: buffer)
    }
    func beginUpload(_ request: UploadRequest) async throws(StoreError) -> UploadSession {
        try await base.beginUpload(request)
    }
    func uploadPart(_ part: PartRequest, of session: UploadSession) async throws(StoreError) -> PartReceipt {
        try await base.uploadPart(part, of: session)
    }
    func copyPart(_ part: PartCopyRequest, of session: UploadSession) async throws(StoreError) -> PartReceipt {
        try await base.copyPart(part, of: session)
    }
    func listParts(of session: UploadSession) async throws(StoreError) -> [UploadedPart] {
        try await base.listParts(of: session)
    }
    func completeUpload(
        _ request: CompleteRequest, of session: UploadSession
    ) async throws(StoreError) -> WriteReceipt { try await base.completeUpload(request, of: session) }
    func abortUpload(_ session: UploadSession) async throws(StoreError) { try await base.abortUpload(session) }
    func openUploads(_ request: ListRequest) async throws(StoreError) -> OpenUploadsPage {
        try await base.openUploads(request)
    }
    func copy(_ request: CopyRequest) async throws(StoreError) -> WriteReceipt { try await base.copy(request) }
    func delete(_ requests: [DeleteRequest]) async -> [Result<Void, StoreError>] { await base.delete(requests) }
}
