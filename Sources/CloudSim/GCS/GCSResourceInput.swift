import Foundation

/// What a client says about an object in JSON: on insert, patch, update, compose and copy.
struct GCSResourceInput: Decodable {
    /// A member that is left out, null, or given.
    enum Change<Value> {
        case keep
        case clear
        case set(Value)
    }

    var name: String?
    var bucket: String?
    /// Base64; verified against the bytes, never taken over.
    var crc32c: String?
    var md5Hash: String?
    var contentType = Change<String>.keep
    var contentEncoding = Change<String>.keep
    var contentLanguage = Change<String>.keep
    var contentDisposition = Change<String>.keep
    var cacheControl = Change<String>.keep
    var storageClass = Change<String>.keep
    var customTime = Change<String>.keep
    var temporaryHold: Bool?
    var eventBasedHold: Bool?
    /// Counts when an object is made; a change of it is not taken.
    var kmsKeyName: String?
    var metadata = Change<[String: String?]>.keep

    init() {}

    /// Nothing is said when there is no body; Go's client sends `null` for that.
    init(json: [UInt8]) throws {
        guard !json.isEmpty else {
            self.init()
            return
        }
        do {
            self = try JSONDecoder().decode(GCSResourceInput?.self, from: Data(json)) ?? GCSResourceInput()
        } catch {
            throw GCSError.parse
        }
    }

    private enum Member: String, CodingKey {
        case name, bucket, crc32c, md5Hash, contentType, contentEncoding, contentLanguage, contentDisposition
        case cacheControl, storageClass, customTime, temporaryHold, eventBasedHold, kmsKeyName, metadata
    }

    init(from decoder: any Decoder) throws {
        let members = try decoder.container(keyedBy: Member.self)
        func change<Value: Decodable>(_ member: Member) throws -> Change<Value> {
            guard members.contains(member) else { return .keep }
            return try members.decodeNil(forKey: member) ? .clear : .set(members.decode(Value.self, forKey: member))
        }
        name = try members.decodeIfPresent(String.self, forKey: .name)
        bucket = try members.decodeIfPresent(String.self, forKey: .bucket)
        crc32c = try members.decodeIfPresent(String.self, forKey: .crc32c)
        md5Hash = try members.decodeIfPresent(String.self, forKey: .md5Hash)
        contentType = try change(.contentType)
        contentEncoding = try change(.contentEncoding)
        contentLanguage = try change(.contentLanguage)
        contentDisposition = try change(.contentDisposition)
        cacheControl = try change(.cacheControl)
        storageClass = try change(.storageClass)
        customTime = try change(.customTime)
        temporaryHold = try members.decodeIfPresent(Bool.self, forKey: .temporaryHold)
        eventBasedHold = try members.decodeIfPresent(Bool.self, forKey: .eventBasedHold)
        kmsKeyName = try members.decodeIfPresent(String.self, forKey: .kmsKeyName)
        metadata = try change(.metadata)
    }
}

extension GCSResourceInput {
    /// Names and values of custom metadata together.
    static let metadataLimit = 8192

    /// Makes the changes of a patch; a null value removes a metadata key.
    func patch(_ attributes: inout ObjectAttributes) throws {
        Self.apply(contentType, to: &attributes.contentType)
        Self.apply(contentEncoding, to: &attributes.contentEncoding)
        Self.apply(contentLanguage, to: &attributes.contentLanguage)
        Self.apply(contentDisposition, to: &attributes.contentDisposition)
        Self.apply(cacheControl, to: &attributes.cacheControl)
        Self.apply(storageClass, to: &attributes.storageClass)
        Self.apply(customTime, to: &attributes.extras["customTime"])
        if let temporaryHold { attributes.extras["temporaryHold"] = temporaryHold ? "true" : nil }
        if let eventBasedHold { attributes.extras["eventBasedHold"] = eventBasedHold ? "true" : nil }
        switch metadata {
        case .keep: break
        case .clear: attributes.metadata = []
        case .set(let changes):
            attributes.metadata.removeAll { changes.keys.contains($0.name) }
            let added = changes.compactMap { name, value in value.map { MetadataItem(name, $0) } }
            attributes.metadata += added.sorted { $0.name < $1.name }
        }
        try Self.validate(attributes)
    }

    /// Makes this the whole description: what is left out is unset, as in update and in a copy with a body.
    func replace(_ attributes: inout ObjectAttributes) throws {
        attributes.contentType = nil
        attributes.contentEncoding = nil
        attributes.contentLanguage = nil
        attributes.contentDisposition = nil
        attributes.cacheControl = nil
        attributes.metadata = []
        attributes.extras["customTime"] = nil
        attributes.extras["temporaryHold"] = nil
        attributes.extras["eventBasedHold"] = nil
        try patch(&attributes)
    }

    private static func apply(_ change: Change<String>, to field: inout String?) {
        switch change {
        case .keep: break
        case .clear: field = nil
        case .set(let value): field = value.isEmpty ? nil : value
        }
    }

    static func validate(_ attributes: ObjectAttributes) throws {
        let size = attributes.metadata.reduce(0) { $0 + $1.name.utf8.count + $1.value.utf8.count }
        guard size <= metadataLimit else { throw GCSError.metadataTooLarge(size) }
        // They travel as headers in answers.
        for value in [
            attributes.contentType, attributes.contentEncoding, attributes.contentLanguage,
            attributes.contentDisposition, attributes.cacheControl,
        ] where value?.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F }) ?? false {
            throw GCSError.invalid("A header value has control characters.")
        }
        if let storageClass = attributes.storageClass, !storageClasses.contains(storageClass) {
            throw GCSError.invalid("Invalid argument: storage class \(storageClass).", xmlCode: "InvalidStorageClass")
        }
    }

    private static let storageClasses: Set<String> = [
        "STANDARD", "NEARLINE", "COLDLINE", "ARCHIVE", "MULTI_REGIONAL", "REGIONAL", "DURABLE_REDUCED_AVAILABILITY",
    ]
}
