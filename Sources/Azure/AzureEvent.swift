import Digests
import FoundationEssentials
package import HTTPStores
import ReplicationModel

/// What Event Grid writes into a queue about blobs, in its own schema and in that of CloudEvents 1.0.
/// Source: Azure Event Grid documentation, Blob Storage as a source.
package enum AzureEvent {
    /// Events of one message; Event Grid writes one.
    private static let limit = 1000

    private struct Event: Decodable {
        /// Event Grid's own names.
        var eventType: String?
        var topic: String?
        var eventTime: String?
        /// Those of CloudEvents.
        var type: String?
        var source: String?
        var time: String?

        var subject: String?
        var data: Details?
    }

    private struct Details: Decodable {
        var api: String?
        /// `true` as text.
        var recursive: String?
        var sequencer: String?
        var sourceUrl: String?
    }

    /// - Parameter message: base64, as Event Grid writes today, or plain.
    package static func content(_ message: String) -> EventContent {
        let text = message.trimmed
        let bytes: [UInt8]
        if let first = text.utf8.first, first == UInt8(ascii: "{") || first == UInt8(ascii: "[") {
            bytes = Array(text.utf8)
        } else if let decoded = Base64.decode(text) {
            bytes = decoded
        } else {
            return .unreadable("the message is neither JSON nor base64")
        }
        let decoder = JSONDecoder()
        let events: [Event]
        if let event = try? decoder.decode(Event.self, from: Data(bytes)) {
            events = [event]
        } else if let list = try? decoder.decode([Event].self, from: Data(bytes)), list.count <= limit {
            events = list
        } else {
            return .unreadable("the message is no event of Event Grid")
        }
        var changes: [ObjectChange] = []
        for event in events {
            switch self.changes(event) {
            case .success(let found): changes += found
            case .failure(let problem): return .unreadable(problem.reason)
            }
        }
        return .changes(changes)
    }

    private struct Problem: Error {
        var reason: String
    }

    private static func changes(_ event: Event) -> Result<[ObjectChange], Problem> {
        guard let type = event.eventType ?? event.type else {
            return .failure(Problem(reason: "the message is an event without a type"))
        }
        let prefix = "Microsoft.Storage."
        guard type.hasPrefix(prefix) else {
            return .failure(Problem(reason: "the event is not about storage; subscribe the queue to blobs only"))
        }
        let kind: ObjectChange.Kind
        switch type.dropFirst(prefix.count) {
        case "BlobCreated":
            // With a hierarchical namespace a file is made empty and filled afterwards: the flush that closes it makes it whole.
            if event.data?.api == "CreateFile" { return .success([]) }
            kind = .written
        case "BlobDeleted": kind = .removed
        case "BlobTierChanged": kind = .attributes
        case "BlobRenamed": return renamed(event)
        case "DirectoryDeleted" where event.data?.recursive?.lowercased() == "true":
            return .failure(
                Problem(reason: "a directory was deleted with all that is in it; the next full run sees it"))
        case "DirectoryRenamed":
            return .failure(
                Problem(reason: "a directory was renamed, which moves more than one object; the next full run sees it"))
        // Directories, inventories, lifecycle runs and rehydrations to come say nothing about the bytes of a blob.
        default: return .success([])
        }
        return change(event, kind).map { .success([$0]) }
            ?? .failure(Problem(reason: "the event's subject names no blob"))
    }

    /// One blob is there under its new name, and none any more under the old one.
    private static func renamed(_ event: Event) -> Result<[ObjectChange], Problem> {
        guard let new = change(event, .written), let source = event.data?.sourceUrl.flatMap({ Endpoint($0) }) else {
            return .failure(Problem(reason: "the event does not say what was renamed"))
        }
        let segments = source.path.utf8.dropFirst().split(separator: UInt8(ascii: "/"), maxSplits: 1)
        guard segments.count == 2 else {
            return .failure(Problem(reason: "the event does not say what was renamed"))
        }
        var old = new
        old.kind = .removed
        old.container = String(decoding: PercentEncoding.decode(segments[0]), as: UTF8.self)
        old.key = ObjectKey(PercentEncoding.decode(segments[1]))
        // The sequencer orders the events of one name.
        old.order = nil
        return .success([old, new])
    }

    /// From the subject, which is not encoded: `/blobServices/default/containers/CONTAINER/blobs/NAME`.
    private static func change(_ event: Event, _ kind: ObjectChange.Kind) -> ObjectChange? {
        // By bytes: a name may begin with a character that combines with the slash before it.
        let prefix = "/blobServices/default/containers/".utf8
        let separator = "/blobs/".utf8
        guard let subject = event.subject?.utf8, subject.starts(with: prefix) else { return nil }
        let rest = subject.dropFirst(prefix.count)
        guard let slash = rest.firstIndex(of: UInt8(ascii: "/")), slash > rest.startIndex else { return nil }
        let tail = rest[slash...]
        guard tail.starts(with: separator), tail.count > separator.count else { return nil }
        return ObjectChange(
            kind: kind, account: (event.topic ?? event.source).flatMap(account),
            container: String(decoding: rest[..<slash], as: UTF8.self),
            key: ObjectKey(Array(tail.dropFirst(separator.count))), order: event.data?.sequencer,
            time: (event.eventTime ?? event.time).flatMap { CivilTime(rfc3339: $0)?.secondsSince1970 })
    }

    /// `/subscriptions/…/providers/Microsoft.Storage/storageAccounts/ACCOUNT`
    private static func account(_ resource: String) -> String? {
        let segments = resource.split(separator: "/")
        guard let index = segments.firstIndex(where: { $0.lowercased() == "storageaccounts" }),
            index + 1 < segments.count
        else { return nil }
        return String(segments[index + 1])
    }
}
