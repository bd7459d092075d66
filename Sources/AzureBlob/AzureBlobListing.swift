import HTTPStores
import ObjectStores
import ReplicationModel
import XMLStreaming

/// One reply of List Blobs.
struct AzureBlobListing: XMLHandler {
    /// One blob as the listing shows it.
    struct Entry {
        var object: ListedObject
        /// A block blob with bytes has an MD5 only when somebody named one; an empty one that was never committed has
        /// none.
        var hasMD5: Bool
    }

    private(set) var entries: [Entry] = []
    /// Continues the listing; nil at the end.
    private(set) var nextMarker: String?

    private let showsUncommitted: Bool
    private var blob = Fields()
    private var isInProperties = false
    private var lastDate: (text: [UInt8], moment: Int64) = ([], 0)

    private struct Fields {
        var name: [UInt8]?
        var isEncoded = false
        var size: Int64?
        var etag: String?
        var modified: Int64 = 0
        var isArchived = false
        var archiveStatus: String?
        var isDirectory = false
        var hasMD5 = false
    }

    /// - Parameter showsUncommitted: whether blobs are in it that were never committed, and have neither bytes nor an
    ///   entity tag.
    init(_ document: [UInt8], showsUncommitted: Bool = false) throws {
        self.showsUncommitted = showsUncommitted
        entries.reserveCapacity(document.count / 512)
        try XMLReader.parse(document, handler: &self)
    }

    // EnumerationResults / Blobs / Blob / Name, Properties / Etag, …
    mutating func start(_ name: XMLBytes, depth: Int, attributes: XMLAttributes) {
        switch depth {
        case 2: blob = Fields()
        case 3:
            isInProperties = name == "Properties"
            if name == "Name", let encoded = attributes["Encoded"] { blob.isEncoded = encoded == "true" }
        default: break
        }
    }

    mutating func end(_ name: XMLBytes, depth: Int, text: XMLBytes) throws {
        switch depth {
        case 4 where isInProperties: property(name, text)
        case 3: if name == "Name" { blob.name = blob.isEncoded ? PercentEncoding.decode(text.raw) : text.array }
        case 2: if name == "Blob" { try finishBlob() }
        case 1: if name == "NextMarker", !text.isEmpty { nextMarker = text.string }
        default: break
        }
    }

    private mutating func property(_ name: XMLBytes, _ text: XMLBytes) {
        // A blob has twenty properties: by their lengths, hardly any name is compared in vain.
        switch name.raw.count {
        case 4 where name == "Etag": blob.etag = text.string
        case 10 where name == "AccessTier": blob.isArchived = text == "Archive"
        case 11 where name == "Content-MD5": blob.hasMD5 = !text.isEmpty
        // Directories of accounts with a hierarchical namespace.
        case 12 where name == "ResourceType": blob.isDirectory = text == "directory"
        case 13 where name == "Last-Modified": blob.modified = moment(text)
        case 13 where name == "ArchiveStatus": blob.archiveStatus = text.string
        case 14 where name == "Content-Length": blob.size = text.integer
        default: break
        }
    }

    /// Nanoseconds since 1970. Neighbours were often written in the same second.
    private mutating func moment(_ text: XMLBytes) -> Int64 {
        if text.raw.elementsEqual(lastDate.text) { return lastDate.moment }
        lastDate = (text.array, CivilTime(httpDate: text.string)?.nanosecondsSince1970 ?? 0)
        return lastDate.moment
    }

    private mutating func finishBlob() throws {
        if blob.isDirectory { return }
        guard let name = blob.name, !name.isEmpty else {
            throw AzureDocumentError(message: "a blob in the listing has no name")
        }
        let key = ObjectKey(name)
        let uncommitted = showsUncommitted && (blob.etag ?? "").isEmpty
        guard let size = uncommitted ? 0 : blob.size, size >= 0,
            let version = uncommitted ? VersionToken("") : VersionToken(entityTag: blob.etag)
        else {
            throw AzureDocumentError(message: "the listing names no valid size or Etag for \(key)")
        }
        // The MD5 is left out: for blobs made of blocks it is what a client once claimed.
        let object = ListedObject(
            key: key, size: size, version: version, modified: blob.modified,
            archiveTier: blob.isArchived ? Self.archiveTier(status: blob.archiveStatus) : nil)
        entries.append(Entry(object: object, hasMD5: blob.hasMD5))
    }

    /// - Parameter status: what is under way, such as `rehydrate-pending-to-hot`.
    static func archiveTier(status: String?) -> String {
        status.map { $0.isEmpty ? "Archive" : "Archive, \($0)" } ?? "Archive"
    }
}
