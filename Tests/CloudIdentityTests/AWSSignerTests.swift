import AWS
import Cryptography
import Digests
import HTTPTransport
import ReplicationModel
import Testing

/// The examples of Amazon's documentation, with the intermediate values computed independently.
@Suite struct AWSSignerTests {
    let credentials = AWSCredentials(
        accessKeyID: "AKIAIOSFODNN7EXAMPLE", secretAccessKey: Secret("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"))
    let time = SigningTime(
        secondsSince1970: CivilTime(year: 2013, month: 5, day: 24, hour: 0, minute: 0, second: 0).secondsSince1970)
    var key: SigningKey { SigningKey(credentials, date: time.date, region: "us-east-1", service: .s3) }

    func input(_ path: String, query: String = "", _ headers: HTTPHeaders = [:]) -> AWSSigner.Input {
        var headers = headers
        headers.append("x-amz-date", time.timestamp)
        headers.append("x-amz-content-sha256", AWSSigner.emptyPayloadHash)
        return AWSSigner.Input(
            method: .get, path: path, query: query, authority: "examplebucket.s3.amazonaws.com", headers: headers,
            payloadHash: AWSSigner.emptyPayloadHash)
    }

    @Test func timestampAndKey() {
        #expect(time.timestamp == "20130524T000000Z")
        #expect(time.date == "20130524")
        let hex = key.bytes.withBytes { Hex.encode($0) }
        #expect(hex == "dbb893acc010964918f1fd433add87c70e8b0db6be30c1fbeafefa5ec6ba8378")
    }

    @Test func rangedGet() {
        let request = input("/test.txt", ["range": "bytes=0-9"])
        let hash = Hex.encode(SHA256.hash(AWSSigner.canonicalRequest(request, for: .s3).bytes))
        #expect(hash == "7344ae5b7ee6c3e7e6b0fe0640412a37625d1fbfff95c48bbb2dc43964946972")
        #expect(
            AWSSigner.authorization(request, time: time, key: key)
                == "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, "
                + "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, "
                + "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41")
    }

    @Test func listing() {
        let text = AWSSigner.authorization(input("/", query: "max-keys=2&prefix=J"), time: time, key: key)
        #expect(text.hasSuffix("Signature=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"))
    }

    @Test func headersAreTrimmedCollapsedSortedAndJoined() {
        let request = AWSSigner.Input(
            method: .put, path: "/k", query: "", authority: "h:9000",
            headers: [
                "X-Amz-Meta-B": "  two   words\t here ", "Content-Type": "text/plain", "x-amz-meta-b": "again",
                "x-empty": "",
            ],
            payloadHash: AWSSigner.unsignedPayload)
        let canonical = AWSSigner.canonicalRequest(request, for: .s3)
        #expect(
            String(decoding: canonical.bytes, as: UTF8.self)
                == "PUT\n/k\n\ncontent-type:text/plain\nhost:h:9000\nx-amz-meta-b:two words here,again\nx-empty:\n\n"
                + "content-type;host;x-amz-meta-b;x-empty\nUNSIGNED-PAYLOAD")
    }

    @Test func pathsOfOtherServicesAreNormalizedAndEncodedTwice() {
        func path(_ path: String, _ service: AWSService) -> Substring {
            let canonical = AWSSigner.canonicalRequest(input(path), for: service)
            return String(decoding: canonical.bytes, as: UTF8.self).split(separator: "\n")[1]
        }
        #expect(path("/a//./b/../c%20d/", .sts) == "/a/c%2520d/")
        #expect(path("/a//./b/../c%20d/", .s3) == "/a//./b/../c%20d/")
        #expect(path("/", .kms) == "/")
        #expect(path("/../..", .sqs) == "/")
    }

    @Test func signaturesOfOtherServicesNameThem() {
        let key = SigningKey(credentials, date: time.date, region: "us-east-1", service: .sts)
        let text = AWSSigner.authorization(input("/"), time: time, key: key)
        #expect(text.contains("/20130524/us-east-1/sts/aws4_request, "))
    }
}
