import FoundationEssentials
package import HTTPStores
import ReplicationModel

/// What S3 writes into a queue: its own notification, one inside an SNS message, or an event of EventBridge.
///
/// Source: Amazon S3 user guide, event message structure; Amazon EventBridge, S3 events.
package enum S3EventMessage {
    /// Longest body that SQS delivers.
    private static let sizeLimit = 1 << 20
    /// Far above what S3 puts into one message.
    private static let recordLimit = 10_000

    private struct Document: Decodable {
        // Of S3.
        var records: [Record]?
        var event: String?
        // Of SNS.
        var type: String?
        var message: String?
        // Of EventBridge.
        var source: String?
        var detailType: String?
        var time: String?
        var detail: Detail?

        private enum CodingKeys: String, CodingKey {
            case records = "Records"
            case event = "Event"
            case type = "Type"
            case message = "Message"
            case source, time, detail
            case detailType = "detail-type"
        }
    }

    private struct Record: Decodable {
        struct Body: Decodable {
            var bucket: Bucket?
            var object: Object?
        }

        var eventVersion: String?
        var eventSource: String?
        var eventTime: String?
        var eventName: String?
        var s3: Body?
    }

    private struct Bucket: Decodable {
        var name: String?
    }

    private struct Object: Decodable {
        var key: String?
        var sequencer: String?
    }

    private struct Detail: Decodable {
        var bucket: Bucket?
        var object: Object?
    }

    /// - Parameter body: of the message.
    package static func content(of body: String) -> EventContent {
        content(of: body, isNested: false)
    }

    private static func content(of body: String, isNested: Bool) -> EventContent {
        guard body.utf8.count <= sizeLimit else { return .unreadable("the message is longer than any of S3's") }
        guard let document = try? JSONDecoder().decode(Document.self, from: Data(body.utf8)) else {
            return .unreadable("the message is no JSON document of S3's")
        }
        if let records = document.records { return content(of: records) }
        if document.event == "s3:TestEvent" { return .test }
        if document.source == "aws.s3" { return content(ofEvent: document) }
        if document.type == "Notification", let message = document.message, !isNested {
            return content(of: message, isNested: true)
        }
        return .unreadable("the message is neither a notification of S3's nor an S3 event of EventBridge")
    }

    private static func content(of records: [Record]) -> EventContent {
        guard records.count <= recordLimit else {
            return .unreadable("the message has more than \(recordLimit) records")
        }
        var changes: [ObjectChange] = []
        for record in records {
            guard record.eventSource?.hasSuffix(":s3") == true else {
                return .unreadable("a record does not come from S3")
            }
            guard record.eventVersion?.prefix(while: { $0 != "." }) == "2" else {
                return .unreadable("a record has another version than 2")
            }
            guard let name = record.eventName, let bucket = record.s3?.bucket?.name, let key = record.s3?.object?.key,
                !bucket.isEmpty, !key.isEmpty
            else { return .unreadable("a record names no event, bucket or key") }
            // What restores, replicates or moves between classes changes neither bytes nor attributes.
            guard let kind = kind(ofRecord: name) else { continue }
            changes.append(
                ObjectChange(
                    kind: kind, container: bucket,
                    key: ObjectKey(PercentEncoding.decode(Array(key.utf8), plusIsSpace: true)),
                    order: order(record.s3?.object?.sequencer), time: time(record.eventTime)))
        }
        return .changes(changes)
    }

    private static func content(ofEvent document: Document) -> EventContent {
        guard let type = document.detailType, let bucket = document.detail?.bucket?.name,
            let key = document.detail?.object?.key, !bucket.isEmpty, !key.isEmpty
        else { return .unreadable("the event names no type, bucket or key") }
        let kind: ObjectChange.Kind
        switch type {
        case "Object Created": kind = .written
        case "Object Deleted": kind = .removed
        case "Object Tags Added", "Object Tags Deleted", "Object ACL Updated": kind = .attributes
        default: return .changes([])
        }
        // Here the key stands as it is.
        return .changes([
            ObjectChange(
                kind: kind, container: bucket, key: ObjectKey(key), order: order(document.detail?.object?.sequencer),
                time: time(document.time))
        ])
    }

    private static func kind(ofRecord name: String) -> ObjectChange.Kind? {
        let name = name.hasPrefix("s3:") ? name.dropFirst(3) : name[...]
        if name.hasPrefix("ObjectCreated:") { return .written }
        if name.hasPrefix("ObjectRemoved:") || name.hasPrefix("LifecycleExpiration:") { return .removed }
        return name.hasPrefix("ObjectTagging:") || name.hasPrefix("ObjectAcl:") ? .attributes : nil
    }

    /// Sequencers are hexadecimal numbers that compare when the shorter one is filled up with zeros on the right.
    private static func order(_ sequencer: String?) -> String? {
        guard let sequencer, (1...orderLength).contains(sequencer.utf8.count), sequencer.allSatisfy(\.isHexDigit) else {
            return nil
        }
        return sequencer.uppercased() + String(repeating: "0", count: orderLength - sequencer.utf8.count)
    }

    private static let orderLength = 64

    private static func time(_ text: String?) -> Int64? {
        text.flatMap { CivilTime(rfc3339: $0)?.secondsSince1970 }
    }
}
