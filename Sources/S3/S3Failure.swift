import AWS
import HTTPStores
package import HTTPTransport

/// A reply that is not a success, reduced to what decides about it.
package struct S3Failure: Sendable {
    var status: Int
    /// Of the document, e.g. `SlowDown`; empty when there was none (replies to HEAD).
    var code: String
    /// The server's words, shortened and without control characters.
    var message: String
    /// Which condition failed, where the server says.
    var condition: String?
    /// Where the bucket is, from the header or the document.
    package var region: String?
    /// Target of a temporary redirect.
    var location: String?
    var requestID: String?
    /// The reply's headers, for Date and Retry-After.
    var headers: HTTPHeaders

    package init(_ response: HTTPResponse) {
        self.init(document: S3ErrorDocument(response.body), status: response.status, headers: response.headers)
    }

    /// - Parameter document: nil when the body is no error document.
    init(document: S3ErrorDocument?, status: Int, headers: HTTPHeaders) {
        self.status = status
        self.headers = headers
        code = ServerText.readable(document?.code ?? "")
        message = ServerText.readable(document?.message ?? "")
        condition = document?.condition
        let region = headers["x-amz-bucket-region"] ?? document?.region
        self.region = region.flatMap { AWSHost.isRegion($0) ? $0 : nil }
        location = headers["location"]
        requestID = (headers["x-amz-request-id"] ?? document?.requestID).map(ServerText.readable)
    }
}
