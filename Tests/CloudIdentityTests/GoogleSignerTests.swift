import Cryptography
import Digests
import FoundationEssentials
import Google
import ObjectStores
import Testing

/// Tokens that a service account signs.
@Suite struct GoogleSignerTests {
    static let key = Result { try RSAPrivateKey.generate() }

    private func account() throws -> GoogleServiceAccount {
        GoogleServiceAccount(
            email: "robot@project.iam.gserviceaccount.com", keyID: "abc123", privateKey: try Self.key.get(),
            tokenEndpoint: "https://oauth2.googleapis.com/token")
    }

    private struct Header: Decodable {
        var alg: String
        var typ: String
        var kid: String?
    }

    private struct Claims: Decodable {
        var iss: String
        var sub: String?
        var scope: String?
        var aud: String?
        var iat: Int64
        var exp: Int64
    }

    /// The two documents of a token, once its signature has been checked with the public key.
    private func verified(_ token: String) throws -> (header: Header, claims: Claims) {
        let parts = token.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        try #require(parts.count == 3)
        let decoded = try parts.map { part in
            let bytes = Self.decode(part)
            return try #require(bytes)
        }
        let publicKey = try RSAPublicKey(pem: try Self.key.get().publicKeyPEM())
        #expect(publicKey.verifySHA256(Array("\(parts[0]).\(parts[1])".utf8), decoded[2]))
        let decoder = JSONDecoder()
        return (
            try decoder.decode(Header.self, from: Data(decoded[0])),
            try decoder.decode(Claims.self, from: Data(decoded[1]))
        )
    }

    private static func decode(_ text: String) -> [UInt8]? {
        var standard = String(text.map { $0 == "-" ? "+" : $0 == "_" ? "/" : $0 })
        while standard.utf8.count % 4 != 0 { standard += "=" }
        return Base64.decode(standard)
    }

    @Test func anAssertionNamesTheTokenEndpointAndTheScope() throws {
        let token = try GoogleSigner(account()).token(
            for: .exchange(endpoint: "https://oauth2.googleapis.com/token"), scope: .objects, now: 1_700_000_000)
        let (header, claims) = try verified(token)
        #expect(header.alg == "RS256" && header.typ == "JWT" && header.kid == "abc123")
        #expect(claims.iss == "robot@project.iam.gserviceaccount.com")
        #expect(claims.aud == "https://oauth2.googleapis.com/token")
        #expect(claims.scope == "https://www.googleapis.com/auth/devstorage.read_write")
        #expect(claims.iat == 1_700_000_000 && claims.exp == 1_700_003_600)
        #expect(claims.sub == nil)
    }

    @Test func aSelfSignedTokenNamesTheScopeAndNoAudience() throws {
        let (_, claims) = try verified(try GoogleSigner(account()).token(for: .access, scope: .platform, now: 5))
        #expect(claims.scope == "https://www.googleapis.com/auth/cloud-platform")
        #expect(claims.sub == claims.iss)
        #expect(claims.aud == nil)
    }
}
