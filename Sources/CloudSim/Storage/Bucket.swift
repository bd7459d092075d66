/// A bucket or container: its objects in key order, older versions, and uploads in progress.
package final class Bucket {
    package let name: String
    package private(set) var properties: BucketProperties
    /// Current objects only; a name whose newest version is a delete marker is not here.
    package private(set) var objects = SortedNames<StoredObject>()
    /// Noncurrent versions and delete markers, newest first. Filled only when versioning is or was on.
    package private(set) var older: [ObjectName: [StoredObject]] = [:]
    /// Multipart uploads in progress by id.
    package var uploads: [String: PendingUpload] = [:]

    private let disk: DiskBucket?

    init(name: String, properties: BucketProperties, disk: DiskBucket?) throws {
        self.name = name
        self.properties = properties
        self.disk = disk
        try disk?.save(properties)
    }

    /// A bucket read back from disk; `records` are its versions in the order they were written.
    init(name: String, properties: BucketProperties, disk: DiskBucket, records: [StoredObject]) {
        self.name = name
        self.properties = properties
        self.disk = disk
        for record in records { install(record) }
    }

    package func object(_ name: ObjectName) -> StoredObject? {
        objects[name]
    }

    /// Any version by its id, delete markers included.
    package func version(_ name: ObjectName, _ id: String) -> StoredObject? {
        if let current = objects[name], matches(current, id) { return current }
        return older[name]?.first { matches($0, id) }
    }

    private func matches(_ object: StoredObject, _ id: String) -> Bool {
        (object.attributes.versionID ?? "null") == id
    }

    /// Makes `object` the current version of its name. Without versioning the former one is gone.
    package func put(_ object: StoredObject) throws {
        try disk?.save(object)
        for dropped in install(object) { disk?.remove(dropped) }
    }

    /// Replaces the attributes of the current version in place: no new version, whatever the versioning.
    package func update(_ object: StoredObject) throws {
        try disk?.save(object)
        if let former = objects[object.name] { disk?.remove(former) }
        objects[object.name] = object
    }

    @discardableResult
    private func install(_ object: StoredObject) -> [StoredObject] {
        let former = objects[object.name]
        guard properties.versioning != .off || older[object.name] != nil else {
            objects[object.name] = object.attributes.isDeleteMarker ? nil : object
            return (former.map { [$0] } ?? []) + (object.attributes.isDeleteMarker ? [object] : [])
        }
        var history = older[object.name] ?? []
        var dropped: [StoredObject] = []
        if let former { history.insert(former, at: 0) }
        if object.attributes.versionID == nil {
            // A write without a version id replaces the null version (versioning suspended or never on).
            dropped = history.filter { $0.attributes.versionID == nil }
            history.removeAll { $0.attributes.versionID == nil }
        }
        if object.attributes.isDeleteMarker {
            history.insert(object, at: 0)
            objects[object.name] = nil
        } else {
            objects[object.name] = object
        }
        older[object.name] = history.isEmpty ? nil : history
        return dropped
    }

    /// Removes the current object for good and returns it; the version before it does not come back.
    @discardableResult
    package func remove(_ name: ObjectName) -> StoredObject? {
        guard let object = objects[name] else { return nil }
        objects[name] = nil
        disk?.remove(object)
        return object
    }

    /// Removes one version for good; the newest remaining one becomes current unless it is a delete marker.
    @discardableResult
    package func removeVersion(_ name: ObjectName, _ id: String) -> StoredObject? {
        guard let object = version(name, id) else { return nil }
        var history = older[name] ?? []
        if let current = objects[name], current === object {
            objects[name] = nil
        } else {
            history.removeAll { $0 === object }
        }
        if objects[name] == nil, let newest = history.first, !newest.attributes.isDeleteMarker {
            objects[name] = newest
            history.removeFirst()
        }
        older[name] = history.isEmpty ? nil : history
        disk?.remove(object)
        return object
    }

    package func setProperties(_ change: (inout BucketProperties) -> Void) throws {
        change(&properties)
        try disk?.save(properties)
    }

    package var isEmpty: Bool { objects.isEmpty && older.isEmpty }

    /// Removes the bucket's files; the storage calls it when the bucket is deleted.
    func erase() {
        disk?.erase()
    }
}

package enum Versioning: String, Codable, Sendable {
    case off
    case on
    case suspended
}

package struct BucketProperties: Codable, Sendable {
    package var created: SimTime
    package var region: String
    package var versioning = Versioning.off
    /// Values that one cloud alone needs, such as container metadata.
    package var extras: [String: String] = [:]

    package init(created: SimTime, region: String) {
        self.created = created
        self.region = region
    }
}
