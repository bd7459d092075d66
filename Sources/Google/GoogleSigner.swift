import Cryptography
import Digests
import FoundationEssentials
package import ObjectStores

/// Writes the JSON Web Tokens that a service account signs with its key (RS256; RFC 7515, RFC 7519).
package struct GoogleSigner: Sendable {
    /// What the token is for.
    package enum Purpose: Sendable {
        /// To be exchanged at this token endpoint.
        case exchange(endpoint: String)
        /// To be sent to services as it is.
        case access
    }

    /// Seconds; Google takes at most one hour.
    static let lifetime: Int64 = 3600

    private struct Header: Encodable {
        var alg = "RS256"
        var typ = "JWT"
        var kid: String?
    }

    private struct Claims: Encodable {
        var iss: String
        var sub: String?
        var scope: GoogleScope.RawValue
        /// Of the token endpoint. A token that is sent to services as it is names its scope instead, never both.
        var aud: String?
        var iat: Int64
        var exp: Int64
    }

    private let account: GoogleServiceAccount

    package init(_ account: GoogleServiceAccount) {
        self.account = account
    }

    /// - Parameter now: seconds since 1970.
    package func token(for purpose: Purpose, scope: GoogleScope, now: Int64) throws(StoreError) -> String {
        var claims = Claims(iss: account.email, scope: scope.rawValue, iat: now, exp: now + Self.lifetime)
        switch purpose {
        case .exchange(let endpoint):
            claims.aud = endpoint
        case .access:
            claims.sub = account.email
        }
        do {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            let header = Base64.encodeForURL(Array(try encoder.encode(Header(kid: account.keyID))))
            let signed = "\(header).\(Base64.encodeForURL(Array(try encoder.encode(claims))))"
            let signature = try account.privateKey.signSHA256(Array(signed.utf8))
            return "\(signed).\(Base64.encodeForURL(signature))"
        } catch {
            throw .credentials("the key of \(account.email) cannot sign: \(error)")
        }
    }
}
