import HTTPStores
import ObjectStores
import ReplicationModel
import S3
import Testing

@Suite struct S3ListingTests {
    func page(_ contents: String, head: String = "<EncodingType>url</EncodingType><IsTruncated>false</IsTruncated>")
        -> [UInt8]
    {
        Array(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>b</Name>\(head)\(contents)</ListBucketResult>"
                .utf8)
    }

    func object(_ key: String, etag: String = "&quot;e1&quot;", size: String = "5", extra: String = "") -> String {
        "<Contents><Key>\(key)</Key><LastModified>2026-11-21T03:04:05.678Z</LastModified><ETag>\(etag)</ETag><Size>\(size)</Size>\(extra)</Contents>"
    }

    @Test func encodedKeysAreDecodedWithFormRules() throws {
        let listing = try S3Listing.parse(page(object("a+b%2Bc%20%01%0A%25/%C3%BC") + object("plain")))
        #expect(listing.objects.map(\.key) == [ObjectKey("a b+c \u{1}\n%/ü"), "plain"])
        let first = listing.objects[0]
        #expect(first.version == VersionToken("e1"))
        #expect(first.size == 5)
        #expect(
            first.modified
                == CivilTime(year: 2026, month: 11, day: 21, hour: 3, minute: 4, second: 5, nanosecond: 678_000_000)
                .nanosecondsSince1970)
        #expect(!listing.isTruncated)
    }

    @Test func theEncodingMayBeNamedAfterTheObjects() throws {
        let listing = try S3Listing.parse(page(object("a%2Fb") + "<EncodingType>url</EncodingType>", head: ""))
        #expect(listing.objects[0].key == "a/b")
    }

    @Test func keysOfServersThatDoNotEncodeStayAsTheyAre() throws {
        let listing = try S3Listing.parse(page(object("a+b%20&amp;c"), head: ""))
        #expect(listing.objects[0].key == "a+b%20&c")
    }

    @Test func truncationNamesItsContinuation() throws {
        let listing = try S3Listing.parse(
            page("", head: "<IsTruncated>true</IsTruncated><NextContinuationToken>t+/=</NextContinuationToken>"))
        #expect(listing.isTruncated)
        #expect(listing.continuation == "t+/=")
        #expect(listing.objects.isEmpty)
    }

    @Test func archivedObjectsNameTheirTierUnlessRestored() throws {
        let restored =
            "<StorageClass>GLACIER</StorageClass><RestoreStatus><IsRestoreInProgress>false</IsRestoreInProgress><RestoreExpiryDate>2026-12-01T00:00:00.000Z</RestoreExpiryDate></RestoreStatus>"
        let inProgress =
            "<StorageClass>GLACIER</StorageClass><RestoreStatus><IsRestoreInProgress>true</IsRestoreInProgress></RestoreStatus>"
        let listing = try S3Listing.parse(
            page(
                object("1", extra: "<StorageClass>STANDARD</StorageClass>")
                    + object("2", extra: "<StorageClass>DEEP_ARCHIVE</StorageClass><Owner><ID>me</ID></Owner>")
                    + object("3", extra: restored) + object("4", extra: inProgress)
                    + object("5", extra: "<StorageClass>GLACIER_IR</StorageClass>")))
        #expect(listing.objects.map(\.archiveTier) == [nil, "DEEP_ARCHIVE", nil, "GLACIER", nil])
    }

    @Test(arguments: [
        "<Contents><Key>k</Key><ETag>e</ETag></Contents>",
        "<Contents><ETag>e</ETag><Size>1</Size></Contents>",
        "<Contents><Key>k</Key><ETag>e</ETag><Size>-1</Size></Contents>",
        "<Contents><Key>k</Key><ETag>e</ETag><Size>99999999999999999999</Size></Contents>",
    ])
    func incompleteObjectsAreRefused(_ contents: String) {
        #expect(throws: S3DocumentError.self) { try S3Listing.parse(page(contents)) }
    }

    @Test func objectsWithoutAStrongTagAreNamedAndNotOffered() throws {
        let listing = try S3Listing.parse(
            page(
                "<Contents><Key>a%2Bb</Key><Size>1</Size></Contents>" + object("c", etag: "W/&quot;e&quot;")
                    + object("d")))
        #expect(listing.objects.map(\.key) == ["d"])
        #expect(listing.unversioned == ["a+b", "c"])
    }

    @Test func otherDocumentsAreRefused() {
        #expect(throws: S3DocumentError.self) { try S3Listing.parse(Array("<html><body/></html>".utf8)) }
        #expect(throws: (any Error).self) { try S3Listing.parse(Array(page(object("k")).dropLast(10))) }
        #expect(throws: (any Error).self) { try S3Listing.parse([]) }
    }
}
