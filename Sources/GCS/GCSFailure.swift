import FoundationEssentials
import HTTPStores
import HTTPTransport
import XMLStreaming

/// A reply that is not a success, reduced to what decides about it.
struct GCSFailure: Sendable {
    var status: Int
    /// `reason` of the JSON API or `Code` of the XML API; empty when there was no document.
    var reason: String
    /// The server's words, shortened and without control characters.
    var message: String
    var requestID: String?
    /// The reply's headers, for Retry-After.
    var headers: HTTPHeaders

    init(_ response: HTTPResponse) {
        status = response.status
        headers = response.headers
        let (reason, message) = Self.document(response.body) ?? ("", "")
        self.reason = ServerText.readable(reason)
        self.message = ServerText.readable(message)
        requestID = response.headers["x-guploader-uploadid"].map(ServerText.readable)
    }

    /// Reason and message of an error document of either API; nil when the body is none.
    static func document(_ body: [UInt8]) -> (reason: String, message: String)? {
        switch body.first(where: { $0 > 0x20 }) {
        case UInt8(ascii: "<"):
            // A reply that cannot be read tells as much as one without a document.
            guard let root = try? XMLElement.parse(body), root.name == "Error" else { return nil }
            let details = root.child("Details")?.text ?? ""
            let message = root.child("Message")?.text ?? ""
            return (
                root.child("Code")?.text ?? "",
                details.isEmpty || details == message ? message : "\(message) \(details)"
            )
        case UInt8(ascii: "{"):
            guard let document = try? JSONDecoder().decode(JSONError.self, from: Data(body)) else { return nil }
            return (document.error.errors?.first?.reason ?? "", document.error.message ?? "")
        default:
            return nil
        }
    }

    private struct JSONError: Decodable {
        struct Body: Decodable {
            struct Item: Decodable {
                var reason: String?
            }

            var message: String?
            var errors: [Item]?
        }

        var error: Body
    }
}
