import HTTPStores
import HTTPTransport
package import ObjectStores
import ReplicationModel
import XMLStreaming

extension GCSStore {
    /// First the uploads of the XML API, then temporary objects that were completed and never moved. Only those that
    /// a store of this kind made are reported. Resumable sessions are not: nobody lists them, and they expire after a
    /// week.
    package func openUploads(_ request: ListRequest) async throws(StoreError) -> OpenUploadsPage {
        switch GCSOpenUploadsCursor(request.cursor) {
        case .uploads(let key, let id):
            do throws(StoreError) {
                return try await openMultipartUploads(request, afterKey: key, afterID: id)
            } catch {
                guard error.mayMeanUnsupported, error.code != .missingContainer, error.code != .forbidden else {
                    throw error
                }
                return try await leftovers(request, token: nil)
            }
        case .leftovers(let token): return try await leftovers(request, token: token)
        case nil: throw StoreError(.invalidRequest, .openUploads, message: "the cursor is none of this store's")
        }
    }

    private func openMultipartUploads(
        _ request: ListRequest, afterKey: [UInt8], afterID: String
    ) async throws(StoreError) -> OpenUploadsPage {
        var url = address.xmlBucket
        url.append("uploads", plain: "")
        url.append("prefix", GCSStaging.prefix.bytes)
        url.append("max-uploads", plain: String(max(1, min(request.limit, 1000))))
        url.append("encoding-type", plain: "url")
        if !afterKey.isEmpty {
            url.append("key-marker", afterKey)
            url.append("upload-id-marker", afterID)
        }
        let get = GCSRequest(.openUploads, .get, url, key: nil)
        let root = try document(try await send(get), get, named: "ListMultipartUploadsResult")
        let isEncoded = root.child("EncodingType")?.text == "url"
        func name(_ element: XMLElement?) -> ObjectKey? {
            guard let text = element?.text, !text.isEmpty else { return nil }
            return isEncoded ? ObjectKey(PercentEncoding.decode(text.utf8, plusIsSpace: true)) : ObjectKey(text)
        }
        var uploads: [OpenUpload] = []
        for element in root.children("Upload") {
            guard let staging = name(element.child("Key")), let id = element.child("UploadId")?.text, !id.isEmpty else {
                throw invalid(.openUploads, nil, "the list of uploads cannot be used")
            }
            guard let key = GCSStaging.finalKey(of: staging), key.hasPrefix(request.prefix) else { continue }
            let started = element.child("Initiated").flatMap { CivilTime(rfc3339: $0.text)?.nanosecondsSince1970 } ?? 0
            // Size and part size are not told; such a session can be listed and aborted.
            let session = UploadSession(
                key: key, handle: GCSUploadHandle.multipart(id: id).text, stagingKey: staging, size: 0, partSize: 0)
            uploads.append(OpenUpload(session: session, initiated: started))
        }
        guard root.child("IsTruncated")?.text == "true" else {
            return OpenUploadsPage(uploads: uploads, next: GCSOpenUploadsCursor.leftovers(token: nil).text)
        }
        guard let nextKey = name(root.child("NextKeyMarker")), let nextID = root.child("NextUploadIdMarker")?.text,
            (nextKey.bytes, nextID) != (afterKey, afterID)
        else { throw invalid(.openUploads, nil, "the list of uploads says that it goes on and not where") }
        return OpenUploadsPage(
            uploads: uploads, next: GCSOpenUploadsCursor.uploads(afterKey: nextKey.bytes, afterID: nextID).text)
    }

    private func leftovers(_ request: ListRequest, token: String?) async throws(StoreError) -> OpenUploadsPage {
        let page: ListPage
        do throws(StoreError) {
            page = try await list(ListRequest(prefix: GCSStaging.prefix, cursor: token, limit: request.limit))
        } catch {
            var error = error
            error.operation = .openUploads
            throw error
        }
        let uploads = page.objects.compactMap { object -> OpenUpload? in
            guard let key = GCSStaging.finalKey(of: object.key), key.hasPrefix(request.prefix),
                let version = GCSVersion(object.version)
            else { return nil }
            let session = UploadSession(
                key: key, handle: GCSUploadHandle.leftover(generation: version.generation).text, stagingKey: object.key,
                size: object.size, partSize: object.size)
            return OpenUpload(session: session, initiated: object.modified)
        }
        return OpenUploadsPage(uploads: uploads, next: page.next.map { GCSOpenUploadsCursor.leftovers(token: $0).text })
    }
}

/// Where a list of open uploads goes on.
enum GCSOpenUploadsCursor: Hashable {
    case uploads(afterKey: [UInt8], afterID: String)
    case leftovers(token: String?)

    /// From the start when there is no cursor; nil when it is somebody else's.
    init?(_ text: String?) {
        guard let text else {
            self = .uploads(afterKey: [], afterID: "")
            return
        }
        let fields = text.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
        switch fields.first {
        case "uploads" where fields.count == 3:
            self = .uploads(afterKey: PercentEncoding.decode(fields[1].utf8), afterID: String(fields[2]))
        case "leftovers" where fields.count >= 2:
            let token = text.dropFirst("leftovers:".count)
            self = .leftovers(token: token.isEmpty ? nil : String(token))
        default: return nil
        }
    }

    var text: String {
        switch self {
        case .uploads(let key, let id): "uploads:\(PercentEncoding.encode(key)):\(id)"
        case .leftovers(let token): "leftovers:\(token ?? "")"
        }
    }
}
