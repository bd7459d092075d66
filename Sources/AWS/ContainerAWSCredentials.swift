package import HTTPStores
import HTTPTransport
package import ObjectStores

/// The keys of a task's or pod's role, from the service that its platform runs beside it: ECS, EKS Pod Identity.
///
/// Source: AWS SDKs and Tools reference guide, container credential provider.
package struct ContainerAWSCredentials: AWSCredentialProvider {
    private let surroundings: AWSSurroundings
    package var place: String { "the container's credential service" }

    /// Who may be asked without encryption, beside this machine itself.
    private static let plainHosts: Set = ["169.254.170.2", "169.254.170.23", "[fd00:ec2::23]"]
    private static let attempts = 3
    private static let timeouts = HTTPTimeouts(connect: .seconds(2), stall: .seconds(2))
    private static let replyLimit = 64 << 10

    package init(_ surroundings: AWSSurroundings) {
        self.surroundings = surroundings
    }

    package func loadIfConfigured() async throws(StoreError) -> ExpiringCredentials<AWSCredentials>? {
        guard let (url, endpoint) = try address() else { return nil }
        var headers: HTTPHeaders = ["accept": "application/json"]
        headers.appendIfPresent("authorization", try authorization())
        // Where only this reach leads, nothing but such a service is.
        let reach: HTTPReach = Self.plainHosts.contains(endpoint.host) ? .metadata : .service
        let request = HTTPRequest(.get, url, headers: headers, timeouts: Self.timeouts, reach: reach)
        var attempt = 1
        while true {
            do throws(StoreError) {
                return try await ask(request, endpoint)
            } catch {
                guard error.retry != .never, attempt < Self.attempts else { throw error }
                attempt += 1
            }
        }
    }

    private func ask(
        _ request: HTTPRequest, _ endpoint: Endpoint
    ) async throws(StoreError) -> ExpiringCredentials<AWSCredentials> {
        let response: HTTPResponse
        do throws(HTTPFailure) {
            response = try await surroundings.transport.send(request, into: .collect(limit: Self.replyLimit))
        } catch {
            var failure = StoreError(error, .head, key: nil)
            failure.message = "no credentials from \(endpoint.origin): \(error.message)"
            throw failure
        }
        guard response.status == 200 else {
            throw AWSFailure(response).error(
                .head, of: endpoint.origin,
                "\(endpoint.origin) gives no credentials for this container; check the role of its task or pod",
                isQuoted: false, now: surroundings.now())
        }
        return try AWSCredentialDocument.credentials(in: response.body, of: .service, from: endpoint.origin)
    }

    /// nil when no such service is named.
    private func address() throws(StoreError) -> (url: String, endpoint: Endpoint)? {
        if let path = surroundings.variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") {
            guard path.hasPrefix("/"), Self.isPlain(path) else {
                throw .credentials("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI is no path that begins with a slash")
            }
            let endpoint = Endpoint(scheme: "http", host: "169.254.170.2")
            return (endpoint.origin + path, endpoint)
        }
        guard let url = surroundings.variable("AWS_CONTAINER_CREDENTIALS_FULL_URI") else { return nil }
        guard Self.isPlain(url), let endpoint = Endpoint(String(url.prefix { $0 != "?" })) else {
            throw .credentials("AWS_CONTAINER_CREDENTIALS_FULL_URI is no http or https URL")
        }
        guard endpoint.scheme == "https" || Self.isLoopback(endpoint) || Self.plainHosts.contains(endpoint.host) else {
            throw .credentials(
                "AWS_CONTAINER_CREDENTIALS_FULL_URI names \(endpoint.host): without https only this machine, 169.254.170.2, "
                    + "169.254.170.23 and [fd00:ec2::23] are asked for credentials")
        }
        return (url, endpoint)
    }

    /// `localhost` and the addresses themselves; no name that resolves to them.
    private static func isLoopback(_ endpoint: Endpoint) -> Bool {
        endpoint.isLoopback && !endpoint.host.hasSuffix(".localhost")
    }

    private static func isPlain(_ text: String) -> Bool {
        text.utf8.allSatisfy { (0x21...0x7E).contains($0) && $0 != UInt8(ascii: "#") }
    }

    /// Read again each time: the platform writes the file anew.
    private func authorization() throws(StoreError) -> String? {
        let value: String
        let origin: String
        if let file = surroundings.variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE") {
            value = String(
                decoding: try SmallFile.bytes(file, called: "the container's authorization token"), as: UTF8.self)
            origin = file
        } else if let variable = surroundings.variable("AWS_CONTAINER_AUTHORIZATION_TOKEN") {
            value = variable
            origin = "AWS_CONTAINER_AUTHORIZATION_TOKEN"
        } else {
            return nil
        }
        guard value.utf8.allSatisfy({ (0x20...0x7E).contains($0) }) else {
            throw .credentials(
                "the authorization token in \(origin) has a line break or another character that no header may have")
        }
        return value
    }
}
