import NIOCore
import XMLStreaming

/// The document of DeleteObjects.
struct S3DeleteRequest {
    private static let maximum = 1_000

    struct Item {
        var name: ObjectName
        var version: String?
        var etag: String?
    }

    var items: [Item]
    var isQuiet: Bool

    init(_ body: ByteBuffer) throws(S3Error) {
        let document = S3ControlReferences.hiding(Array(body.readableBytesView))
        guard let root = try? XMLElement.parse(document), root.name == "Delete" else { throw .malformedXML }
        isQuiet = root.child("Quiet")?.text == "true"
        items = []
        for object in root.children("Object") {
            guard let key = object.child("Key")?.text, !key.isEmpty else { throw .malformedXML }
            items.append(
                Item(
                    name: ObjectName(S3ControlReferences.revealing(key)), version: object.child("VersionId")?.text,
                    etag: object.child("ETag")?.text))
        }
        guard !items.isEmpty, items.count <= Self.maximum else { throw .malformedXML }
    }
}
