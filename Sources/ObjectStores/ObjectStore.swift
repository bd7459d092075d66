package import Buffers
package import Digests
package import ReplicationModel

/// A place that holds objects: one bucket, container or directory tree.
///
/// The contract that `StoreConformance` checks for every implementation:
/// - one call is one attempt; every failure is a `StoreError` that says whether a retry can help;
/// - reads are pinned: bytes of another version than the one named are never returned;
/// - writes are atomic and conditional: a reader sees the old object or the new one;
/// - every byte that is sent carries the store's own checksum, every byte that arrives is counted and digested;
/// - cancellation ends the call soon; a write that was under way then counts as of unknown outcome.
///
/// There are no default implementations, so a decorator that forgets a call does not compile. Conveniences are extensions.
package protocol ObjectStore: Sendable {
    /// For people: `s3://bucket`, without prefix and without credentials.
    var name: String { get }

    /// What this store can do; the engine asks this and never which cloud it talks to. May become narrower while the store learns
    /// about its server (a clone that lacks a call), never wider.
    var capabilities: StoreCapabilities { get }

    /// Which keys and attributes this store can hold.
    var rules: any ObjectRules { get }

    /// One page of the objects whose keys start with `prefix`, in key order.
    func list(_ request: ListRequest) async throws(StoreError) -> ListPage

    /// The object's current version with its attributes and all checksums the store reports. Throws `.notFound`.
    func head(_ key: ObjectKey) async throws(StoreError) -> ObjectDescription

    /// Every checksum of the whole object that the store can tell of exactly this version, with further requests where `head` does not
    /// have them all; empty when there is none. Never reads the object. `size` is the one that the version was listed with.
    /// Throws `.versionChanged` when another version is there and `.notFound` when none is. Its errors name the operation `head`.
    func checksums(of key: ObjectKey, version: VersionToken, size: Int64) async throws(StoreError) -> ObjectChecksums

    /// Reads a range of one version into `buffer` from its start. Exactly `range.length` bytes arrive, or it throws.
    /// `buffer` belongs to the store until the call returns.
    func read(_ request: ReadRequest, into buffer: PooledBuffer) async throws(StoreError) -> ReadReply

    /// Writes a whole object in one request.
    func put(_ request: PutRequest) async throws(StoreError) -> WriteReceipt

    /// Opens a multipart upload. The session is stored by the caller before its first part.
    func beginUpload(_ request: UploadRequest) async throws(StoreError) -> UploadSession

    /// Sends one part. Parts go in any order and in parallel unless the session says `.sequential`.
    func uploadPart(_ part: PartRequest, of session: UploadSession) async throws(StoreError) -> PartReceipt

    /// Makes one part from a range of an object in the same store, pinned to its version. `digest` is the caller's knowledge of that range.
    func copyPart(_ part: PartCopyRequest, of session: UploadSession) async throws(StoreError) -> PartReceipt

    /// What the store holds of an unfinished upload, in part order: only parts that it has in full. Any process may ask, and continue
    /// with the session and the receipts of the one before: parts that are not listed are sent again, from their first byte, and the
    /// upload is completed with all receipts. Of a sequential session the last part is never listed: whoever completes the upload sends
    /// it. Throws `.missingUpload` for a session that was completed, aborted or has expired. Azure has no sessions, only parts: of one
    /// that has expired, or that another process aborted, it lists those that are left.
    func listParts(of session: UploadSession) async throws(StoreError) -> [UploadedPart]

    /// Makes the object from all its parts, in order, under the condition given; `digest` is that of the whole object.
    func completeUpload(_ request: CompleteRequest, of session: UploadSession) async throws(StoreError) -> WriteReceipt

    /// Discards an unfinished upload, whoever began it: a session that `openUploads` shows is enough. An upload that is already gone is
    /// not an error. On Azure its parts stay, invisible, for the week after the last one was sent, and other processes are not stopped.
    func abortUpload(_ session: UploadSession) async throws(StoreError)

    /// Unfinished uploads whose keys start with `prefix`, oldest first where the store says, whoever began them; one page. The sessions
    /// serve to abort the uploads; most stores do not tell sizes, which are then 0. Not shown, because nobody can list them: resumable
    /// sessions of GCS and, on Azure, parts that wait behind a blob that exists; both expire after a week.
    func openUploads(_ request: ListRequest) async throws(StoreError) -> OpenUploadsPage

    /// Copies one object inside the store, bytes and attributes, pinned to the source's version. Up to `capabilities.maxCopySize`.
    func copy(_ request: CopyRequest) async throws(StoreError) -> WriteReceipt

    /// Deletes objects, one result per request in the same order. An object that is already absent is deleted.
    /// At most `capabilities.deleteBatch` requests.
    func delete(_ requests: [DeleteRequest]) async -> [Result<Void, StoreError>]
}

package struct ListRequest: Sendable {
    package var prefix: ObjectKey
    /// Only keys after this one (exclusive). Ignored when `cursor` is given.
    package var startAfter: ObjectKey?
    /// Only keys before this one (exclusive), where the store can bound its listing; callers stop by themselves too.
    package var endBefore: ObjectKey?
    /// Continues a listing: `ListPage.next` of the page before.
    package var cursor: String?
    /// Entries per page at most; the store may give fewer, and never more than its own limit.
    package var limit: Int

    package init(
        prefix: ObjectKey = ObjectKey([]), startAfter: ObjectKey? = nil, endBefore: ObjectKey? = nil,
        cursor: String? = nil,
        limit: Int = 1000
    ) {
        self.prefix = prefix
        self.startAfter = startAfter
        self.endBefore = endBefore
        self.cursor = cursor
        self.limit = limit
    }
}

/// One object as a listing shows it.
package struct ListedObject: Sendable, Hashable {
    package var key: ObjectKey
    /// Bytes.
    package var size: Int64
    package var version: VersionToken
    /// Server time of the last change, nanoseconds since 1970; 0 when the store does not say.
    package var modified: Int64
    /// The checksums that the listing carries; often none.
    package var checksums: ObjectChecksums
    /// Why it cannot be read now, e.g. `GLACIER`; nil for readable objects.
    package var archiveTier: String?

    package init(
        key: ObjectKey, size: Int64, version: VersionToken, modified: Int64 = 0,
        checksums: ObjectChecksums = ObjectChecksums(), archiveTier: String? = nil
    ) {
        self.key = key
        self.size = size
        self.version = version
        self.modified = modified
        self.checksums = checksums
        self.archiveTier = archiveTier
    }
}

package struct ListPage: Sendable {
    package var objects: [ListedObject]
    /// Opaque; nil at the end. A page may be short or empty and still have a next one.
    package var next: String?
    /// Names the store saw and cannot offer as objects (sockets, symbolic links, undecodable names), with the reason.
    package var unlistable: [(name: String, reason: String)]

    package init(objects: [ListedObject], next: String?, unlistable: [(name: String, reason: String)] = []) {
        self.objects = objects
        self.next = next
        self.unlistable = unlistable
    }
}

/// What `head` tells: the listing's facts plus attributes and every checksum.
package struct ObjectDescription: Sendable {
    package var object: ListedObject
    package var attributes: ObjectAttributes

    package init(object: ListedObject, attributes: ObjectAttributes) {
        self.object = object
        self.attributes = attributes
    }
}

package struct ReadRequest: Sendable {
    package var key: ObjectKey
    /// May be empty (zero-byte objects): then only description and version are checked.
    package var range: ByteRange
    /// The version to read; nil reads the current one and reports which it was.
    package var version: VersionToken?
    /// The whole object's size when the caller knows it: lets the store ask for the whole object without a Range header, which is when
    /// the service reports the checksum of what it sends, and is compared with the size that the reply names.
    package var objectSize: Int64?

    package init(key: ObjectKey, range: ByteRange, version: VersionToken?, objectSize: Int64? = nil) {
        self.key = key
        self.range = range
        self.version = version
        self.objectSize = objectSize
    }

    package var isWholeObject: Bool { range.offset == 0 && range.length == objectSize }
}

package struct ReadReply: Sendable {
    /// The object that the bytes belong to: size, version, and the whole object's checksums as far as the reply carries them.
    package var description: ObjectDescription
    /// Digest of the bytes in the buffer.
    package var digest: ContentDigest

    package init(description: ObjectDescription, digest: ContentDigest) {
        self.description = description
        self.digest = digest
    }
}

/// When a write may happen.
package enum WriteCondition: Hashable, Sendable, Codable {
    /// Only if no object is there.
    case absent
    /// Only if this version is there.
    case matches(VersionToken)
    /// In any case; for callers that have settled the question otherwise.
    case unconditional
}

package struct PutRequest: Sendable {
    package var key: ObjectKey
    package var body: BufferSlice?
    /// Of the body; the empty digest for an object of zero bytes (then `body` is nil).
    package var digest: ContentDigest
    package var attributes: ObjectAttributes
    package var condition: WriteCondition

    package init(
        key: ObjectKey, body: BufferSlice?, digest: ContentDigest, attributes: ObjectAttributes,
        condition: WriteCondition
    ) {
        self.key = key
        self.body = body
        self.digest = digest
        self.attributes = attributes
        self.condition = condition
    }
}

/// What the store says about an object that it has just stored.
package struct WriteReceipt: Sendable, Hashable {
    /// The token that a listing will show for it.
    package var version: VersionToken
    /// Whole-object checksums that the store reported; the engine compares them with its own.
    package var checksums: ObjectChecksums
    /// True when the store verified a checksum of every byte it received, so that `checksums` may be empty and the bytes still proven.
    package var bytesVerified: Bool

    package init(version: VersionToken, checksums: ObjectChecksums, bytesVerified: Bool) {
        self.version = version
        self.checksums = checksums
        self.bytesVerified = bytesVerified
    }
}

package struct UploadRequest: Sendable {
    package var key: ObjectKey
    /// Bytes of the whole object.
    package var size: Int64
    /// Bytes of every part but the last.
    package var partSize: Int64
    package var attributes: ObjectAttributes
    /// The condition under which the upload will be completed; some stores must know it at the start.
    package var condition: WriteCondition

    package init(key: ObjectKey, size: Int64, partSize: Int64, attributes: ObjectAttributes, condition: WriteCondition)
    {
        self.key = key
        self.size = size
        self.partSize = partSize
        self.attributes = attributes
        self.condition = condition
    }
}

/// An unfinished upload, in a form that another process can continue or abort. May hold a session URI: a secret, never printed.
package struct UploadSession: Sendable, Codable, Hashable {
    package enum PartOrder: String, Sendable, Codable {
        case parallel
        /// Parts are sent one after the other, from the first.
        case sequential
    }

    package var key: ObjectKey
    /// The store's handle: upload id, session URI, block nonce.
    package var handle: String
    /// Where the bytes gather until completion, when that is not `key` (GCS: a temporary name).
    package var stagingKey: ObjectKey?
    package var size: Int64
    package var partSize: Int64
    package var partOrder: PartOrder

    package init(
        key: ObjectKey, handle: String, stagingKey: ObjectKey? = nil, size: Int64, partSize: Int64,
        partOrder: PartOrder = .parallel
    ) {
        self.key = key
        self.handle = handle
        self.stagingKey = stagingKey
        self.size = size
        self.partSize = partSize
        self.partOrder = partOrder
    }
}

package struct PartRequest: Sendable {
    /// From 1.
    package var number: Int
    /// First byte of the object in this part.
    package var offset: Int64
    package var body: BufferSlice
    package var digest: ContentDigest

    package init(number: Int, offset: Int64, body: BufferSlice, digest: ContentDigest) {
        self.number = number
        self.offset = offset
        self.body = body
        self.digest = digest
    }
}

package struct PartCopyRequest: Sendable {
    package var number: Int
    package var offset: Int64
    package var source: ObjectKey
    package var sourceVersion: VersionToken
    package var range: ByteRange
    /// What the range's digest must be, from the ledger; nil when the caller does not know.
    package var digest: ContentDigest?

    package init(
        number: Int, offset: Int64, source: ObjectKey, sourceVersion: VersionToken, range: ByteRange,
        digest: ContentDigest? = nil
    ) {
        self.number = number
        self.offset = offset
        self.source = source
        self.sourceVersion = sourceVersion
        self.range = range
        self.digest = digest
    }
}

/// What completing needs to know of one part.
package struct PartReceipt: Sendable, Codable, Hashable {
    package var number: Int
    package var size: Int64
    /// The store's name for the stored part: part ETag, block id.
    package var tag: String
    /// Digest of the part's bytes; nil for a copied part whose digest nobody knows.
    package var digest: ContentDigest?

    package init(number: Int, size: Int64, tag: String, digest: ContentDigest?) {
        self.number = number
        self.size = size
        self.tag = tag
        self.digest = digest
    }
}

/// One part as the store reports it.
package struct UploadedPart: Sendable, Hashable {
    package var number: Int
    package var size: Int64
    package var tag: String
    package var checksums: ObjectChecksums

    package init(number: Int, size: Int64, tag: String, checksums: ObjectChecksums) {
        self.number = number
        self.size = size
        self.tag = tag
        self.checksums = checksums
    }
}

package struct CompleteRequest: Sendable {
    /// All parts in order, numbers from 1 without a gap.
    package var parts: [PartReceipt]
    /// Of the whole object, combined from the parts; nil when a copied part's digest is unknown.
    package var digest: ContentDigest?
    package var attributes: ObjectAttributes
    package var condition: WriteCondition

    package init(parts: [PartReceipt], digest: ContentDigest?, attributes: ObjectAttributes, condition: WriteCondition)
    {
        self.parts = parts
        self.digest = digest
        self.attributes = attributes
        self.condition = condition
    }
}

package struct OpenUpload: Sendable {
    package var session: UploadSession
    /// Nanoseconds since 1970; 0 when the store does not say.
    package var initiated: Int64

    package init(session: UploadSession, initiated: Int64) {
        self.session = session
        self.initiated = initiated
    }
}

package struct OpenUploadsPage: Sendable {
    package var uploads: [OpenUpload]
    package var next: String?

    package init(uploads: [OpenUpload], next: String?) {
        self.uploads = uploads
        self.next = next
    }

    /// The page that the request asks for, out of all uploads: oldest first. The cursor names the last upload shown by its time and
    /// handle, so that the listing goes on behind it also when it has ended meanwhile.
    package init(page request: ListRequest, of all: [OpenUpload]) {
        func place(_ upload: OpenUpload) -> (Int64, String) { (upload.initiated, upload.session.handle) }
        let sorted = all.sorted { place($0) < place($1) }
        var first = 0
        if let fields = request.cursor?.split(separator: "/", maxSplits: 1), fields.count == 2,
            let time = Int64(fields[0])
        {
            first = sorted.firstIndex { (time, String(fields[1])) < place($0) } ?? sorted.count
        }
        let shown = sorted[first...].prefix(max(1, request.limit))
        let next = shown.endIndex < sorted.endIndex ? shown.last.map { "\($0.initiated)/\($0.session.handle)" } : nil
        self.init(uploads: Array(shown), next: next)
    }
}

package struct CopyRequest: Sendable {
    package var source: ObjectKey
    package var sourceVersion: VersionToken
    package var size: Int64
    package var destination: ObjectKey
    package var condition: WriteCondition

    package init(
        source: ObjectKey, sourceVersion: VersionToken, size: Int64, destination: ObjectKey, condition: WriteCondition
    ) {
        self.source = source
        self.sourceVersion = sourceVersion
        self.size = size
        self.destination = destination
        self.condition = condition
    }
}

package struct DeleteRequest: Sendable {
    package var key: ObjectKey
    /// Delete only this version; nil deletes whatever is there.
    package var version: VersionToken?

    package init(key: ObjectKey, version: VersionToken?) {
        self.key = key
        self.version = version
    }
}
