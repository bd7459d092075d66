import Azure
import Digests
import HTTPTransport
package import ObjectStores
import ReplicationModel

extension AzureBlobStore {
    /// One page of List Blobs.
    ///
    /// The pinned version of the protocol cannot begin a listing behind a key (`startAfter`): pages are read from the
    /// prefix and what lies before the key is left out, a bounded number of pages per call. `endBefore` is left to the
    /// caller: cutting the listing there would hide a listing that is out of order.
    package func list(_ request: ListRequest) async throws(StoreError) -> ListPage {
        guard let prefix = request.prefix.utf8 else { return ListPage(objects: [], next: nil) }
        var cursor = try AzureListCursor(request)
        for _ in 0..<Self.maxSkippedPages {
            let listing = try await page(
                .list, prefix: prefix, marker: cursor.marker, limit: request.limit, include: nil)
            var objects = listing.entries.map(\.object)
            if let after = cursor.after {
                try checkOrder(objects)
                objects.removeAll { $0.key <= after }
            }
            guard let marker = listing.nextMarker else { return ListPage(objects: objects, next: nil) }
            guard marker != cursor.marker else { throw invalid(.list, nil, "the server gave the same marker twice") }
            cursor = AzureListCursor(marker: marker, after: objects.isEmpty ? cursor.after : nil)
            if cursor.after == nil { return ListPage(objects: objects, next: cursor.text) }
        }
        return ListPage(objects: [], next: cursor.text)
    }

    /// Blobs that have nothing but uncommitted blocks of this program's uploads.
    ///
    /// Best effort: the service does not list blocks that wait behind a blob which already exists, and says neither
    /// when an upload began nor how long it will be (`size` is 0, `partSize` that of the largest block).
    package func openUploads(_ request: ListRequest) async throws(StoreError) -> OpenUploadsPage {
        guard let prefix = request.prefix.utf8 else { return OpenUploadsPage(uploads: [], next: nil) }
        let listing = try await page(
            .openUploads, prefix: prefix, marker: request.cursor, limit: request.limit, include: "uncommittedblobs")
        let aborted = knownFacts.abortedUploads
        var uploads: [OpenUpload] = []
        for entry in listing.entries where entry.object.size == 0 && !entry.hasMD5 {
            let blocks =
                try await blockList(entry.object.key, .openUploads, type: "uncommitted")?.list.uncommitted ?? []
            var largest: [UInt64: Int64] = [:]
            for block in blocks {
                guard let id = AzureBlockID(block.id), !aborted.contains(id.nonce) else { continue }
                largest[id.nonce] = max(largest[id.nonce] ?? 0, block.size)
            }
            for (nonce, size) in largest.sorted(by: { $0.key < $1.key }) {
                let session = UploadSession(key: entry.object.key, handle: Self.handle(nonce), size: 0, partSize: size)
                uploads.append(OpenUpload(session: session, initiated: entry.object.modified))
            }
        }
        return OpenUploadsPage(uploads: uploads, next: listing.nextMarker)
    }

    /// Pages of nothing but skipped keys that one call reads: a million keys.
    private static let maxSkippedPages = 200

    private func page(
        _ operation: StoreOperation, prefix: String, marker: String?, limit: Int, include: String?
    ) async throws(StoreError) -> AzureBlobListing {
        var query = ["comp": "list"] as AzureQuery
        if let include { query.append("include", include) }
        if let marker { query.append("marker", marker) }
        query.append("maxresults", String(min(max(limit, 1), Self.maxPageSize)))
        if !prefix.isEmpty { query.append("prefix", prefix) }
        query.append("restype", "container")
        let response = try await send(AzureBlobRequest(operation, .get, key: nil, query: query))
        do {
            return try AzureBlobListing(response.body, showsUncommitted: include != nil)
        } catch {
            throw invalid(operation, nil, "the listing cannot be read: \(error)")
        }
    }

    /// Without order, leaving out what lies before a key would lose objects.
    private func checkOrder(_ objects: [ListedObject]) throws(StoreError) {
        for (a, b) in zip(objects, objects.dropFirst()) where b.key <= a.key {
            throw StoreError(
                .invalidResponse, .list,
                message: "the listing is not in key order: \(b.key) comes after \(a.key), as in accounts with "
                    + "a hierarchical namespace; it cannot be continued from a key")
        }
    }
}

/// Where a listing goes on: the service's marker and, while keys are still skipped, the key after which it was to
/// begin.
struct AzureListCursor {
    var marker: String?
    var after: ObjectKey?

    init(marker: String?, after: ObjectKey?) {
        self.marker = marker
        self.after = after
    }

    init(_ request: ListRequest) throws(StoreError) {
        guard let text = request.cursor else {
            self.init(marker: nil, after: request.startAfter)
            return
        }
        let halves = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        guard halves.count == 2, let key = Hex.decode(String(halves[0])) else {
            throw StoreError(.invalidRequest, .list, message: "the cursor is not one of this store")
        }
        self.init(marker: String(halves[1]), after: key.isEmpty ? nil : ObjectKey(key))
    }

    /// The key in hexadecimal digits, a dot, the marker.
    var text: String { "\(Hex.encode(after?.bytes ?? [])).\(marker ?? "")" }
}
