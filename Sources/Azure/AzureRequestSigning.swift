import Cryptography
package import HTTPTransport

extension AzureCredentials {
    /// A request of the storage services, carrying what authorises it.
    ///
    /// - Parameters:
    ///   - path: percent-encoded; of path-style endpoints with the account.
    ///   - headers: with `x-ms-date` and `x-ms-version`.
    package func authorized(
        _ method: HTTPMethod, origin: String, path: String, query: AzureQuery, headers: HTTPHeaders,
        body: HTTPBody = .empty, timeouts: HTTPTimeouts = HTTPTimeouts()
    ) -> HTTPRequest {
        var headers = headers
        var text = query.text
        switch self {
        case .sharedKey(let account, let key):
            let input = AzureSigner.Input(
                method: method, account: account, path: path, query: query, headers: headers,
                contentLength: body.count)
            headers.append("authorization", AzureSigner.authorization(input, key: key))
        case .sas(let signature): text += (text.isEmpty ? "" : "&") + signature.revealed()
        case .token(let token): headers.append("authorization", "Bearer \(token.revealed())")
        case .anonymous, .noneFound: break
        }
        let url = origin + path + (text.isEmpty ? "" : "?" + text)
        return HTTPRequest(method, url, headers: headers, body: body, timeouts: timeouts)
    }
}
