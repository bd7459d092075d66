import FoundationEssentials
import HTTPStores
import HTTPTransport
import ObjectStores
import Synchronization

/// Tokens of the machine's own service account, from the metadata server of Compute Engine, GKE, Cloud Run and their like.
final class MetadataGoogleToken: Sendable {
    private let scope: GoogleScope
    private let client: GoogleTokenClient
    /// Of the server, with a port where it has one.
    private let host: String
    private let isNamed: Bool
    private let hasAnswered = Mutex(false)

    private static let standardHost = "169.254.169.254"
    private static let attempts = 3
    /// Elsewhere than at Google nobody answers at that address, and somebody who only lacks credentials waits for this.
    private static let timeouts = HTTPTimeouts(connect: .seconds(1), stall: .seconds(3))

    init(scope: GoogleScope, client: GoogleTokenClient) {
        self.scope = scope
        self.client = client
        let named = Self.host(in: client.environment)
        isNamed = named != nil
        host = named ?? Self.standardHost
    }

    /// The server that the environment names, if it does.
    static func host(in environment: [String: String]) -> String? {
        [environment["GCE_METADATA_HOST"], environment["GCE_METADATA_IP"]].compactMap { $0 }.first { !$0.isEmpty }
    }

    enum Answer: Sendable {
        case token(ExpiringCredentials<GoogleToken>)
        /// There is no server; `why` is for people.
        case none(why: String)
    }

    func ask() async throws(StoreError) -> Answer {
        if client.environment["NO_GCE_CHECK"] == "true" {
            return .none(why: "the metadata server, which NO_GCE_CHECK=true keeps from being asked")
        }
        guard let endpoint = Endpoint("http://\(host)"), endpoint.path.isEmpty else {
            throw .credentials("GCE_METADATA_HOST is not a host name or address with or without a port")
        }
        let scope = PercentEncoding.encode(scope.rawValue)
        let call = GoogleTokenClient.Call(
            method: .get,
            url: "\(endpoint)/computeMetadata/v1/instance/service-accounts/default/token?scopes=\(scope)",
            headers: ["metadata-flavor": "Google"], timeouts: Self.timeouts, reach: .metadata,
            advice: "attach a service account to this machine or workload")
        let isKnown = isNamed || hasAnswered.withLock { $0 }
        var attempt = 0
        while true {
            attempt += 1
            let time = client.now()
            let response: HTTPResponse
            do throws(StoreError) {
                response = try await client.send(call)
            } catch {
                if error.code == .cancelled { throw error }
                if attempt < Self.attempts { continue }
                if isKnown { throw error }
                return .none(why: "the metadata server at \(host), which does not answer")
            }
            // Others have metadata services at this address too.
            guard response.headers["metadata-flavor"] == "Google" else {
                return .none(why: "the metadata server at \(host), which is not Google's")
            }
            hasAnswered.withLock { $0 = true }
            if attempt < Self.attempts, response.status == 429 || response.status >= 500 { continue }
            return .token(try client.token(in: try client.success(response, of: call), of: call, asked: time))
        }
    }
}
