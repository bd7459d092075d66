import NIOCore
import NIOHTTP1
import XMLStreaming

extension S3FrontEnd {
    func getObjectTagging(_ call: S3Call) throws {
        let object = try readable(call)
        let tags = try S3Tags(query: object.attributes.extras["tags"] ?? "")
        var body = XMLBuffer()
        body.raw("<Tagging xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><TagSet>")
        for tag in tags.items {
            body.raw("<Tag>")
            body.element("Key", tag.key)
            body.element("Value", tag.value)
            body.raw("</Tag>")
        }
        body.raw("</TagSet></Tagging>")
        call.exchange.respond(xml(body))
    }

    func putObjectTagging(_ call: S3Call) throws {
        let bucket = try bucket(call)
        let object = try readable(call)
        collectXML(call) { body in
            let tags = try S3Tags(xml: body)
            try bucket.update(object.with { $0.extras["tags"] = tags.query })
            return Response(.ok, headers: self.standardHeaders())
        }
    }

    func deleteObjectTagging(_ call: S3Call) throws {
        let bucket = try bucket(call)
        let object = try readable(call)
        try bucket.update(object.with { $0.extras["tags"] = nil })
        call.exchange.respond(Response(.noContent, headers: standardHeaders()))
    }

    /// Starts a restore, which stays ongoing until the control endpoint makes the object readable.
    func restoreObject(_ call: S3Call) throws {
        let bucket = try bucket(call)
        let object = try readable(call)
        guard S3Headers.isArchive(object.attributes.storageClass) else {
            throw S3Error(403, "InvalidObjectState", "Restore is not allowed for the object's current storage class")
        }
        collectXML(call) { body in
            guard let root = try? body.withUnsafeReadableBytes({ try XMLElement.parse($0) }),
                root.name == "RestoreRequest"
            else {
                throw S3Error.malformedXML
            }
            guard object.attributes.isArchived else { return Response(.ok, headers: self.standardHeaders()) }
            guard object.attributes.extras["restore"] == nil else {
                throw S3Error(409, "RestoreAlreadyInProgress", "Object restore is already in progress")
            }
            try bucket.update(object.with { $0.extras["restore"] = "ongoing-request=\"true\"" })
            return Response(.accepted, headers: self.standardHeaders())
        }
    }

    func setStorageClass(_ storageClass: String, archived: Bool, _ attributes: inout ObjectAttributes) {
        attributes.storageClass = storageClass.isEmpty || storageClass == "STANDARD" ? nil : storageClass
        attributes.isArchived = archived
        let isRestored = !archived && S3Headers.isArchive(attributes.storageClass)
        let expiry = SimTime(seconds: services.clock.now.seconds + 7 * 86_400).httpDate
        attributes.extras["restore"] = isRestored ? "ongoing-request=\"false\", expiry-date=\"\(expiry)\"" : nil
    }
}
