import AzureBlob
import HTTPStores
import HTTPTransport
import ObjectStores
import ReplicationModel
import TestFixtures
import Testing

@Suite struct AzureBlobListingTests {
    typealias Reply = ScriptedTransport.Reply

    static func document(_ blobs: String, next: String = "") -> String {
        "\u{FEFF}<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults ServiceEndpoint=\"http://127.0.0.1/\" ContainerName=\"cont\">"
            + "<Prefix>p</Prefix><MaxResults>2</MaxResults><Blobs>\(blobs)</Blobs><NextMarker>\(next)</NextMarker></EnumerationResults>"
    }

    static func blob(
        _ name: String, size: String = "1", etag: String = "0x8D", more: String = "", attributes: String = ""
    ) -> String {
        "<Blob><Name\(attributes)>\(name)</Name><Properties><Creation-Time>Sat, 21 Nov 2026 03:04:05 GMT</Creation-Time>"
            + "<Last-Modified>Sat, 21 Nov 2026 03:04:05 GMT</Last-Modified><Etag>\(etag)</Etag><Content-Length>\(size)</Content-Length>"
            + "<BlobType>BlockBlob</BlobType>\(more)</Properties><OrMetadata /></Blob>"
    }

    func store(_ transport: ScriptedTransport) -> AzureBlobStore { AzureBlobStoreTests.store(transport) }

    func list(_ document: String, _ request: ListRequest = ListRequest()) async throws(StoreError) -> ListPage {
        try await store(ScriptedTransport(Reply(200, body: document))).list(request)
    }

    @Test func entries() async throws {
        let page = try await list(
            Self.document(
                Self.blob("a &amp; b", size: "123", more: "<AccessTier>Hot</AccessTier>")
                    + Self.blob(
                        "c%EF%BF%BE%25/d", etag: "\"quoted\"", more: "<AccessTier>Archive</AccessTier>",
                        attributes: " Encoded=\"true\"")
                    + Self.blob("dir", size: "0", more: "<ResourceType>directory</ResourceType>")
                    + Self.blob(
                        "ü%41",
                        more: "<ResourceType>file</ResourceType><Content-MD5>JfnnlDI7RTiF9RgfG2JNCw==</Content-MD5>")))
        #expect(page.next == nil)
        #expect(page.objects.map(\.key) == ["a & b", "c\u{FFFE}%/d", "ü%41"])
        #expect(page.objects[0].size == 123)
        #expect(page.objects[0].version == VersionToken("0x8D"))
        #expect(page.objects[0].modified == AzureBlobStoreTests.moment.nanosecondsSince1970)
        #expect(page.objects.map(\.archiveTier) == [nil, "Archive", nil])
        #expect(page.objects[1].version == VersionToken("quoted"))
        // The listing's MD5 may be anybody's claim.
        #expect(page.objects.allSatisfy { $0.checksums.isEmpty })
    }

    /// Nanoseconds since 1970 end in the year 2262.
    @Test func aDateInTheFarFutureIsTheLatestThereIs() async throws {
        let blob = Self.blob("a").replacing("21 Nov 2026", with: "21 Nov 9999")
        #expect(try await list(Self.document(blob)).objects[0].modified == .max)
    }

    @Test func requestsAndMarkers() async throws {
        let transport = ScriptedTransport(
            Reply(200, body: Self.document(Self.blob("p/a"), next: "2!8!x==")),
            Reply(200, body: Self.document("", next: "m.2")),
            Reply(200, body: Self.document("")))
        let store = store(transport)
        var page = try await store.list(ListRequest(prefix: "p/ü", limit: 10_000))
        #expect(
            transport.requests[0].target == "/acct/cont?comp=list&maxresults=5000&prefix=p%2F%C3%BC&restype=container")
        page = try await store.list(ListRequest(prefix: "p/ü", cursor: page.next, limit: 7))
        #expect(
            transport.requests[1].target
                == "/acct/cont?comp=list&marker=2%218%21x%3D%3D&maxresults=7&prefix=p%2F%C3%BC&restype=container")
        // An empty page is no end.
        #expect(page.objects.isEmpty && page.next != nil)
        page = try await store.list(ListRequest(prefix: "p/ü", cursor: page.next))
        #expect(transport.requests[2].target.contains("marker=m.2&"))
        #expect(page.next == nil)
    }

    @Test func listingsBehindAKeySkipWhatLiesBeforeIt() async throws {
        let transport = ScriptedTransport(
            Reply(200, body: Self.document(Self.blob("a") + Self.blob("b"), next: "1")),
            Reply(200, body: Self.document(Self.blob("c") + Self.blob("d"), next: "2")),
            Reply(200, body: Self.document(Self.blob("e"))))
        let store = store(transport)
        let page = try await store.list(ListRequest(startAfter: "c"))
        #expect(page.objects.map(\.key) == ["d"])
        #expect(transport.requests.count == 2)
        #expect(try await store.list(ListRequest(startAfter: "ignored", cursor: page.next)).objects.map(\.key) == ["e"])
    }

    @Test func skippingGoesOnAcrossCalls() async throws {
        let transport = ScriptedTransport { request, number in
            let name = number < 250 ? "a\(1000 + number)" : "z\(number)"
            return Reply(200, body: Self.document(Self.blob(name), next: "m\(number)"))
        }
        let store = store(transport)
        let first = try await store.list(ListRequest(startAfter: "b"))
        #expect(first.objects.isEmpty && first.next != nil)
        #expect(try await store.list(ListRequest(cursor: first.next)).objects.map(\.key) == ["z250"])
    }

    @Test func brokenListingsAreRefused() async {
        let documents = [
            Self.document(Self.blob("a", size: "x")), Self.document(Self.blob("a", size: "-1")),
            Self.document(Self.blob("a", etag: "")),
            Self.document(Self.blob("")), "<EnumerationResults><Blobs>", "", "not xml",
        ]
        for document in documents {
            let error = await AzureBlobStoreTests.failure { () throws(StoreError) in try await list(document) }
            #expect(error?.code == .invalidResponse && error?.retry == .transient, "\(document)")
        }
        let unordered = Self.document(Self.blob("b") + Self.blob("a"))
        let error = await AzureBlobStoreTests.failure { () throws(StoreError) in
            try await list(unordered, ListRequest(startAfter: "0"))
        }
        #expect(error?.code == .invalidResponse && error?.retry == .never)
        let repeating = await AzureBlobStoreTests.failure { () throws(StoreError) in
            try await list(Self.document(Self.blob("a"), next: "m"), ListRequest(cursor: ".m"))
        }
        #expect(repeating?.message.contains("twice") == true)
        let foreign = await AzureBlobStoreTests.failure { () throws(StoreError) in
            try await list(Self.document(""), ListRequest(cursor: "foreign"))
        }
        #expect(foreign?.code == .invalidRequest)
    }

    @Test func missingContainer() async {
        let error = await AzureBlobStoreTests.failure { () throws(StoreError) in
            try await store(ScriptedTransport(Reply(404, ["x-ms-error-code": "ContainerNotFound"]))).list(ListRequest())
        }
        #expect(error?.code == .missingContainer)
        #expect(error?.message.contains("container cont") == true)
    }
}
