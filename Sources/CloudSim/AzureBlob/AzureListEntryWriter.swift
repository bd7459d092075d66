import Digests

/// Writes the `Blob` elements of a listing.
struct AzureListEntryWriter {
    private let metadata: Bool
    private let tags: Bool
    private let copy: Bool
    private let faults: AzureListFaults
    /// Whether a blob has a lease.
    private let isLeased: (ObjectName) -> Bool
    /// Neighbours in a listing were often written in the same second.
    private var cachedSecond = Int64.min
    private var cachedDate = ""

    init(
        metadata: Bool, tags: Bool, copy: Bool, faults: AzureListFaults, isLeased: @escaping (ObjectName) -> Bool
    ) {
        self.metadata = metadata
        self.tags = tags
        self.copy = copy
        self.faults = faults
        self.isLeased = isLeased
    }

    private mutating func date(_ time: SimTime) -> String {
        if time.seconds != cachedSecond {
            cachedSecond = time.seconds
            cachedDate = time.httpDate
        }
        return cachedDate
    }

    mutating func append(_ blob: StoredObject, snapshot: String?, to xml: inout AzureXML) {
        let attributes = blob.attributes
        xml.open("Blob")
        xml.nameElement(blob.name)
        if let snapshot { xml.element("Snapshot", snapshot) }
        xml.open("Properties")
        xml.element("Creation-Time", date(attributes.created))
        xml.element("Last-Modified", date(attributes.modified))
        if !faults.hidesETags {
            xml.element("Etag", faults.etag ?? String(attributes.etag.dropFirst().dropLast()))
        }
        xml.element("Content-Length", blob.size)
        xml.element("Content-Type", attributes.contentType ?? AzureBlobFrontEnd.defaultContentType)
        xml.element("Content-Encoding", attributes.contentEncoding ?? "")
        xml.element("Content-Language", attributes.contentLanguage ?? "")
        xml.append(markup: "<Content-CRC64 />")
        xml.element("Content-MD5", attributes.digests.md5.map { Base64.encode(faults.md5 ?? $0) } ?? "")
        xml.element("Cache-Control", attributes.cacheControl ?? "")
        xml.element("Content-Disposition", attributes.contentDisposition ?? "")
        xml.append(markup: "<BlobType>BlockBlob</BlobType>")
        let tier = AzureTier(attributes)
        xml.element("AccessTier", tier.name)
        if tier.isInferred { xml.append(markup: "<AccessTierInferred>true</AccessTierInferred>") }
        if let pending = tier.archiveStatus { xml.element("ArchiveStatus", pending) }
        if let time = tier.changed { xml.element("AccessTierChangeTime", date(time)) }
        xml.append(
            markup: isLeased(blob.name)
                ? "<LeaseStatus>locked</LeaseStatus><LeaseState>leased</LeaseState>"
                : "<LeaseStatus>unlocked</LeaseStatus><LeaseState>available</LeaseState>")
        if copy { appendCopy(attributes, to: &xml) }
        xml.append(markup: "<ServerEncrypted>true</ServerEncrypted>")
        if let scope = AzureEncryptionScope(attributes) { xml.element("EncryptionScope", scope.name) }
        if let count = AzureTags(attributes)?.count { xml.element("TagCount", count) }
        xml.close("Properties")
        if metadata { append(metadata: attributes.metadata, to: &xml) }
        if tags, let tags = AzureTags(attributes) { tags.append(to: &xml) }
        xml.append(markup: "<OrMetadata />")
        xml.close("Blob")
    }

    private func append(metadata: [MetadataItem], to xml: inout AzureXML) {
        guard !metadata.isEmpty else {
            xml.append(markup: "<Metadata />")
            return
        }
        xml.open("Metadata")
        for item in metadata { xml.element(item.name, item.value) }
        xml.close("Metadata")
    }

    private func appendCopy(_ attributes: ObjectAttributes, to xml: inout AzureXML) {
        guard let copy = AzureCopyRecord(attributes) else { return }
        xml.element("CopyId", copy.id)
        xml.element("CopySource", copy.source)
        xml.element("CopyStatus", "success")
        xml.element("CopyProgress", copy.progress)
        xml.element("CopyCompletionTime", copy.completed.httpDate)
    }

    /// A blob that has uncommitted blocks only: its size is 0 and it has no ETag.
    func appendUncommitted(_ name: ObjectName, to xml: inout AzureXML) {
        xml.open("Blob")
        xml.nameElement(name)
        xml.append(
            markup:
                "<Properties><Content-Length>0</Content-Length><Content-Type>application/octet-stream</Content-Type>"
                + "<BlobType>BlockBlob</BlobType><LeaseStatus>unlocked</LeaseStatus><LeaseState>available</LeaseState>"
                + "<ServerEncrypted>true</ServerEncrypted></Properties>")
        xml.close("Blob")
    }
}

/// Faults that change what a listing says of its blobs.
struct AzureListFaults {
    let hidesETags: Bool
    let etag: String?
    let md5: [UInt8]?

    /// - Parameter isEmpty: whether there is no blob on which a fault could show.
    init(_ exchange: Exchange, isEmpty: Bool) {
        func happens(_ action: FaultAction) -> Bool {
            guard !isEmpty, exchange.fault(action) != nil else { return false }
            exchange.didFire(action)
            return true
        }
        hidesETags = happens(.missingETag)
        etag = happens(.wrongETag) ? "0x8000000000000BAD" : nil
        md5 = happens(.wrongChecksum) ? [UInt8](repeating: 0xBA, count: 16) : nil
    }
}
