import ObjectStores
import ReplicationModel
import S3
import Testing

@Suite struct S3RulesTests {
    let aws = S3Rules(isAWS: true, isVirtualHost: true)
    let clone = S3Rules(isAWS: false, isVirtualHost: false)

    @Test func keys() {
        for key: ObjectKey in [
            "a", "/", "//", ".", "a/../b", "a/./b", "\u{1}\u{7F}\n", "ü",
            ObjectKey([UInt8](repeating: 97, count: 1024)),
        ] {
            #expect(clone.problem(with: key) == nil)
            #expect(aws.problem(with: key) == nil)
        }
        #expect(clone.problem(with: "") != nil)
        #expect(clone.problem(with: ObjectKey([UInt8](repeating: 97, count: 1025)))?.contains("1024") == true)
        #expect(clone.problem(with: ObjectKey([0xFF, 0x41]))?.contains("UTF-8") == true)
        #expect(clone.problem(with: "../a") == nil)
        #expect(aws.problem(with: "a/../../b") != nil)
        #expect(aws.problem(with: "soap") != nil)
    }

    @Test func attributesThatHeadersCannotCarryAreNamed() {
        let (kept, dropped) = clone.fit(
            ObjectAttributes(
                contentType: "text/plain", contentEncoding: "gzip\r\nx-amz-acl: public-read", contentLanguage: "dé",
                contentDisposition: " x",
                cacheControl: "no-cache",
                userMetadata: [
                    "Plain": "v", "plain": "w", "with space": "v", "inject": "a\r\nb: c", "word": "=?UTF-8?B?YQ==?=",
                    "umlaut": "ü", "": "v",
                    "empty": "", "blank ": "v", "padded": " v",
                ]))
        #expect(kept.contentType == "text/plain")
        #expect(kept.cacheControl == "no-cache")
        #expect(kept.contentEncoding == nil && kept.contentLanguage == nil && kept.contentDisposition == nil)
        #expect(kept.userMetadata == ["plain": "v", "umlaut": "ü", "empty": ""])
        #expect(
            Set(dropped) == [
                "Content-Encoding", "Content-Language", "Content-Disposition", "plain", "with space", "inject", "word",
                "", "blank ", "padded",
            ])
    }

    @Test func metadataHasRoomForTwoKilobytes() {
        let (kept, dropped) = clone.fit(
            ObjectAttributes(userMetadata: [
                "a": String(repeating: "x", count: 2000), "b": String(repeating: "x", count: 100), "c": "x",
            ]))
        #expect(kept.userMetadata.keys.sorted() == ["a", "c"])
        #expect(dropped == ["b"])
    }

    @Test(arguments: [
        ("plain", "plain"), ("=?UTF-8?B?w7w=?=", "ü"), ("=?utf-8?q?=C3=BC_x?=", "ü x"),
        ("=?UTF-8?B?w7w=?= =?UTF-8?B?w7w=?=", "üü"),
        ("a =?UTF-8?Q?b?= c", "a b c"), ("=?ISO-8859-1?Q?=FC?=", "=?ISO-8859-1?Q?=FC?="),
        ("=?UTF-8?B?!!?=", "=?UTF-8?B?!!?="),
        ("=?UTF-8?B?/w==?=", "=?UTF-8?B?/w==?="), ("=?", "=?"), ("a=?b?c", "a=?b?c"), ("=?UTF-8?Q?100%25?=", "100%25"),
    ])
    func encodedWordsAreDecoded(text: String, value: String) {
        #expect(S3Metadata.decode(text) == value)
    }

    @Test func valuesComeBack() {
        for value in ["", "x", "ü", "日本語 text", "=?", "a=b", "100%"] {
            #expect(S3Metadata.canHold(value))
            #expect(S3Metadata.encode(value).utf8.allSatisfy { $0 < 0x80 })
            #expect(S3Metadata.decode(S3Metadata.encode(value)) == value)
        }
    }
}
