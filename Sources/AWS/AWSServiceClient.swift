import Cryptography
import Digests
import HTTPStores
package import HTTPTransport
import ReplicationModel
import Synchronization

/// Sends signed POST requests to one service other than S3.
///
/// One attempt each, with one exception: a reply that shows that this machine's clock is wrong is learned from, and the request sent
/// again with the service's time.
package final class AWSServiceClient: Sendable {
    private let service: AWSService
    private let address: AWSServiceAddress
    private let transport: any HTTPTransport
    private let now: @Sendable () -> Int64
    /// The service's clock minus ours, in seconds.
    private let clockOffset = Mutex<Int64>(0)

    /// A smaller difference, in seconds, is not what a service complains about.
    private static let clockTolerance: Int64 = 60
    /// Answers of these services are small: ten messages of 1 MiB are the longest.
    private static let replyLimit = 16 << 20

    package init(
        _ service: AWSService, at address: AWSServiceAddress, transport: any HTTPTransport,
        now: @escaping @Sendable () -> Int64
    ) {
        self.service = service
        self.address = address
        self.transport = transport
        self.now = now
    }

    /// - Returns: the reply, whatever its status.
    func send(
        _ body: [UInt8], headers: HTTPHeaders, timeouts: HTTPTimeouts = HTTPTimeouts(),
        signedWith credentials: AWSCredentials
    ) async throws(HTTPFailure) -> HTTPResponse {
        let offset = clockOffset.withLock { $0 }
        let response = try await sendOnce(body, headers, timeouts, credentials, offset)
        guard response.status >= 400, AWSFailure(response).isSkew,
            let measured = learnTime(from: response), abs(measured - offset) > Self.clockTolerance
        else { return response }
        return try await sendOnce(body, headers, timeouts, credentials, measured)
    }

    private func sendOnce(
        _ body: [UInt8], _ headers: HTTPHeaders, _ timeouts: HTTPTimeouts, _ credentials: AWSCredentials,
        _ offset: Int64
    ) async throws(HTTPFailure) -> HTTPResponse {
        let time = SigningTime(secondsSince1970: now() + offset)
        let key = SigningKey(credentials, date: time.date, region: address.region, service: service)
        let path = address.endpoint.path + "/"
        var headers = headers
        headers.append("x-amz-date", time.timestamp)
        if let token = credentials.sessionToken { headers.append("x-amz-security-token", token.revealed()) }
        let input = AWSSigner.Input(
            method: .post, path: path, query: "", authority: address.endpoint.authority, headers: headers,
            payloadHash: Hex.encode(SHA256.hash(body)))
        headers.append("authorization", AWSSigner.authorization(input, time: time, key: key))
        let request = HTTPRequest(
            .post, address.endpoint.origin + path, headers: headers, body: .bytes(body), timeouts: timeouts)
        return try await transport.send(request, into: .collect(limit: Self.replyLimit))
    }

    /// The service's clock minus ours, nil when the reply does not say; kept for the requests that follow. Of many requests that are
    /// refused together each learns the same.
    private func learnTime(from response: HTTPResponse) -> Int64? {
        guard let date = response.headers["date"].flatMap({ CivilTime(httpDate: $0) }) else { return nil }
        let offset = date.secondsSince1970 - now()
        clockOffset.withLock { $0 = offset }
        return offset
    }
}
