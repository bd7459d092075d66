import HTTPStores
import ObjectStores

/// To which servers tokens, assertions and secrets of an identity may go.
enum GoogleHosts {
    static let standardUniverse = "googleapis.com"

    /// Google's own services by https, and this machine, where emulators are.
    ///
    /// - Parameter universe: the domain of a cloud of Google's that is run by somebody else; nil is Google's.
    static func allows(_ endpoint: Endpoint, universe: String? = nil) -> Bool {
        if endpoint.isLoopback { return true }
        guard endpoint.scheme == "https", endpoint.port == nil else { return false }
        // A domain that anybody may register below is none of a cloud.
        let universe = universe.flatMap { $0.contains(".") ? $0 : nil }
        return [standardUniverse, universe ?? standardUniverse].contains { endpoint.host.hasSuffix(".\($0)") }
    }

    /// Scheme, host and port of a URL that a credentials file names; nil when it is none, or has a query. Unlike an endpoint's its path may
    /// have e-mail addresses in it.
    static func origin(of url: String) -> Endpoint? {
        guard let separator = url.firstRange(of: "://"), url.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            return nil
        }
        let path = url[separator.upperBound...].drop { $0 != "/" }
        guard !path.contains(where: { $0 == "?" || $0 == "#" }) else { return nil }
        return Endpoint(String(url[..<path.startIndex]))
    }

    /// The endpoint of one of Google's services, or the one that stands in for it in the variable that gcloud reads:
    /// `CLOUDSDK_API_ENDPOINT_OVERRIDES_SERVICE`.
    static func endpoint(
        of service: String, environment: [String: String]
    ) throws(StoreError) -> Endpoint {
        let variable = "CLOUDSDK_API_ENDPOINT_OVERRIDES_\(service.uppercased())"
        guard let text = environment[variable], !text.isEmpty else {
            return Endpoint(host: "\(service).\(standardUniverse)")
        }
        guard let endpoint = Endpoint(text), endpoint.scheme == "https" || endpoint.isLoopback else {
            throw .credentials("\(variable) is not an https URL, and tokens are not sent there")
        }
        return endpoint
    }
}
