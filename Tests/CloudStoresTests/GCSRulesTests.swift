import GCS
import HTTPTransport
import ObjectStores
import ReplicationModel
import TestFixtures
import Testing

/// What Cloud Storage can hold.
@Suite struct GCSRulesTests {
    private let rules = GCSStoreTests.store(ScriptedTransport(.init(500))).rules

    @Test func names() {
        for name in [
            "a", "a/", "/", "..a", "a/../b", "\u{0}", "é", String(repeating: "x", count: 1024), ".well-known/x",
        ] {
            #expect(rules.problem(with: ObjectKey(name)) == nil)
        }
        for name in [
            "", ".", "..", "a\nb", "a\rb", String(repeating: "x", count: 1025), ".well-known/acme-challenge/x",
        ] {
            #expect(rules.problem(with: ObjectKey(name)) != nil)
        }
        #expect(rules.problem(with: ObjectKey([0xFF])) != nil)
    }

    @Test func metadataMayBeAnyTextUpToEightKibibytes() {
        let odd = ObjectAttributes(
            contentDisposition: "grün", userMetadata: ["Größe": "a\r\nb", "CASE": "1", "case": "2"])
        #expect(rules.fit(odd).kept == odd)
        let large = ObjectAttributes(userMetadata: [
            "a": String(repeating: "x", count: 8000), "b": String(repeating: "x", count: 8000),
        ])
        #expect(rules.fit(large).dropped == ["b"])
        #expect(
            rules.fit(ObjectAttributes(contentType: "a\nb", userMetadata: ["": "x"])).dropped == ["Content-Type", ""])
    }
}
