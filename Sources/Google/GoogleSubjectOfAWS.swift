import Cryptography
import Digests
import FoundationEssentials
import HTTPStores
import HTTPTransport
import ObjectStores
import ReplicationModel

/// A workload on AWS, whose word is a signed request that Google sends to Amazon's token service: `environment_id` `aws1`.
///
/// The request is signed here rather than by the module of that cloud, which is beside this one: it is always the same request,
/// without body or path, so that of Signature Version 4 little is needed.
struct GoogleSubjectOfAWS: Sendable {
    /// Where the region and the role's keys are asked for when the environment has none.
    private let regionURL: String?
    private let credentialsURL: String?
    private let sessionTokenURL: String?
    /// Host of Amazon's token service, with `{region}` in it.
    private let host: String

    private static let standardVerification =
        "https://sts.{region}.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15"
    /// The one request that may be signed: others would let who wrote the file act as this workload.
    private static let query = "Action=GetCallerIdentity&Version=2011-06-15"
    private static let sessionLifetime = "300"
    private static let metadataTimeouts = HTTPTimeouts(connect: .seconds(1), stall: .seconds(3))

    struct Keys: Sendable {
        var accessKeyID: String
        var secretAccessKey: Secret
        var sessionToken: Secret?
    }

    private struct RoleKeys: Decodable {
        var accessKeyID: String
        var secretAccessKey: String
        var token: String?

        private enum CodingKeys: String, CodingKey {
            case accessKeyID = "AccessKeyId"
            case secretAccessKey = "SecretAccessKey"
            case token = "Token"
        }
    }

    private struct SignedRequest: Encodable {
        struct Header: Encodable {
            var key: String
            var value: String
        }

        var headers: [Header]
        var method: String
        var url: String
    }

    /// - Parameter path: of the credentials file, for messages; none quotes it.
    init(_ source: GoogleCredentialsDocument.Source, environment: String, path: String) throws(StoreError) {
        guard environment == "aws1" else {
            throw .credentials("\(path) names an environment_id that is not aws1")
        }
        func metadata(_ url: String?, _ name: String) throws(StoreError) -> String? {
            guard let url else { return nil }
            guard let endpoint = Endpoint(url), endpoint.isLoopback || GoogleSubject.isOfMetadata(endpoint) else {
                throw .credentials("\(path) names a \(name) that is not of Amazon's metadata service")
            }
            return url
        }
        regionURL = try metadata(source.regionUrl, "region_url")
        credentialsURL = try metadata(source.url, "credential_source.url")
        sessionTokenURL = try metadata(source.imdsv2SessionTokenUrl, "imdsv2_session_token_url")
        let verification = source.regionalCredVerificationUrl ?? Self.standardVerification
        let parts = verification.split(separator: "?", maxSplits: 1).map(String.init)
        guard parts.count == 2, parts[1].split(separator: "&").sorted().joined(separator: "&") == Self.query,
            let endpoint = Endpoint(parts[0].replacing("{region}", with: "region")), endpoint.scheme == "https",
            endpoint.port == nil, endpoint.path.isEmpty, endpoint.host.hasPrefix("sts"),
            [".amazonaws.com", ".amazonaws.com.cn", ".api.aws"].contains(where: { endpoint.host.hasSuffix($0) })
        else {
            throw .credentials(
                "\(path) names a regional_cred_verification_url that does not ask Amazon's token service who is calling"
            )
        }
        host = String(parts[0].dropFirst("https://".count).prefix { $0 != "/" })
    }

    func token(for account: GoogleExternalAccount, _ client: GoogleTokenClient) async throws(StoreError) -> Secret {
        func variable(_ name: String) -> String? { client.environment[name].flatMap { $0.isEmpty ? nil : $0 } }
        var region = variable("AWS_REGION") ?? variable("AWS_DEFAULT_REGION")
        var keys: Keys?
        if let id = variable("AWS_ACCESS_KEY_ID"), let secret = variable("AWS_SECRET_ACCESS_KEY") {
            keys = Keys(
                accessKeyID: id, secretAccessKey: Secret(secret),
                sessionToken: variable("AWS_SESSION_TOKEN").map { Secret($0) })
        }
        if region == nil || keys == nil {
            let session = try await session(client)
            if region == nil { region = try await metadataRegion(session, client) }
            if keys == nil { keys = try await metadataKeys(session, client) }
        }
        guard let region, let keys, !region.isEmpty,
            region.utf8.allSatisfy({ (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x2D })
        else { throw .credentials("the region of this workload on AWS is no name of a region; set AWS_REGION") }
        return try Self.signedRequest(
            host: host.replacing("{region}", with: region), region: region, keys: keys, audience: account.audience,
            now: client.now())
    }

    // MARK: Amazon's metadata service

    /// The headers of a session (IMDSv2), or none where the file asks without.
    private func session(_ client: GoogleTokenClient) async throws(StoreError) -> HTTPHeaders {
        guard let sessionTokenURL else { return [:] }
        let headers: HTTPHeaders = ["x-aws-ec2-metadata-token-ttl-seconds": Self.sessionLifetime]
        return ["x-aws-ec2-metadata-token": try await ask(.put, sessionTokenURL, headers, client)]
    }

    private func metadataRegion(_ session: HTTPHeaders, _ client: GoogleTokenClient) async throws(StoreError) -> String
    {
        guard let regionURL else {
            throw .credentials("the region of this workload on AWS is not known: set AWS_REGION")
        }
        // It is a zone, `eu-west-1b`.
        return String(try await ask(.get, regionURL, session, client).dropLast())
    }

    private func metadataKeys(_ session: HTTPHeaders, _ client: GoogleTokenClient) async throws(StoreError) -> Keys {
        guard let credentialsURL else {
            throw .credentials(
                "this workload's keys on AWS are not known: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
        }
        let role = try await ask(.get, credentialsURL, session, client)
        let base = credentialsURL.hasSuffix("/") ? credentialsURL : credentialsURL + "/"
        let reply = try await ask(.get, base + PercentEncoding.encode(role), session, client)
        guard let keys = try? JSONDecoder().decode(RoleKeys.self, from: Data(reply.utf8)) else {
            throw .credentials("Amazon's metadata service gives no keys of the role of this machine")
        }
        return Keys(
            accessKeyID: keys.accessKeyID, secretAccessKey: Secret(keys.secretAccessKey),
            sessionToken: keys.token.map { Secret($0) })
    }

    /// The text of a reply, of one line or a document.
    private func ask(
        _ method: HTTPMethod, _ url: String, _ headers: HTTPHeaders, _ client: GoogleTokenClient
    ) async throws(StoreError) -> String {
        let call = GoogleTokenClient.Call(
            method: method, url: url, headers: headers, timeouts: Self.metadataTimeouts,
            reach: GoogleSubject.reach(of: url), advice: "check that this machine has a role")
        let text = String(decoding: try await client.succeed(call).body, as: UTF8.self)
        guard let line = text.split(whereSeparator: \.isNewline).first else {
            throw client.unexpected(call, "is empty")
        }
        return text.hasPrefix("{") ? text : String(line)
    }

    // MARK: Signature Version 4

    /// The request as Google's token service takes it: JSON with sorted keys, percent-encoded.
    static func signedRequest(
        host: String, region: String, keys: Keys, audience: String, now: Int64
    ) throws(StoreError) -> Secret {
        let timestamp = CivilTime(secondsSince1970: now).basic
        let date = String(timestamp.prefix(8))
        var headers = [("host", host), ("x-amz-date", timestamp)]
        if let token = keys.sessionToken { headers.append(("x-amz-security-token", token.revealed())) }
        headers.append(("x-goog-cloud-target-resource", audience))
        let names = headers.map(\.0).joined(separator: ";")
        let lines = headers.map { "\($0.0):\($0.1)\n" }.joined()
        let canonical = "POST\n/\n\(query)\n\(lines)\n\(names)\n\(Hex.encode(SHA256.hash([])))"
        let service = String(host.prefix { $0 != "." && $0 != "-" })
        let scope = "\(date)/\(region)/\(service)/aws4_request"
        let text = "AWS4-HMAC-SHA256\n\(timestamp)\n\(scope)\n\(Hex.encode(SHA256.hash(Array(canonical.utf8))))"
        var key = Array("AWS4".utf8) + Array(keys.secretAccessKey.revealed().utf8)
        for step in [date, region, service, "aws4_request", text] {
            key = HMACSHA256.authenticate(key: key, message: Array(step.utf8))
        }
        let authorization =
            "AWS4-HMAC-SHA256 Credential=\(keys.accessKeyID)/\(scope), SignedHeaders=\(names), Signature=\(Hex.encode(key))"
        headers.append(("Authorization", authorization))
        let request = SignedRequest(
            headers: headers.map { SignedRequest.Header(key: $0.0, value: $0.1) }, method: "POST",
            url: "https://\(host)?\(query)")
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do {
            return Secret(PercentEncoding.encode(Array(try encoder.encode(request))))
        } catch {
            throw .credentials("the signed request cannot be written: \(error)")
        }
    }
}
