import AzureBlob
import Digests
import HTTPStores
import HTTPTransport
import ObjectStores
import ReplicationModel
import TestFixtures
import Testing

@Suite struct AzureBlobErrorsTests {
    typealias Reply = ScriptedTransport.Reply

    /// The error that a reply gives to a write and to a read.
    func errors(_ reply: Reply) async -> (write: StoreError, read: StoreError) {
        func store() -> AzureBlobStore { AzureBlobStoreTests.store(ScriptedTransport(reply)) }
        let put = PutRequest(
            key: "k", body: nil, digest: ContentDigest(), attributes: ObjectAttributes(), condition: .absent)
        let write = await AzureBlobStoreTests.failure { () throws(StoreError) in try await store().put(put) }
        let read = await AzureBlobStoreTests.failure { () throws(StoreError) in try await store().head("k") }
        return (write!, read!)
    }

    static let verdicts: [(Int, String, StoreError.Code, StoreError.Retry, StoreError.Retry)] = [
        (503, "ServerBusy", .throttled, .transient, .transient),
        (500, "InternalError", .unavailable, .unknownOutcome, .transient),
        (500, "OperationTimedOut", .unavailable, .unknownOutcome, .transient),
        (502, "", .unavailable, .unknownOutcome, .transient),
        (504, "", .unavailable, .unknownOutcome, .transient), (503, "", .unavailable, .unknownOutcome, .transient),
        (429, "", .throttled, .transient, .transient), (408, "", .network, .transient, .transient),
        (501, "NotImplemented", .unsupportedOperation, .never, .never),
        (505, "", .unsupportedOperation, .never, .never),
        (403, "AuthenticationFailed", .unauthenticated, .never, .never),
        (401, "NoAuthenticationInformation", .unauthenticated, .never, .never),
        (401, "InvalidAuthenticationInfo", .unauthenticated, .transient, .transient),
        (403, "AuthorizationPermissionMismatch", .forbidden, .never, .never),
        (403, "AuthorizationFailure", .forbidden, .never, .never),
        (409, "PublicAccessNotPermitted", .unauthenticated, .never, .never), (403, "", .forbidden, .never, .never),
        (404, "ContainerNotFound", .missingContainer, .never, .never), (404, "BlobNotFound", .notFound, .never, .never),
        (409, "BlobAlreadyExists", .preconditionFailed, .never, .never),
        (409, "BlobArchived", .archived, .never, .never),
        (409, "BlobBeingRehydrated", .archived, .never, .never),
        (409, "BlobImmutableDueToPolicy", .forbidden, .never, .never),
        (412, "LeaseIdMissing", .forbidden, .never, .never),
        (400, "Md5Mismatch", .checksumMismatch, .transient, .transient),
        (400, "Crc64Mismatch", .checksumMismatch, .transient, .transient),
        (400, "InvalidBlockList", .missingUpload, .never, .never),
        (400, "InvalidBlobOrBlock", .invalidRequest, .never, .never),
        (413, "RequestBodyTooLarge", .unsupportedObject, .never, .never),
        (400, "MetadataTooLarge", .unsupportedObject, .never, .never), (400, "InvalidUri", .invalidKey, .never, .never),
        (301, "", .invalidRequest, .never, .never), (400, "SomethingNew", .invalidRequest, .never, .never),
    ]

    @Test(arguments: verdicts.indices)
    func verdict(_ index: Int) async {
        let (status, name, code, write, read) = Self.verdicts[index]
        let headers: HTTPHeaders = name.isEmpty ? [:] : ["x-ms-error-code": name]
        let errors = await errors(Reply(status, headers))
        #expect(errors.write.code == code && errors.read.code == code)
        #expect(errors.write.retry == write)
        #expect(errors.read.retry == read)
        #expect(errors.write.status == status && errors.write.serviceCode == name)
        #expect(!errors.write.message.isEmpty)
    }

    @Test func conditionsOfReadsAndWrites() async {
        let errors = await errors(Reply(412, ["x-ms-error-code": "ConditionNotMet"]))
        #expect(errors.write.code == .preconditionFailed)
        #expect(errors.read.code == .versionChanged)
    }

    @Test func documentsAreReadAndShortened() async {
        let body =
            "\u{FEFF}<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>InvalidHeaderValue</Code><Message>The value is wrong.\n"
            + "RequestId:1\nTime:2</Message><HeaderName>x-ms-version</HeaderName></Error>"
        let error = await errors(Reply(400, ["x-ms-request-id": "r-1"], body: body)).write
        #expect(error.serviceCode == "InvalidHeaderValue")
        #expect(error.requestID == "r-1")
        #expect(error.message.contains("The value is wrong.") && error.message.contains("x-ms-version"))
        #expect(!error.message.contains("RequestId"))
    }

    @Test func gatewaysThatSpeakNoXMLAreUnderstoodByStatus() async {
        let error = await errors(Reply(502, body: "<html><body>Bad Gateway")).read
        #expect(error.code == .unavailable && error.serviceCode.isEmpty)
    }

    @Test func expiredSignaturesAreNamedAndOtherDetailsAreNot() async {
        func detail(_ text: String) -> Reply {
            Reply(
                403,
                body:
                    "<Error><Code>AuthenticationFailed</Code><AuthenticationErrorDetail>\(text)</AuthenticationErrorDetail></Error>"
            )
        }
        let expired = await errors(
            detail("Signature not valid in the specified time frame: Start [a] - Expiry [b] - Current [c]")
        ).read
        #expect(expired.message.contains("Expiry [b]"))
        let mismatch = await errors(detail("The MAC signature found in the HTTP request 'c2VjcmV0' is not the same"))
            .read
        #expect(!mismatch.description.contains("c2VjcmV0"))
        let skewed = await errors(detail("Request date header too old: 'Fri'")).read
        #expect(skewed.message.contains("clock"))
    }

    @Test func retryAfterIsHonoured() async {
        let error = await errors(Reply(503, ["x-ms-error-code": "ServerBusy", "Retry-After": "7"])).write
        #expect(error.retry == .after(.seconds(7)))
    }

    @Test func failuresOfACopysSource() async {
        let cases: [(HTTPHeaders, Int, StoreError.Code, StoreError.Retry)] = [
            (
                ["x-ms-error-code": "CannotVerifyCopySource", "x-ms-copy-source-status-code": "404"], 404, .notFound,
                .never
            ),
            (
                ["x-ms-error-code": "CannotVerifyCopySource", "x-ms-copy-source-status-code": "403"], 403, .forbidden,
                .never
            ),
            (
                ["x-ms-error-code": "CannotVerifyCopySource", "x-ms-copy-source-error-code": "ServerBusy"], 400,
                .unavailable, .transient
            ),
            (["x-ms-error-code": "SourceConditionNotMet"], 412, .versionChanged, .never),
            (["x-ms-error-code": "TargetConditionNotMet"], 412, .preconditionFailed, .never),
            (["x-ms-error-code": "BlobAlreadyExists"], 409, .preconditionFailed, .never),
        ]
        for (headers, status, code, retry) in cases {
            let error = await AzureBlobStoreTests.failure { () throws(StoreError) in
                try await AzureBlobStoreTests.store(ScriptedTransport(Reply(status, headers))).copy(
                    CopyRequest(
                        source: "s", sourceVersion: VersionToken("1"), size: 1, destination: "d", condition: .absent))
            }
            #expect(error?.code == code && error?.retry == retry, "\(headers)")
        }
    }

    @Test func lostRepliesOfWritesAreOfUnknownOutcome() async {
        let transport = ScriptedTransport { _, _ throws(HTTPFailure) in
            throw HTTPFailure(code: .reset, message: "reset", mayHaveBeenProcessed: true)
        }
        let store = AzureBlobStoreTests.store(transport)
        let put = PutRequest(
            key: "k", body: nil, digest: ContentDigest(), attributes: ObjectAttributes(), condition: .absent)
        let write = await AzureBlobStoreTests.failure { () throws(StoreError) in try await store.put(put) }
        #expect(write?.code == .network && write?.retry == .unknownOutcome)
        let read = await AzureBlobStoreTests.failure { () throws(StoreError) in try await store.head("k") }
        #expect(read?.retry == .transient)
    }
}
