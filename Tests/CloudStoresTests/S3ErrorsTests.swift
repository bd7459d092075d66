import HTTPTransport
import ObjectStores
import ReplicationModel
import S3
import Testing

@Suite struct S3ErrorsTests {
    func error(
        _ status: Int, _ code: String = "", _ operation: StoreOperation = .put, key: ObjectKey? = "k",
        headers: HTTPHeaders = [:],
        extra: String = ""
    ) -> StoreError {
        let body =
            code.isEmpty
            ? ""
            : "<?xml version=\"1.0\"?><Error><Code>\(code)</Code><Message>why</Message>\(extra)<RequestId>R1</RequestId></Error>"
        return S3Failure(HTTPResponse(status: status, headers: headers, body: Array(body.utf8)))
            .error(operation, key: key, bucket: "bucket", now: 0)
    }

    @Test(arguments: [
        (404, "NoSuchKey", StoreOperation.read, StoreError.Code.notFound, StoreError.Retry.never),
        (404, "NoSuchBucket", .list, .missingContainer, .never),
        (404, "NoSuchUpload", .completeUpload, .missingUpload, .never),
        (404, "", .head, .notFound, .never),
        (412, "PreconditionFailed", .put, .preconditionFailed, .never),
        (412, "PreconditionFailed", .read, .versionChanged, .never),
        (412, "", .head, .versionChanged, .never),
        (412, "PreconditionFailed", .copyPart, .versionChanged, .never),
        (409, "ConditionalRequestConflict", .put, .unavailable, .transient),
        (409, "ConditionalRequestConflict", .completeUpload, .missingUpload, .never),
        (403, "AccessDenied", .put, .forbidden, .never),
        (403, "", .head, .forbidden, .never),
        (403, "SignatureDoesNotMatch", .put, .unauthenticated, .never),
        (403, "InvalidAccessKeyId", .list, .unauthenticated, .never),
        (400, "ExpiredToken", .put, .unauthenticated, .transient),
        (403, "InvalidObjectState", .read, .archived, .never),
        (400, "KeyTooLongError", .put, .invalidKey, .never),
        (400, "EntityTooLarge", .put, .unsupportedObject, .never),
        (400, "MetadataTooLarge", .put, .unsupportedObject, .never),
        (501, "NotImplemented", .copyPart, .unsupportedOperation, .never),
        (405, "", .delete, .unsupportedOperation, .never),
        (400, "BadDigest", .put, .checksumMismatch, .transient),
        (400, "RequestTimeout", .put, .network, .transient),
        (503, "SlowDown", .put, .throttled, .transient),
        (503, "ServiceUnavailable", .put, .unavailable, .transient),
        (429, "", .list, .throttled, .transient),
        (503, "", .list, .unavailable, .transient),
        (503, "", .put, .unavailable, .unknownOutcome),
        (500, "InternalError", .put, .unavailable, .unknownOutcome),
        (500, "InternalError", .completeUpload, .unavailable, .unknownOutcome),
        (500, "InternalError", .uploadPart, .unavailable, .transient),
        (500, "InternalError", .read, .unavailable, .transient),
        (502, "", .copy, .unavailable, .unknownOutcome),
        (507, "", .put, .noSpace, .never),
        (400, "InvalidPart", .completeUpload, .invalidRequest, .never),
        (416, "InvalidRange", .read, .invalidRequest, .never),
        (400, "InvalidArgument", .put, .invalidRequest, .never),
        (200, "InternalError", .completeUpload, .unavailable, .unknownOutcome),
    ])
    func classification(
        status: Int, code: String, operation: StoreOperation, expected: StoreError.Code, retry: StoreError.Retry
    ) {
        let error = error(status, code, operation)
        #expect(error.code == expected)
        #expect(error.retry == retry)
        #expect(error.status == status)
        #expect(error.serviceCode == code)
    }

    @Test func missingBucketsAreToldFromMissingObjects() {
        #expect(error(404, "", .list, key: nil).code == .missingContainer)
    }

    @Test func retryAfterCounts() {
        #expect(error(503, "SlowDown", headers: ["Retry-After": "7"]).retry == .after(.seconds(7)))
        #expect(error(503, "SlowDown", headers: ["Retry-After": "99999"]).retry == .after(.seconds(300)))
        #expect(error(500, "InternalError", headers: ["Retry-After": "7"]).retry == .unknownOutcome)
    }

    @Test func messagesSayWhatToDoAndWhoSaidWhat() {
        let denied = error(403, "AccessDenied", .delete)
        #expect(denied.message.contains("s3:DeleteObject on bucket"))
        #expect(denied.message.contains("the server says: why"))
        #expect(denied.requestID == "R1")
        let moved = error(301, "PermanentRedirect", headers: ["x-amz-bucket-region": "eu-west-1"])
        #expect(moved.message.contains("eu-west-1"))
    }

    @Test func theSourceOfACopyIsToldFromItsTarget() {
        let source = error(412, "PreconditionFailed", .copy, extra: "<Condition>x-amz-copy-source-If-Match</Condition>")
        #expect(source.code == .versionChanged)
        let target = error(412, "PreconditionFailed", .copy, extra: "<Condition>If-None-Match</Condition>")
        #expect(target.code == .preconditionFailed)
    }

    @Test func serverTextIsShortAndCannotMoveTheCursor() {
        let body = "<Error><Code>Odd</Code><Message>a&#10;b \(String(repeating: "x", count: 5000))</Message></Error>"
        let error = S3Failure(HTTPResponse(status: 400, headers: [:], body: Array(body.utf8)))
            .error(.put, key: "k", bucket: "b", now: 0)
        #expect(error.message.hasPrefix("a b "))
        #expect(error.message.count <= 300)
    }

    @Test func regionsThatAreNoHostLabelsAreIgnored() {
        let failure = S3Failure(HTTPResponse(status: 301, headers: ["x-amz-bucket-region": "evil.example/x"]))
        #expect(failure.region == nil)
    }
}
