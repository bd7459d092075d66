import Cryptography
import HTTPStores
import HTTPTransport
import ObjectStores
import Synchronization

/// The metadata service of an EC2 instance: version 2, whose requests carry a token of the session.
///
/// Version 1, which a forged request can reach, is used only where `AWS_EC2_METADATA_V1_DISABLED` is `false`. No proxy is asked.
/// Source: Amazon EC2 user guide, instance metadata service.
package final class InstanceMetadata: Sendable {
    private let environment: [String: String]
    private let transport: any HTTPTransport
    private let state = Mutex(State())

    private struct State {
        var token: Secret?
        /// Whether it ever answered.
        var hasAnswered = false
        /// Whether it ever gave credentials.
        var serves = false
    }

    private static let replyLimit = 64 << 10
    /// Six hours, the longest there is.
    private static let tokenLifetime = "21600"
    private static let plainHosts: Set = ["169.254.169.254", "[fd00:ec2::254]"]

    init(environment: [String: String], transport: any HTTPTransport) {
        self.environment = environment
        self.transport = transport
    }

    var isDisabled: Bool { environment["AWS_EC2_METADATA_DISABLED"]?.lowercased() == "true" }
    /// Whether it ever answered here: then its silence is a fault.
    var hasAnswered: Bool { state.withLock { $0.hasAnswered } }

    func noteServing() { state.withLock { $0.serves = true } }

    /// The instance's region, asked for only where credentials come from the instance; nil when it is not told.
    func regionIfItServes() async -> String? {
        guard state.withLock({ $0.serves }) else { return nil }
        do throws(StoreError) {
            let region = try await text("/latest/meta-data/placement/region")
            return region.flatMap { AWSHost.isRegion($0) ? $0 : nil }
        } catch {
            return nil
        }
    }

    /// One line of the service; nil when it knows no such path or there is no service.
    func text(_ path: String) async throws(StoreError) -> String? {
        try await get(path).map { bytes in
            String(String(decoding: bytes, as: UTF8.self).prefix { !$0.isNewline })
        }
    }

    /// - Returns: nil when the service knows no such path, or when there is none and never was.
    func get(_ path: String) async throws(StoreError) -> [UInt8]? {
        if isDisabled { return nil }
        let endpoint = try endpoint()
        // A token that has run out is refused once.
        for isSecond in [false, true] {
            guard let token = try await token(endpoint) else { return nil }
            var headers: HTTPHeaders = [:]
            if !token.isEmpty { headers.append("x-aws-ec2-metadata-token", token.revealed()) }
            guard let response = try await send(.get, path, headers, endpoint) else { return nil }
            switch response.status {
            case 200:
                state.withLock { $0.hasAnswered = true }
                return response.body
            case 401 where !isSecond: state.withLock { $0.token = nil }
            case 404: return nil
            default: throw refusal(response, endpoint)
            }
        }
        return nil
    }

    /// The session's token; empty for version 1, nil when there is no service.
    private func token(_ endpoint: Endpoint) async throws(StoreError) -> Secret? {
        if let token = state.withLock({ $0.token }) { return token }
        let headers: HTTPHeaders = ["x-aws-ec2-metadata-token-ttl-seconds": Self.tokenLifetime]
        let response = try await send(.put, "/latest/api/token", headers, endpoint)
        if let response, response.status == 200 {
            let token = Secret(response.body)
            guard !token.isEmpty, response.body.allSatisfy({ (0x21...0x7E).contains($0) }) else {
                throw refusal(response, endpoint)
            }
            state.withLock {
                $0.token = token
                $0.hasAnswered = true
            }
            return token
        }
        let allowsFirstVersion = environment["AWS_EC2_METADATA_V1_DISABLED"]?.lowercased() == "false"
        if let response,
            response.status >= 500 || response.status == 429 || (hasAnswered && !allowsFirstVersion)
        {
            throw refusal(response, endpoint)
        }
        // Another cloud's service at the same address knows no such tokens either.
        return allowsFirstVersion ? Secret("") : nil
    }

    /// nil when nobody answers and nobody ever did: this is no instance.
    private func send(
        _ method: HTTPMethod, _ path: String, _ headers: HTTPHeaders, _ endpoint: Endpoint
    ) async throws(StoreError) -> HTTPResponse? {
        let patience = Duration.seconds(number("AWS_METADATA_SERVICE_TIMEOUT", 1, in: 1...60))
        let request = HTTPRequest(
            method, endpoint.origin + endpoint.path + path, headers: headers,
            timeouts: HTTPTimeouts(connect: patience, stall: patience),
            reach: Self.plainHosts.contains(endpoint.host) ? .metadata : .service)
        var failure: HTTPFailure?
        for _ in 0..<number("AWS_METADATA_SERVICE_NUM_ATTEMPTS", 1, in: 1...10) {
            do throws(HTTPFailure) {
                return try await transport.send(request, into: .collect(limit: Self.replyLimit))
            } catch {
                failure = error
                if error.code == .cancelled { break }
            }
        }
        guard let failure, hasAnswered || failure.code == .cancelled else { return nil }
        var error = StoreError(failure, .head, key: nil)
        error.message = "no answer from \(endpoint.origin): \(failure.message)"
        throw error
    }

    private func refusal(_ response: HTTPResponse, _ endpoint: Endpoint) -> StoreError {
        let isPassing = response.status >= 500 || response.status == 429
        let isRedirect = (300..<400).contains(response.status)
        return StoreError(
            isPassing ? .unavailable : .unauthenticated, .head,
            message: isRedirect
                ? AWSFailure.redirects(endpoint.origin)
                : "\(endpoint.origin) gives no credentials of this instance",
            retry: isPassing ? .transient : .never, status: response.status)
    }

    private func endpoint() throws(StoreError) -> Endpoint {
        guard let text = environment.nonempty("AWS_EC2_METADATA_SERVICE_ENDPOINT") else {
            let isIPv6 = environment["AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE"]?.lowercased() == "ipv6"
            return Endpoint(scheme: "http", host: isIPv6 ? "[fd00:ec2::254]" : "169.254.169.254")
        }
        guard let endpoint = Endpoint(text) else {
            throw .credentials("AWS_EC2_METADATA_SERVICE_ENDPOINT is not a URL; write http://host")
        }
        guard endpoint.scheme == "https" || endpoint.isLoopback || Self.plainHosts.contains(endpoint.host) else {
            throw .credentials(
                "AWS_EC2_METADATA_SERVICE_ENDPOINT names \(endpoint.host): without https only this machine, 169.254.169.254 and "
                    + "[fd00:ec2::254] are asked for credentials")
        }
        return endpoint
    }

    private func number(_ variable: String, _ standard: Int, in range: ClosedRange<Int>) -> Int {
        environment[variable].flatMap { Int($0) }.map { min(max($0, range.lowerBound), range.upperBound) } ?? standard
    }
}
