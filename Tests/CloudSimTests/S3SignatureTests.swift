import CloudSim
import Testing

/// The published examples of Signature Version 4, sent to a server whose clock shows their day.
@Suite struct S3SignatureTests {
    private static let emptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    private static let credential = "AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request"

    /// The error code of the answer: what comes behind the signature check is that there is no such bucket.
    private func code(_ target: String, _ headers: [String]) async throws -> String {
        let answer = try await answer(target, headers)
        let start = try #require(answer.range("<Code>"))
        return String(answer[start...].prefix { $0 != "<" })
    }

    private func answer(_ target: String, _ headers: [String]) async throws -> String {
        var configuration = SimConfiguration()
        configuration.s3.accessKey = "AKIAIOSFODNN7EXAMPLE"
        configuration.s3.secretKey = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
        let sim = try await CloudSim.start(configuration)
        try await sim.setTime(SimTime(iso8601: "20130524T000000Z")!)
        let head = ["GET \(target) HTTP/1.1", "Host: examplebucket.s3.amazonaws.com", "Connection: close"] + headers
        let answer = try RawConnection.exchange(port: sim.s3.port, head.joined(separator: "\r\n") + "\r\n\r\n")
        try await sim.stop()
        return answer
    }

    private func authorization(_ signedHeaders: String, _ signature: String) -> [String] {
        [
            "x-amz-date: 20130524T000000Z", "x-amz-content-sha256: \(Self.emptyHash)",
            "Authorization: AWS4-HMAC-SHA256 Credential=\(Self.credential), SignedHeaders=\(signedHeaders), Signature=\(signature)",
        ]
    }

    @Test func readOfARange() async throws {
        let headers = ["Range: bytes=0-9"]
        let signed = "host;range;x-amz-content-sha256;x-amz-date"
        let right = authorization(signed, "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41")
        #expect(try await code("/test.txt", headers + right) == "NoSuchBucket")
        #expect(try await code("/test.txu", headers + right) == "SignatureDoesNotMatch")
        #expect(try await code("/test.txt", ["Range: bytes=0-8"] + right) == "SignatureDoesNotMatch")
    }

    @Test func listing() async throws {
        let right = authorization(
            "host;x-amz-content-sha256;x-amz-date", "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7")
        #expect(try await answer("/?max-keys=2&prefix=J", right).contains("<ListAllMyBucketsResult"))
        #expect(try await code("/?max-keys=2&prefix=K", right) == "SignatureDoesNotMatch")
    }

    @Test func presignedURL() async throws {
        func target(_ signature: String) -> String {
            let credential = Self.credential.split(separator: "/").joined(separator: "%2F")
            return
                "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=\(credential)&X-Amz-Date=20130524T000000Z"
                + "&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature=\(signature)"
        }
        let right = "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
        #expect(try await code(target(right), []) == "NoSuchBucket")
        #expect(try await code(target(String(right.reversed())), []) == "SignatureDoesNotMatch")
    }
}

extension String {
    /// The index behind the first occurrence of `text`.
    fileprivate func range(_ text: String) -> String.Index? {
        var index = startIndex
        while index < endIndex {
            if self[index...].hasPrefix(text) { return self.index(index, offsetBy: text.count) }
            index = self.index(after: index)
        }
        return nil
    }
}
