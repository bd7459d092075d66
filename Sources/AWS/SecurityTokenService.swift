import Cryptography
import HTTPStores
import HTTPTransport
import ObjectStores
import ReplicationModel
import XMLStreaming

/// Amazon's token service: hands out temporary keys of roles.
///
/// The endpoint is the region's; the reply is XML. Source: AWS Security Token Service API reference, 2011-06-15.
struct SecurityTokenService {
    private let surroundings: AWSSurroundings

    private static let replyLimit = 64 << 10
    private static let headers: HTTPHeaders = ["content-type": "application/x-www-form-urlencoded; charset=utf-8"]

    init(_ surroundings: AWSSurroundings) {
        self.surroundings = surroundings
    }

    /// `AssumeRole`, signed with those credentials.
    func assume(
        _ role: AWSRole, with credentials: AWSCredentials
    ) async throws(StoreError) -> ExpiringCredentials<AWSCredentials> {
        let address = try await surroundings.service(.sts)
        let client = AWSServiceClient(.sts, at: address, transport: surroundings.transport, now: surroundings.now)
        let response: HTTPResponse
        do throws(HTTPFailure) {
            response = try await client.send(
                Self.form("AssumeRole", role, ("ExternalId", role.externalID)), headers: Self.headers,
                signedWith: credentials)
        } catch {
            throw unanswered(error, address)
        }
        guard response.status == 200 else {
            let failure = AWSFailure(response)
            let advice =
                failure.isExpiry
                ? "the credentials that should assume \(role.arn) have expired; renew them"
                : "\(address.endpoint.host) does not let these credentials assume \(role.arn); "
                    + "check the role's trust policy, its external id, and their right to sts:AssumeRole"
            throw failure.error(.head, of: address.endpoint.host, advice, now: surroundings.now())
        }
        return try Self.credentials(in: response, address)
    }

    /// `AssumeRoleWithWebIdentity`: the token itself authenticates the request, which is not signed.
    func assume(
        _ role: AWSRole, webIdentity token: String
    ) async throws(StoreError) -> ExpiringCredentials<AWSCredentials> {
        let address = try await surroundings.service(.sts)
        let request = HTTPRequest(
            .post, address.endpoint.origin + address.endpoint.path + "/", headers: Self.headers,
            body: .bytes(Self.form("AssumeRoleWithWebIdentity", role, ("WebIdentityToken", token))))
        let response: HTTPResponse
        do throws(HTTPFailure) {
            response = try await surroundings.transport.send(request, into: .collect(limit: Self.replyLimit))
        } catch {
            throw unanswered(error, address)
        }
        guard response.status == 200 else {
            var error = AWSFailure(response).error(
                .head, of: address.endpoint.host,
                "\(address.endpoint.host) does not give the role \(role.arn) for the web identity token; check that the role trusts "
                    + "its issuer and subject, and that the token has not expired", isQuoted: false,
                now: surroundings.now())
            // The token is read again at the next attempt, but whoever writes it has not done so yet.
            if error.code == .unauthenticated { error.retry = .never }
            throw error
        }
        return try Self.credentials(in: response, address)
    }

    private static func form(_ action: String, _ role: AWSRole, _ extra: (name: String, value: String?)) -> [UInt8] {
        var fields = [("Action", action), ("Version", "2011-06-15"), ("RoleArn", role.arn)]
        fields.append(("RoleSessionName", role.sessionName))
        if let duration = role.duration { fields.append(("DurationSeconds", String(duration))) }
        if let value = extra.value { fields.append((extra.name, value)) }
        return Array(fields.map { "\($0.0)=\(PercentEncoding.encode($0.1))" }.joined(separator: "&").utf8)
    }

    /// A session that was made and lost does no harm: another is asked for.
    private func unanswered(_ failure: HTTPFailure, _ address: AWSServiceAddress) -> StoreError {
        var error = StoreError(failure, .head, key: nil)
        error.message = "no keys of a role from \(address.endpoint.origin): \(failure.message)"
        return error
    }

    private static func credentials(
        in response: HTTPResponse, _ address: AWSServiceAddress
    ) throws(StoreError) -> ExpiringCredentials<AWSCredentials> {
        let limits = XMLLimits(bytes: replyLimit, depth: 16, elements: 1000)
        guard let found = (try? XMLElement.parse(response.body, limits: limits))?.first("Credentials"),
            let key = found.child("AccessKeyId")?.text, let secret = found.child("SecretAccessKey")?.text,
            let token = found.child("SessionToken")?.text,
            let expiration = found.child("Expiration").flatMap({ CivilTime(rfc3339: $0.text) }), !key.isEmpty,
            !secret.isEmpty
        else {
            throw StoreError(
                .invalidResponse, .head, message: "the answer of \(address.endpoint.origin) has no keys in it",
                retry: .transient)
        }
        return ExpiringCredentials(
            try AWSCredentials(key: key, secret: secret, token: token, from: address.endpoint.origin),
            expiration: expiration.secondsSince1970)
    }
}
