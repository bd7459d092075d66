import Cryptography
import Digests

/// Identifies one run in logs and notifications, with the names and lengths that W3C Trace Context gives its ids.
package struct TraceContext: Sendable, Hashable {
    /// 32 hexadecimal digits.
    package let traceID: String
    /// 16 hexadecimal digits.
    package let spanID: String

    /// - Parameter traceID: of a run that is known already.
    package init(traceID: String? = nil) {
        self.traceID = traceID ?? Hex.encode(SecureRandom.bytes(16))
        spanID = Hex.encode(SecureRandom.bytes(8))
    }
}
