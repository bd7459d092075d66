import Digests
import NIOCore
import NIOHTTP1

extension AzureBlobFrontEnd {
    /// What `include` may ask for and this service has.
    private struct Inclusion {
        var metadata = false
        var tags = false
        var copy = false
        var snapshots = false
        var uncommitted = false

        init(_ text: String) {
            for item in text.split(separator: ",") {
                switch item {
                case "metadata": metadata = true
                case "tags": tags = true
                case "copy": copy = true
                case "snapshots": snapshots = true
                case "uncommittedblobs": uncommitted = true
                // Deleted blobs, versions and policies do not exist here, so there is nothing to include.
                default: break
                }
            }
        }
    }

    func listBlobs(_ call: AzureCall) throws -> Response {
        let request = call.request
        let bucket = try container(request)
        let marker = request.parameter("marker").flatMap { $0.isEmpty ? nil : $0 }
        var query = ListQuery()
        query.limit = try Self.listLimit(request)
        query.prefix = ObjectName(request.parameter("prefix") ?? "")
        query.delimiter = request.parameter("delimiter").flatMap { $0.isEmpty ? nil : Array($0.utf8) }
        if let marker {
            query.start = try Self.name(fromMarker: marker)
        } else if request.version >= AzureVersion.startFrom, let first = request.parameter("startfrom"), !first.isEmpty
        {
            query.start = ObjectName(first)
        }
        let result = call.exchange.list(bucket, query, token: marker)
        let inclusion = Inclusion(request.parameter("include") ?? "")
        let extras = extras(of: bucket, inclusion, query, before: result.page.next)
        let end = Self.end(of: result.page, extras.map(\.name), limit: query.limit)
        let next = result.hidesToken ? "" : result.forcedToken ?? end.map(Self.marker) ?? ""

        var xml = AzureXML(capacity: 1_024 + result.page.entries.count * 768)
        let container = request.container ?? ""
        xml.append(
            markup: "<EnumerationResults ServiceEndpoint=\"\(services.endpoint)/\(request.account)/\" "
                + "ContainerName=\"\(container)\">")
        xml.nameElement(query.prefix, called: "Prefix")
        xml.element("Marker", marker ?? "")
        xml.element("MaxResults", query.limit)
        if let delimiter = query.delimiter { xml.nameElement(ObjectName(delimiter), called: "Delimiter") }
        append(
            result.page, extras, before: end, of: bucket, inclusion,
            AzureListFaults(call.exchange, isEmpty: result.page.objects.isEmpty), to: &xml)
        xml.element("NextMarker", next)
        xml.close("EnumerationResults")
        return Response(.ok, contentType: "application/xml", bytes: ByteBuffer(bytes: xml.bytes))
    }

    /// Markers are opaque to clients; they hold the first name of the next page.
    private static func marker(_ name: ObjectName) -> String { "2!" + Base64.encode(name.bytes) }

    private static func name(fromMarker text: String) throws(AzureError) -> ObjectName {
        guard text.hasPrefix("2!"), let bytes = Base64.decode(String(text.dropFirst(2))) else {
            throw .invalidQuery("marker", text, "It is none of this service's markers.")
        }
        return ObjectName(bytes)
    }

    /// What a listing shows besides blobs: a snapshot, or with none a blob without a commit.
    private typealias Extra = (name: ObjectName, snapshot: AzureSnapshot?)

    /// Snapshots and blobs without a commit are few: they are merged into the page by name.
    private func extras(
        of bucket: Bucket, _ inclusion: Inclusion, _ query: ListQuery, before next: ObjectName?
    ) -> [Extra] {
        let state = state(of: bucket)
        let now = services.clock.now
        var extras: [Extra] = []
        if inclusion.snapshots { extras += state.snapshots.flatMap { entry in entry.value.map { (entry.key, $0) } } }
        if inclusion.uncommitted {
            extras += state.uncommitted.keys.filter { name in
                bucket.object(name) == nil && state.blocks(of: name, now: now) != nil
            }.map { ($0, nil) }
        }
        return extras.filter { extra in
            extra.name.hasPrefix(query.prefix) && !Self.isBelowPrefix(extra.name, query)
                && query.start.map { extra.name >= $0 } ?? true
                && next.map { extra.name < $0 } ?? true
        }.sorted { ($0.name, $0.snapshot?.id ?? "") < ($1.name, $1.snapshot?.id ?? "") }
    }

    /// The first name of the next page, so that extras count towards the limit; nil at the end. A page is longer when a
    /// single name has more snapshots.
    private static func end(of page: ListPage, _ extras: [ObjectName], limit: Int) -> ObjectName? {
        guard page.entries.count + extras.count > limit else { return page.next }
        let names = (page.entries.map(\.name) + extras).sorted()
        return names[limit...].first { $0 > names[limit - 1] } ?? page.next
    }

    private func append(
        _ page: ListPage, _ extras: [Extra], before end: ObjectName?, of bucket: Bucket, _ inclusion: Inclusion,
        _ faults: AzureListFaults, to xml: inout AzureXML
    ) {
        let state = state(of: bucket)
        let now = services.clock.now
        var writer = AzureListEntryWriter(
            metadata: inclusion.metadata, tags: inclusion.tags, copy: inclusion.copy, faults: faults,
            isLeased: { state.lease(on: $0, now: now) != nil })
        let extras = extras.filter { extra in end.map { extra.name < $0 } ?? true }
        xml.open("Blobs")
        var nextExtra = 0
        func appendExtras(upTo name: ObjectName?) {
            while nextExtra < extras.count, name.map({ extras[nextExtra].name <= $0 }) ?? true {
                let extra = extras[nextExtra]
                if let snapshot = extra.snapshot {
                    writer.append(snapshot.blob, snapshot: snapshot.id, to: &xml)
                } else {
                    writer.appendUncommitted(extra.name, to: &xml)
                }
                nextExtra += 1
            }
        }
        for entry in page.entries where end.map({ entry.name < $0 }) ?? true {
            appendExtras(upTo: entry.name)
            switch entry {
            case .object(let blob): writer.append(blob, snapshot: nil, to: &xml)
            case .prefix(let name):
                xml.open("BlobPrefix")
                xml.nameElement(name)
                xml.close("BlobPrefix")
            }
        }
        appendExtras(upTo: nil)
        xml.close("Blobs")
    }

    /// Whether a delimiter hides the name behind a common prefix.
    private static func isBelowPrefix(_ name: ObjectName, _ query: ListQuery) -> Bool {
        guard let delimiter = query.delimiter else { return false }
        let rest = name.bytes[query.prefix.bytes.count...]
        return rest.indices.contains { rest[$0...].starts(with: delimiter) }
    }
}
