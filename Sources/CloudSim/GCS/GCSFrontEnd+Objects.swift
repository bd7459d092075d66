import NIOHTTP1

extension GCSFrontEnd {
    // MARK: Looking up

    func bucket(_ name: String?) throws -> Bucket {
        guard let bucket = name.flatMap(storage.bucket) else { throw GCSError.noBucket }
        return bucket
    }

    /// The live version, or the one with the generation given.
    func object(_ name: ObjectName, in bucket: Bucket, generation: Int64? = nil) throws -> StoredObject {
        let live = bucket.object(name)
        guard let generation else {
            guard let live else { throw GCSError.noObject(bucket.name, name) }
            return live
        }
        if let live, live.attributes.generation == generation { return live }
        let older = bucket.older[name]?.first {
            $0.attributes.generation == generation && !$0.attributes.isDeleteMarker
        }
        guard let older else { throw GCSError.noObject(bucket.name, name) }
        return older
    }

    /// The bucket and object that a call names.
    func named(_ call: GCSCall) throws -> (bucket: Bucket, object: StoredObject) {
        let bucket = try bucket(call.route.bucket)
        guard let name = call.route.key else { throw GCSError.requiredName }
        return (bucket, try object(name, in: bucket, generation: try call.parameters.int64("generation")))
    }

    /// Refuses names that the service does not take.
    static func validate(_ name: ObjectName) throws {
        let bytes = name.bytes
        guard (1...GCSLimits.nameBytes).contains(bytes.count), String(validating: bytes, as: UTF8.self) != nil,
            !bytes.contains(where: { $0 == 13 || $0 == 10 }), !bytes.elementsEqual(".".utf8),
            !bytes.elementsEqual("..".utf8), !bytes.starts(with: ".well-known/acme-challenge/".utf8)
        else { throw GCSError.invalidName }
    }

    // MARK: Storing

    /// Attributes of an object that is made now.
    func newAttributes() -> ObjectAttributes {
        ObjectAttributes(etag: "", modified: services.clock.now, generation: storage.nextGeneration())
    }

    /// Makes the object the live version of its name, if the conditions hold at this moment.
    @discardableResult
    func store(
        _ name: ObjectName, _ body: Body, _ attributes: ObjectAttributes, in bucket: Bucket,
        _ conditions: GCSPreconditions
    ) throws -> StoredObject {
        try Self.validate(name)
        let live = bucket.object(name)
        try conditions.requireForWrite(on: live)
        if let live { try requireNoHold(live, in: bucket) }
        var attributes = attributes
        // Noncurrent versions are found by their generation.
        if bucket.properties.versioning == .on { attributes.versionID = String(attributes.generation) }
        let object = StoredObject(name: name, body: body, attributes: attributes)
        try bucket.put(object)
        return object
    }

    /// Refuses to replace or delete what a hold protects.
    func requireNoHold(_ object: StoredObject, in bucket: Bucket) throws {
        let extras = object.attributes.extras
        guard extras["temporaryHold"] == nil, extras["eventBasedHold"] == nil else {
            throw GCSError.forbidden(
                "Object '\(bucket.name)/\(object.name.text)' is under active hold and cannot be deleted, overwritten or "
                    + "archived until hold is removed.")
        }
    }

    // MARK: Calls of the JSON API on one object

    func getMetadata(_ call: GCSCall) throws -> Response {
        let (bucket, object) = try named(call)
        try call.parameters.preconditions().requireForRead(on: object)
        return try call.reply(object, in: bucket)
    }

    /// Patch and update: the same generation with other attributes.
    func edit(_ call: GCSCall, body: [UInt8], replacing: Bool) throws -> Response {
        let (bucket, object) = try named(call)
        try call.parameters.preconditions().requireForWrite(on: object)
        let input = try GCSResourceInput(json: body)
        var attributes = object.attributes
        if replacing { try input.replace(&attributes) } else { try input.patch(&attributes) }
        attributes.metageneration += 1
        attributes.modified = services.clock.now
        let edited = StoredObject(name: object.name, body: object.body, attributes: attributes)
        guard bucket.object(object.name) === object else {
            throw GCSError.notImplemented("Noncurrent versions cannot be changed here.")
        }
        try bucket.update(edited)
        return try call.reply(edited, in: bucket)
    }

    /// In both APIs: without a generation the live version goes, and stays as a noncurrent one if the bucket keeps them.
    func delete(_ call: GCSCall) throws -> Response {
        let (bucket, object) = try named(call)
        let conditions =
            call.route.api == .json ? try call.parameters.preconditions() : try call.parameters.headerPreconditions()
        try conditions.requireForWrite(on: object)
        try requireNoHold(object, in: bucket)
        if try call.parameters.int64("generation") != nil, let id = object.attributes.versionID {
            bucket.removeVersion(object.name, id)
        } else if bucket.properties.versioning == .on {
            var marker = newAttributes()
            marker.isDeleteMarker = true
            marker.versionID = String(marker.generation)
            try bucket.put(StoredObject(name: object.name, body: Body(), attributes: marker))
        } else {
            bucket.remove(object.name)
        }
        return Response(.noContent)
    }
}
