/// The members of an object resource, as a set that is computed once for a whole page.
struct GCSResourceFields: OptionSet {
    let rawValue: UInt32

    static let kind = Self(rawValue: 1 << 0)
    static let id = Self(rawValue: 1 << 1)
    static let selfLink = Self(rawValue: 1 << 2)
    static let mediaLink = Self(rawValue: 1 << 3)
    static let name = Self(rawValue: 1 << 4)
    static let bucket = Self(rawValue: 1 << 5)
    static let generation = Self(rawValue: 1 << 6)
    static let metageneration = Self(rawValue: 1 << 7)
    static let contentType = Self(rawValue: 1 << 8)
    static let storageClass = Self(rawValue: 1 << 9)
    static let size = Self(rawValue: 1 << 10)
    static let md5Hash = Self(rawValue: 1 << 11)
    static let crc32c = Self(rawValue: 1 << 12)
    static let etag = Self(rawValue: 1 << 13)
    static let timeCreated = Self(rawValue: 1 << 14)
    static let updated = Self(rawValue: 1 << 15)
    static let timeStorageClassUpdated = Self(rawValue: 1 << 16)
    static let contentEncoding = Self(rawValue: 1 << 17)
    static let contentLanguage = Self(rawValue: 1 << 18)
    static let contentDisposition = Self(rawValue: 1 << 19)
    static let cacheControl = Self(rawValue: 1 << 20)
    static let metadata = Self(rawValue: 1 << 21)
    static let componentCount = Self(rawValue: 1 << 22)
    static let customTime = Self(rawValue: 1 << 23)
    static let temporaryHold = Self(rawValue: 1 << 24)
    static let eventBasedHold = Self(rawValue: 1 << 25)
    static let timeDeleted = Self(rawValue: 1 << 26)
    static let kmsKeyName = Self(rawValue: 1 << 27)

    static let all = Self(rawValue: 1 << 28 - 1)

    private static let names: [(String, GCSResourceFields)] = [
        ("kind", .kind), ("id", .id), ("selfLink", .selfLink), ("mediaLink", .mediaLink), ("name", .name),
        ("bucket", .bucket), ("generation", .generation), ("metageneration", .metageneration),
        ("contentType", .contentType), ("storageClass", .storageClass), ("size", .size), ("md5Hash", .md5Hash),
        ("crc32c", .crc32c), ("etag", .etag), ("timeCreated", .timeCreated), ("updated", .updated),
        ("timeStorageClassUpdated", .timeStorageClassUpdated), ("contentEncoding", .contentEncoding),
        ("contentLanguage", .contentLanguage), ("contentDisposition", .contentDisposition),
        ("cacheControl", .cacheControl), ("metadata", .metadata), ("componentCount", .componentCount),
        ("customTime", .customTime), ("temporaryHold", .temporaryHold), ("eventBasedHold", .eventBasedHold),
        ("timeDeleted", .timeDeleted), ("kmsKeyName", .kmsKeyName),
    ]

    init(rawValue: UInt32) {
        self.rawValue = rawValue
    }

    init(_ mask: GCSFieldMask) {
        self = Self.names.reduce(into: []) { set, field in
            if mask.includes(field.0) { set.insert(field.1) }
        }
    }
}
