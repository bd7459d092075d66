package import HTTPTransport
package import ObjectStores
package import ReplicationModel

extension StoreError {
    /// A transport failure as the error of a store's call: a write that the server may have seen is of unknown outcome.
    package init(_ failure: HTTPFailure, _ operation: StoreOperation, key: ObjectKey?) {
        let code: Code =
            switch failure.code {
            case .resolve, .unknownHost, .connect, .tls, .certificate: .unreachable
            // Forbidden here, whatever the server would say.
            case .refusedAddress: .forbidden
            case .reset, .stalled, .truncated, .other: .network
            case .bodyTooLong, .protocolViolation: .invalidResponse
            case .badURL: .invalidRequest
            case .cancelled: .cancelled
            }
        let retry: Retry =
            switch failure.code {
            case .badURL, .refusedAddress, .certificate, .cancelled: .never
            default: operation.isWrite && failure.mayHaveBeenProcessed ? .unknownOutcome : .transient
            }
        self.init(code, operation, key: key, message: failure.message, retry: retry)
        isUnknownHost = failure.code == .unknownHost
    }

    /// The delay that a `Retry-After` header asks for: seconds or an HTTP date, at most five minutes.
    package static func retryAfter(_ headers: HTTPHeaders, now: Int64) -> Duration? {
        guard let value = headers["retry-after"] else { return nil }
        let seconds: Int64? = Int64(value) ?? CivilTime(httpDate: value).map { $0.secondsSince1970 - now }
        return seconds.map { .seconds(min(max($0, 0), 300)) }
    }
}
