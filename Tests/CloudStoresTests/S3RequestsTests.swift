import HTTPStores
import HTTPTransport
import ObjectStores
import ReplicationModel
import S3
import Testing

@Suite struct S3RequestsTests {
    @Test func queriesAreEncodedAndNamed() {
        var query = S3Query()
        query.append("max-keys", "2")
        query.append("prefix", "a b/J")
        query.append("uploads")
        #expect(query.text == "max-keys=2&prefix=a%20b%2FJ&uploads=")
    }

    @Test func keysAreEncodedOnceAndKeepTheirSegments() {
        let address = S3Address(endpoint: Endpoint("http://127.0.0.1:9000")!, bucket: "b", addressing: .automatic)
        func path(_ key: ObjectKey) -> String { S3Request(.head, .head, key: key).path(at: address) }
        #expect(path("a b+c%20/ü?#&=") == "/b/a%20b%2Bc%2520/%C3%BC%3F%23%26%3D")
        #expect(path("/lead//x/../y/./z/") == "/b//lead//x/../y/./z/")
        #expect(path(ObjectKey([1, 0x7F, 10])) == "/b/%01%7F%0A")
        #expect(path("~-._") == "/b/~-._")
    }
}
