import Cryptography
import Digests
import HTTPStores
import HTTPTransport
import ObjectStores
import ReplicationModel
import S3
import Testing

/// The examples of Amazon's documentation, with the intermediate values computed independently.
@Suite struct S3SignerTests {
    let credentials = AWSCredentials(
        accessKeyID: "AKIAIOSFODNN7EXAMPLE", secretAccessKey: Secret("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"))
    let time = SigningTime(
        secondsSince1970: CivilTime(year: 2013, month: 5, day: 24, hour: 0, minute: 0, second: 0).secondsSince1970)
    var key: SigningKey { SigningKey(credentials, date: time.date, region: "us-east-1") }

    func input(_ path: String, query: String = "", _ headers: HTTPHeaders = [:]) -> S3Signer.Input {
        var headers = headers
        headers.append("x-amz-date", time.timestamp)
        headers.append("x-amz-content-sha256", S3Signer.emptyPayloadHash)
        return S3Signer.Input(
            method: .get, path: path, query: query, authority: "examplebucket.s3.amazonaws.com", headers: headers,
            payloadHash: S3Signer.emptyPayloadHash)
    }

    @Test func timestampAndKey() {
        #expect(time.timestamp == "20130524T000000Z")
        #expect(time.date == "20130524")
        let hex = key.bytes.withBytes { Hex.encode($0) }
        #expect(hex == "dbb893acc010964918f1fd433add87c70e8b0db6be30c1fbeafefa5ec6ba8378")
    }

    @Test func rangedGet() {
        let request = input("/test.txt", ["range": "bytes=0-9"])
        let hash = Hex.encode(SHA256.hash(S3Signer.canonicalRequest(request).bytes))
        #expect(hash == "7344ae5b7ee6c3e7e6b0fe0640412a37625d1fbfff95c48bbb2dc43964946972")
        #expect(
            S3Signer.authorization(request, time: time, key: key)
                == "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, "
                + "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, "
                + "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41")
    }

    @Test func listing() {
        var query = S3Query()
        query.append("max-keys", "2")
        query.append("prefix", "J")
        let text = S3Signer.authorization(input("/", query: query.text), time: time, key: key)
        #expect(text.hasSuffix("Signature=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"))
    }

    @Test func headersAreTrimmedCollapsedSortedAndJoined() {
        let request = S3Signer.Input(
            method: .put, path: "/k", query: "", authority: "h:9000",
            headers: [
                "X-Amz-Meta-B": "  two   words\t here ", "Content-Type": "text/plain", "x-amz-meta-b": "again",
                "x-empty": "",
            ],
            payloadHash: S3Signer.unsignedPayload)
        let canonical = S3Signer.canonicalRequest(request)
        #expect(
            String(decoding: canonical.bytes, as: UTF8.self)
                == "PUT\n/k\n\ncontent-type:text/plain\nhost:h:9000\nx-amz-meta-b:two words here,again\nx-empty:\n\n"
                + "content-type;host;x-amz-meta-b;x-empty\nUNSIGNED-PAYLOAD")
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
