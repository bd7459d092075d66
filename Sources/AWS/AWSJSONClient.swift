import Cryptography
import FoundationEssentials
import HTTPStores
import HTTPTransport
import ObjectStores

/// Calls of a service that speaks JSON: KMS, SQS.
///
/// One attempt each. Credentials that the service calls expired are fetched anew, once, and the call is made again inside.
final class AWSJSONClient: Sendable {
    private let client: AWSServiceClient
    private let endpoint: Endpoint
    private let contentType: String
    /// Before the operation's name in `X-Amz-Target`.
    private let target: String
    private let credentials: SharedCredentials<AWSCredentials>
    private let now: @Sendable () -> Int64

    init(
        _ service: AWSService, at address: AWSServiceAddress, version: String, target: String,
        credentials: SharedCredentials<AWSCredentials>, transport: any HTTPTransport,
        now: @escaping @Sendable () -> Int64
    ) {
        client = AWSServiceClient(service, at: address, transport: transport, now: now)
        endpoint = address.endpoint
        contentType = "application/x-amz-json-\(version)"
        self.target = target
        self.credentials = credentials
        self.now = now
    }

    /// - Parameters:
    ///   - explain: says what a refusal means and what to do; nil leaves that to what all services have in common.
    func call<Input: Encodable, Output: Decodable>(
        _ operation: String, _ input: Input, as output: Output.Type, timeouts: HTTPTimeouts = HTTPTimeouts(),
        explain: (AWSFailure) -> StoreError?
    ) async throws(StoreError) -> Output {
        let body: [UInt8]
        do {
            body = Array(try JSONEncoder().encode(input))
        } catch {
            throw StoreError(.invalidRequest, .head, message: "the request to \(endpoint.host) cannot be written")
        }
        let headers: HTTPHeaders = ["content-type": contentType, "x-amz-target": "\(target).\(operation)"]
        var isSecond = false
        while true {
            let used = try await credentials.current()
            let response: HTTPResponse
            do throws(HTTPFailure) {
                response = try await client.send(body, headers: headers, timeouts: timeouts, signedWith: used)
            } catch {
                throw StoreError(error, .head, key: nil)
            }
            if response.status == 200 {
                credentials.accept()
                return try Self.decode(response.body, from: endpoint)
            }
            let failure = AWSFailure(response)
            if failure.isExpiry {
                if credentials.refuse(used), !isSecond {
                    isSecond = true
                    continue
                }
                var error = failure.error(
                    .head, of: endpoint.host, "\(endpoint.host) calls the credentials expired", now: now())
                error.retry = .never
                throw error
            }
            throw explain(failure)
                ?? failure.error(.head, of: endpoint.host, "\(endpoint.host) refuses \(operation)", now: now())
        }
    }

    private static func decode<Output: Decodable>(
        _ body: [UInt8], from endpoint: Endpoint
    ) throws(StoreError) -> Output {
        // The decoder's error may quote the answer, and an answer of KMS is a secret.
        if let output = try? JSONDecoder().decode(Output.self, from: Data(body)) { return output }
        throw StoreError(
            .invalidResponse, .head, message: "the answer of \(endpoint.host) is not what it should be",
            retry: .transient)
    }
}
