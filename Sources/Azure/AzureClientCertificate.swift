package import Cryptography
import Digests
import FoundationEssentials
package import HTTPStores
package import ObjectStores

/// An application that signs with the key of a certificate: `AZURE_CLIENT_CERTIFICATE_PATH`.
package struct AzureClientCertificate: CredentialProvider {
    private let service: AzureTokenService
    private let path: String
    private let password: Secret?
    private let now: @Sendable () -> Int64

    /// - Parameters:
    ///   - path: PEM with the certificate and its RSA key, or PKCS #12.
    ///   - password: of the key or the PKCS #12 file.
    ///   - now: seconds since 1970.
    package init(_ service: AzureTokenService, path: String, password: Secret?, now: @escaping @Sendable () -> Int64) {
        self.service = service
        self.path = path
        self.password = password
        self.now = now
    }

    private static let purpose = "the certificate"

    package func check() throws(SettingError) {
        let bytes = try CredentialFile.inspected(path, "certificate_file", purpose: Self.purpose)
        do {
            _ = try CertifiedKey(file: bytes, password: password)
        } catch let error as CryptographyError where error.code == .wrongPassword {
            throw SettingError("certificate_password", message: "it does not open the certificate \(path)")
        } catch {
            throw SettingError("certificate_file", message: "the certificate \(path) cannot be used: \(error)")
        }
    }

    /// Reads the file again each time, so that a certificate can be rotated under a long run.
    package func load() async throws(StoreError) -> ExpiringCredentials<AzureCredentials> {
        let bytes = try CredentialFile.contents(path, purpose: Self.purpose)
        let identity: CertifiedKey
        let assertion: String
        do {
            identity = try CertifiedKey(file: bytes, password: password)
            assertion = try AzureClientAssertion.signed(
                identity, audience: service.url, clientID: service.clientID, now: now(), id: UUID().uuidString)
        } catch {
            throw .credentials("the certificate \(path) cannot be used: \(error)")
        }
        return try await service.token(
            [("client_assertion_type", AzureClientAssertion.type), ("client_assertion", Secret(assertion))],
            advice:
                "check that the certificate \(path) is registered with the application and has not expired, and that this "
                + "machine's clock is right")
    }
}

/// The JSON Web Token by which an application proves that it has the key of its certificate (RFC 7523; PS256 of RFC 7518).
package enum AzureClientAssertion {
    static let type = Secret("urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
    /// Seconds that it is good for.
    private static let lifetime: Int64 = 1800

    private struct Header: Encodable {
        var alg = "PS256"
        var typ = "JWT"
        var thumbprint: String

        private enum CodingKeys: String, CodingKey {
            case alg, typ
            case thumbprint = "x5t#S256"
        }
    }

    private struct Claims: Encodable {
        var aud: String
        var iss: String
        var sub: String
        var jti: String
        var nbf: Int64
        var exp: Int64
    }

    /// - Parameters:
    ///   - audience: the token endpoint.
    ///   - now: seconds since 1970.
    ///   - id: unlike that of any other assertion.
    package static func signed(
        _ identity: CertifiedKey, audience: String, clientID: String, now: Int64, id: String
    ) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let header = Header(thumbprint: Base64.encodeForURL(SHA256.hash(identity.certificate)))
        let claims = Claims(aud: audience, iss: clientID, sub: clientID, jti: id, nbf: now, exp: now + lifetime)
        let signed = try [encoder.encode(header), encoder.encode(claims)]
            .map { Base64.encodeForURL(Array($0)) }.joined(separator: ".")
        let signature = try identity.key.signPSSSHA256(Array(signed.utf8))
        return "\(signed).\(Base64.encodeForURL(signature))"
    }
}
