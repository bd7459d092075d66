import Cryptography
import Digests
import FoundationEssentials
import HTTPStores
import HTTPTransport
import ObjectStores
import ReplicationModel

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// The token that `aws sso login` has left in its cache, renewed when that is possible without a person.
///
/// The cache is shared with Amazon's own tools, so a renewed token is written back: the old one's refresh token is used up.
struct SSOToken {
    private let startURL: String
    private let region: String
    private let profile: String
    private let path: String
    private let directory: String
    private let isRefreshable: Bool
    private let surroundings: AWSSurroundings

    /// Seconds before its expiry from which a token is renewed.
    private static let margin: Int64 = 900
    private static let replyLimit = 64 << 10

    private struct Entry: Codable {
        var startUrl: String?
        var region: String?
        var accessToken: String
        var expiresAt: String
        var clientId: String?
        var clientSecret: String?
        var registrationExpiresAt: String?
        var refreshToken: String?
    }

    private struct Reply: Decodable {
        var accessToken: String
        var expiresIn: Int64
        var refreshToken: String?
    }

    private struct Request: Encodable {
        var clientId: String
        var clientSecret: String
        var grantType = "refresh_token"
        var refreshToken: String
    }

    /// - Parameters:
    ///   - name: of the session, or the start URL where there is none: its hash names the file.
    ///   - isRefreshable: whether the token belongs to a session; others cannot be renewed.
    init(
        name: String, isRefreshable: Bool, startURL: String, region: String, profile: String,
        _ surroundings: AWSSurroundings
    ) {
        self.startURL = startURL
        self.region = region
        self.profile = profile
        self.isRefreshable = isRefreshable
        self.surroundings = surroundings
        directory = "\(surroundings.environment["HOME"] ?? "")/.aws/sso/cache"
        path = "\(directory)/\(Hex.encode(SHA1.hash(Array(name.utf8)))).json"
    }

    /// The token as it goes into a header.
    func current() async throws(StoreError) -> String {
        let (entry, expiration) = try read()
        let left = expiration - surroundings.now()
        if left > Self.margin { return entry.accessToken }
        var failure: StoreError?
        do throws(StoreError) {
            if let fresh = try await renew(entry) { return fresh }
        } catch {
            failure = error
            // A refresh token counts once: another profile or program may have been faster, and its token is as good.
            if let (newer, expiration) = try? read(), newer.accessToken != entry.accessToken,
                expiration > surroundings.now()
            {
                return newer.accessToken
            }
        }
        if left > 0 { return entry.accessToken }
        if let failure, failure.retry != .never { throw failure }
        throw login("has expired" + (failure.map { " and cannot be renewed: \($0.message)" } ?? ""))
    }

    private func login(_ what: String) -> StoreError {
        .credentials("the single sign-on token of profile \(profile) \(what); run `aws sso login --profile \(profile)`")
    }

    private func read() throws(StoreError) -> (entry: Entry, expiration: Int64) {
        guard let bytes = try SmallFile.bytesIfThere(path, called: "the single sign-on token") else {
            throw login("is not there")
        }
        guard let entry = try? JSONDecoder().decode(Entry.self, from: Data(bytes)),
            let expiration = Self.time(entry.expiresAt),
            entry.accessToken.utf8.allSatisfy({ (0x21...0x7E).contains($0) })
        else { throw login("in \(path) cannot be read") }
        return (entry, expiration)
    }

    /// Older tools write `UTC` for `Z`.
    private static func time(_ text: String) -> Int64? {
        CivilTime(rfc3339: text.hasSuffix("UTC") ? "\(text.dropLast(3))Z" : text)?.secondsSince1970
    }

    /// A new token for the refresh token; nil when there is none that counts.
    private func renew(_ entry: Entry) async throws(StoreError) -> String? {
        let now = surroundings.now()
        guard isRefreshable, let refresh = entry.refreshToken, let id = entry.clientId, let secret = entry.clientSecret,
            let registration = entry.registrationExpiresAt.flatMap(Self.time), registration > now,
            let body = try? JSONEncoder().encode(Request(clientId: id, clientSecret: secret, refreshToken: refresh))
        else { return nil }
        let draft = try Draft(in: directory)
        defer { draft.discard() }
        let address = try await surroundings.service(.ssoTokens, region: region)
        let request = HTTPRequest(
            .post, "\(address.endpoint)/token", headers: ["content-type": "application/json"],
            body: .bytes(Array(body)))
        let response: HTTPResponse
        do throws(HTTPFailure) {
            response = try await surroundings.transport.send(request, into: .collect(limit: Self.replyLimit))
        } catch {
            var failure = StoreError(error, .head, key: nil)
            failure.message = "no new token from \(address.endpoint.origin): \(error.message)"
            throw failure
        }
        guard response.status == 200 else {
            throw AWSFailure(response).error(
                .head, of: address.endpoint.host, "\(address.endpoint.host) renews no token", isQuoted: false, now: now)
        }
        guard let reply = try? JSONDecoder().decode(Reply.self, from: Data(response.body)),
            !reply.accessToken.isEmpty, reply.accessToken.utf8.allSatisfy({ (0x21...0x7E).contains($0) })
        else {
            throw StoreError(
                .invalidResponse, .head, message: "the answer of \(address.endpoint.host) has no token in it")
        }
        var fresh = entry
        fresh.startUrl = startURL
        fresh.region = region
        fresh.accessToken = reply.accessToken
        fresh.expiresAt = CivilTime(secondsSince1970: now + min(max(reply.expiresIn, 0), 31_536_000)).rfc3339
        fresh.refreshToken = reply.refreshToken ?? refresh
        let bytes: Data
        do { bytes = try JSONEncoder().encode(fresh) } catch {
            // The old refresh token counts no more: silence would make the next run fail without a reason.
            throw login("was renewed and cannot be kept in \(path)")
        }
        // On a full disk the token still serves this run; the next one says that it cannot be renewed, and what to do.
        try? draft.replace(path, with: Array(bytes))
        return reply.accessToken
    }
}

/// A file that only this user may read and that takes a name once it is whole. It is made before the token is renewed: one that could
/// not be kept would be lost.
private struct Draft {
    private let path: String
    private let descriptor: Int32

    init(in directory: String) throws(StoreError) {
        path = "\(directory)/.lockstep-\(Hex.encode(Secret.random(8).withBytes { Array($0) })).tmp"
        descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw Self.failure(directory) }
    }

    func replace(_ target: String, with bytes: [UInt8]) throws(StoreError) {
        guard write(descriptor, bytes, bytes.count) == bytes.count, fsync(descriptor) == 0, rename(path, target) == 0
        else { throw Self.failure(target) }
    }

    func discard() {
        close(descriptor)
        unlink(path)
    }

    private static func failure(_ path: String) -> StoreError {
        .credentials("\(path) cannot be written: \(String(cString: strerror(errno)))")
    }
}
