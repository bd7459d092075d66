import Cryptography
import Digests
import Foundation

/// A service account: its key file, and the check of JSON Web Tokens that were signed with it (RS256).
struct GCSServiceAccount {
    /// Why a token is not taken.
    struct Refusal: Error {
        var reason: String

        init(_ reason: String) {
            self.reason = reason
        }
    }

    struct Claims: Decodable {
        var iss: String
        var sub: String?
        var aud: String?
        var scope: String?
        var iat: Int64
        var exp: Int64
    }

    private struct Header: Decodable {
        var alg: String
        var kid: String?
    }

    /// How far a client's clock may be ahead.
    private static let allowedSkew: Int64 = 300

    let email: String
    let keyID: String
    private let project: String
    private let privateKey: RSAPrivateKey
    private let publicKey: RSAPublicKey

    init(project: String) throws {
        self.project = project
        email = "cloudsim@\(project).iam.gserviceaccount.com"
        privateKey = try RSAPrivateKey.generate()
        publicKey = try RSAPublicKey(pem: privateKey.publicKeyPEM())
        keyID = Hex.encode(SecureRandom.bytes(20))
    }

    /// The file that `GOOGLE_APPLICATION_CREDENTIALS` names.
    func file(tokenURI: String) throws -> String {
        let members = [
            ("type", "service_account"), ("project_id", project), ("private_key_id", keyID),
            ("private_key", try privateKey.pem()), ("client_email", email), ("client_id", "100000000000000000001"),
            ("auth_uri", "https://accounts.google.com/o/oauth2/auth"), ("token_uri", tokenURI),
            ("universe_domain", "googleapis.com"),
        ]
        var json = JSONBuilder()
        json.beginObject()
        for (name, value) in members {
            json.key(text: name)
            json.string(value)
        }
        json.endObject()
        return String(decoding: json.bytes, as: UTF8.self)
    }

    /// The claims of a token that this account signed and that is valid now. Audience and scope are the caller's to check.
    func verify(_ token: String, now: SimTime) throws -> Claims {
        let parts = token.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 3, let head = Self.decode(parts[0]), let payload = Self.decode(parts[1]),
            let signature = Self.decode(parts[2])
        else { throw Refusal("it is not three parts in base64url") }
        guard let header = try? JSONDecoder().decode(Header.self, from: Data(head)), header.alg == "RS256" else {
            throw Refusal("its algorithm is not RS256")
        }
        if let kid = header.kid, kid != keyID { throw Refusal("no key has the id \(kid)") }
        let signed = Array(token.utf8.prefix(parts[0].count + 1 + parts[1].count))
        guard publicKey.verifySHA256(signed, signature) else { throw Refusal("the signature does not verify") }
        guard let claims = try? JSONDecoder().decode(Claims.self, from: Data(payload)) else {
            throw Refusal("it lacks iss, iat or exp")
        }
        guard claims.iss == email else { throw Refusal("no account is called \(claims.iss)") }
        guard claims.iat <= now.seconds + Self.allowedSkew, claims.exp > now.seconds else {
            throw Refusal("it is not valid now")
        }
        guard claims.exp - claims.iat <= 3_600 else { throw Refusal("it is valid for more than an hour") }
        return claims
    }

    /// Base64 in the alphabet for URLs, without padding.
    private static func decode(_ text: Substring.UTF8View) -> [UInt8]? {
        var standard = text.map { byte in
            byte == UInt8(ascii: "-") ? UInt8(ascii: "+") : byte == UInt8(ascii: "_") ? UInt8(ascii: "/") : byte
        }
        while standard.count % 4 != 0 { standard.append(UInt8(ascii: "=")) }
        return Base64.decode(String(decoding: standard, as: UTF8.self))
    }
}
