/// A blob's access tier as its attributes say it.
///
/// `storageClass` holds the tier that was set; nil is the account's default, which is reported as inferred.
struct AzureTier {
    let name: String
    let isInferred: Bool
    /// `rehydrate-pending-to-…` between a request to leave the archive and its end.
    let archiveStatus: String?
    let rehydratePriority: String?
    let changed: SimTime?

    static let names: Set<String> = ["Hot", "Cool", "Cold", "Archive", "Smart"]

    private static let archiveStatusKey = "archiveStatus"
    private static let priorityKey = "rehydratePriority"
    private static let changedKey = "tierChanged"

    init(_ attributes: ObjectAttributes) {
        name = attributes.storageClass ?? "Hot"
        isInferred = attributes.storageClass == nil
        archiveStatus = attributes.extras[Self.archiveStatusKey]
        rehydratePriority = attributes.extras[Self.priorityKey]
        changed = attributes.extras[Self.changedKey].flatMap { Int64($0) }.map { SimTime(nanoseconds: $0) }
    }

    /// The tier that `x-ms-access-tier` names, or nil when the header is absent.
    static func requested(_ request: AzureRequest) throws(AzureError) -> String? {
        guard let name = request.header("x-ms-access-tier") else { return nil }
        guard names.contains(name) else { throw .invalidHeader("x-ms-access-tier", name) }
        return name
    }

    /// Sets the tier of a blob that is being written.
    static func set(_ name: String?, _ attributes: inout ObjectAttributes, now: SimTime) {
        guard let name else { return }
        attributes.storageClass = name
        attributes.isArchived = name == "Archive"
        attributes.extras[changedKey] = String(now.nanoseconds)
    }

    /// Changes the tier of a blob that exists. Leaving the archive takes hours: until then the blob stays unreadable.
    /// - Returns: whether the change has only begun.
    static func change(
        to name: String, priority: String?, _ attributes: inout ObjectAttributes, now: SimTime
    ) throws(AzureError) -> Bool {
        guard attributes.extras[archiveStatusKey] == nil else { throw .blobBeingRehydrated }
        guard attributes.isArchived && name != "Archive" else {
            set(name, &attributes, now: now)
            return false
        }
        attributes.extras[archiveStatusKey] = "rehydrate-pending-to-\(name.lowercased())"
        attributes.extras[priorityKey] = priority ?? "Standard"
        return true
    }
}
