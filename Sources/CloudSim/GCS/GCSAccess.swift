import Digests
import Foundation
import NIOHTTP1

/// Who may call: tokens that were configured or issued here, and tokens that a service account signed itself.
final class GCSAccess {
    static let tokenLifetime: Int64 = 3_600
    /// Issued tokens at one time; beyond it the ones that expire first go.
    private static let maximumTokens = 10_000

    private struct Grant {
        var expires: SimTime
        var isReadOnly: Bool
    }

    private let services: SimServices
    private var issued: [String: Grant] = [:]
    private var made: GCSServiceAccount?

    init(_ services: SimServices) {
        self.services = services
    }

    /// The one account, made when somebody first asks for it: its key costs some tenths of a second.
    private func account() throws -> GCSServiceAccount {
        if let made { return made }
        let account = try GCSServiceAccount(project: services.configuration.gcs.project)
        made = account
        return account
    }

    /// The account's key file, as Google's console hands it out, with this server's token endpoint in it.
    func serviceAccountFile(_ call: GCSCall) throws -> Response {
        Response(json: Array(try account().file(tokenURI: call.origin + "/token").utf8))
    }

    // MARK: Calls

    /// Throws unless the call may be made by whoever makes it.
    func check(_ call: GCSCall) throws {
        switch call.route.action {
        case .token, .serviceAccount: return
        default: break
        }
        guard services.configuration.verifiesSignatures else { return }
        let header = call.request.header("authorization") ?? ""
        // A client that is told to be anonymous may send an empty token.
        let token = header.lowercased().hasPrefix("bearer") ? String(header.dropFirst(6).drop { $0 == " " }) : header
        guard !token.isEmpty else {
            guard services.configuration.gcs.allowsAnonymous else {
                throw GCSError.unauthorized(
                    "Anonymous caller does not have storage access to \(call.route.bucket ?? "the project").",
                    reason: "required")
            }
            return
        }
        guard header.lowercased().hasPrefix("bearer ") else {
            throw GCSError.unauthorized("Only bearer tokens are taken here, no HMAC keys.", reason: "authError")
        }
        let grant = try grant(token, call)
        if grant.isReadOnly && !call.route.isReadOnly {
            throw GCSError.forbidden("Request had insufficient authentication scopes.")
        }
    }

    private func grant(_ token: String, _ call: GCSCall) throws -> Grant {
        let now = services.clock.now
        if services.configuration.gcs.bearerTokens.contains(token) { return Grant(expires: now, isReadOnly: false) }
        if let grant = issued[token] {
            guard now < grant.expires else { throw GCSError.unauthorized("Invalid Credentials", reason: "authError") }
            return grant
        }
        guard let account = made, token.utf8.filter({ $0 == UInt8(ascii: ".") }).count == 2 else {
            throw GCSError.unauthorized("Invalid Credentials", reason: "authError")
        }
        // Signed by the account itself, without the token endpoint.
        do {
            let claims = try account.verify(token, now: now)
            guard claims.sub == claims.iss, (claims.aud == nil) != (claims.scope == nil) else {
                throw GCSServiceAccount.Refusal("a self-signed token needs sub, and either aud or scope")
            }
            if let audience = claims.aud {
                guard ["https://storage.googleapis.com/", call.origin + "/"].contains(audience) else {
                    throw GCSServiceAccount.Refusal("the audience \(audience) is not this service")
                }
                return Grant(expires: now, isReadOnly: false)
            }
            return Grant(expires: now, isReadOnly: try Self.isReadOnly(claims.scope ?? ""))
        } catch let refusal as GCSServiceAccount.Refusal {
            throw GCSError.unauthorized("Invalid Credentials: \(refusal.reason)", reason: "authError")
        }
    }

    /// What the scopes allow; throws when they allow nothing here.
    private static func isReadOnly(_ scopes: String) throws -> Bool {
        var isReadable = false
        for scope in scopes.split(separator: " ") {
            switch scope.split(separator: "/").last {
            case "devstorage.read_write", "devstorage.full_control", "cloud-platform": return false
            case "devstorage.read_only", "cloud-platform.read-only": isReadable = true
            default: break
            }
        }
        guard isReadable else { throw GCSServiceAccount.Refusal("no scope of \(scopes) gives access to storage") }
        return true
    }

    // MARK: The token endpoint

    /// Exchanges a token that the service account signed for one of the server's own (RFC 7523).
    func issueToken(_ call: GCSCall, form: [UInt8]) throws -> Response {
        var fields: [String: String] = [:]
        for item in form.split(separator: UInt8(ascii: "&")) {
            let pair = item.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
            let decoded = pair.map { String(decoding: PercentCoding.decode($0, plusIsSpace: true), as: UTF8.self) }
            fields[decoded[0]] = decoded.count == 2 ? decoded[1] : ""
        }
        guard fields["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer", let assertion = fields["assertion"]
        else { return Self.oauthError("unsupported_grant_type", "Only JWT assertions of a service account are taken.") }
        let now = services.clock.now
        do {
            let claims = try account().verify(assertion, now: now)
            guard ["https://oauth2.googleapis.com/token", call.origin + "/token"].contains(claims.aud ?? "") else {
                throw GCSServiceAccount.Refusal("the audience is not this token endpoint")
            }
            let isReadOnly = try Self.isReadOnly(claims.scope ?? "")
            let token = "ya29." + Base64.encodeForURL(services.storage.randomBytes(48))
            let expires = SimTime(nanoseconds: now.nanoseconds + Self.tokenLifetime * 1_000_000_000)
            makeRoom(now)
            issued[token] = Grant(expires: expires, isReadOnly: isReadOnly)
            var json = JSONBuilder()
            json.beginObject()
            json.key("access_token")
            json.plain(token)
            json.key("expires_in")
            json.number(Int(Self.tokenLifetime))
            json.key("token_type")
            json.plain("Bearer")
            json.endObject()
            return Response(json: json.bytes)
        } catch let refusal as GCSServiceAccount.Refusal {
            return Self.oauthError("invalid_grant", "Invalid JWT: \(refusal.reason)")
        }
    }

    private func makeRoom(_ now: SimTime) {
        guard issued.count >= Self.maximumTokens else { return }
        issued = issued.filter { now < $0.value.expires }
        if issued.count >= Self.maximumTokens, let first = issued.min(by: { $0.value.expires < $1.value.expires }) {
            issued[first.key] = nil
        }
    }

    private static func oauthError(_ code: String, _ description: String) -> Response {
        var json = JSONBuilder()
        json.beginObject()
        json.key("error")
        json.string(code)
        json.key("error_description")
        json.string(description)
        json.endObject()
        return Response(.badRequest, json: json.bytes)
    }
}
