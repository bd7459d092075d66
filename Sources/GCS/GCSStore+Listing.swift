import Digests
import HTTPTransport
package import ObjectStores
import ReplicationModel

extension GCSStore {
    /// Begins the cursors of pages that this store cut itself; Google's have no colon.
    private static let cutMark = "after:"

    /// Asks the server for the range and cuts it here again: some emulators know neither bounds nor pages.
    package func list(_ request: ListRequest) async throws(StoreError) -> ListPage {
        var request = request
        if let cursor = request.cursor, cursor.hasPrefix(Self.cutMark) {
            request.startAfter = Hex.decode(String(cursor.dropFirst(Self.cutMark.utf8.count))).map { ObjectKey($0) }
            request.cursor = nil
        }
        if let start = request.startAfter, let end = request.endBefore, !(start < end) {
            return ListPage(objects: [], next: nil)
        }
        let listing = try await fetch(request)
        var objects: [ListedObject] = []
        var seen: [(key: ObjectKey, resource: GCSResource)] = []
        objects.reserveCapacity(listing.items?.count ?? 0)
        seen.reserveCapacity(listing.items?.count ?? 0)
        // An empty token would begin the listing again.
        var next = listing.nextPageToken.flatMap { $0.isEmpty ? nil : $0 }
        for item in listing.items ?? [] {
            guard let name = item.name else { throw invalid(.list, nil, "the listing has an object without a name") }
            let key = ObjectKey(name)
            if let end = request.endBefore, !(key < end) {
                next = nil
                break
            }
            guard key.hasPrefix(request.prefix) else { continue }
            if request.cursor == nil, let start = request.startAfter, !(start < key) { continue }
            if objects.count >= max(request.limit, 1), let last = objects.last {
                next = Self.cutMark + Hex.encode(last.key.bytes)
                break
            }
            objects.append(item.listed(as: key))
            seen.append((key, item))
        }
        listed.remember(seen)
        return ListPage(objects: objects, next: next)
    }

    private func fetch(_ request: ListRequest) async throws(StoreError) -> GCSListing {
        var url = address.list
        url.append("projection", plain: "noAcl")
        url.append("maxResults", plain: String(max(1, min(request.limit, 1000))))
        url.append("fields", GCSListing.fields)
        // Names are UTF-8: a bound that is not is widened to the text before its first bad byte.
        let prefix = request.prefix.validPrefix
        if !prefix.isEmpty { url.append("prefix", prefix) }
        if let cursor = request.cursor {
            url.append("pageToken", cursor)
        } else if let start = request.startAfter {
            // The bound is inclusive; a NUL gives the next possible name.
            let whole = start.validPrefix
            url.append("startOffset", whole.count == start.bytes.count ? whole + [0] : whole)
        }
        if let end = request.endBefore, end.utf8 != nil, !end.isEmpty { url.append("endOffset", end.bytes) }
        let get = GCSRequest(.list, .get, url, key: nil)
        return try decode(GCSListing.self, try await send(get), get)
    }
}

extension ObjectKey {
    /// The bytes before the first that is not UTF-8.
    fileprivate var validPrefix: [UInt8] {
        if utf8 != nil { return bytes }
        var end = bytes.count - 1
        while end > 0, String(validating: bytes[..<end], as: UTF8.self) == nil { end -= 1 }
        return Array(bytes[..<end])
    }
}
