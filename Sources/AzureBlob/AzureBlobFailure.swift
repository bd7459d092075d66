import HTTPStores
import HTTPTransport
import XMLStreaming

/// A reply that is not a success, reduced to what decides about it.
struct AzureBlobFailure: Sendable {
    var status: Int
    /// `x-ms-error-code`, e.g. `ServerBusy`; empty when there was none.
    var code: String
    /// The service's words, shortened and without control characters.
    var message: String
    /// Why authentication failed, where the service says.
    var detail: String
    /// What the source of a copy by URL answered.
    var sourceCode: String
    var sourceStatus: Int
    var requestID: String?
    /// The reply's headers, for Date and Retry-After.
    var headers: HTTPHeaders

    init(_ response: HTTPResponse) {
        let document = Self.document(response.body)
        status = response.status
        headers = response.headers
        code = ServerText.readable(headers["x-ms-error-code"] ?? document?.child("Code")?.text ?? "")
        // The service repeats request id and time in further lines.
        let lines = (document?.child("Message")?.text ?? "").split(whereSeparator: \.isNewline)
        message = ServerText.readable(lines.first.map(String.init) ?? "")
        let named = ["HeaderName", "QueryParameterName", "Reason"].compactMap { document?.child($0)?.text }.filter {
            !$0.isEmpty
        }
        if !named.isEmpty { message += " [\(ServerText.readable(named.joined(separator: ": ")))]" }
        detail = ServerText.readable(document?.child("AuthenticationErrorDetail")?.text ?? "")
        sourceCode = ServerText.readable(
            headers["x-ms-copy-source-error-code"] ?? document?.child("CopySourceErrorCode")?.text ?? "")
        sourceStatus =
            Int(headers["x-ms-copy-source-status-code"] ?? document?.child("CopySourceStatusCode")?.text ?? "") ?? 0
        requestID = headers["x-ms-request-id"].map(ServerText.readable)
    }

    /// nil when the body is no error document: replies to HEAD, replies of a gateway in between.
    private static func document(_ body: [UInt8]) -> XMLElement? {
        guard !body.isEmpty else { return nil }
        do {
            let root = try XMLElement.parse(body, limits: XMLLimits(bytes: 64 << 10, depth: 8, elements: 200))
            return root.name == "Error" ? root : nil
        } catch {
            return nil
        }
    }
}
