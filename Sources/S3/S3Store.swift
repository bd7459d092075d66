package import AWS
import Cryptography
package import HTTPStores
package import HTTPTransport
package import ObjectStores
import ReplicationModel
import Synchronization

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// One bucket of Amazon S3 or of a server that speaks its protocol.
///
/// A call is one attempt, with one exception: a reply that only corrects the request (the bucket's region, this
/// machine's clock, a header that a clone does not know) is learned from and the request sent again inside the call, a
/// bounded number of times.
package final class S3Store: ObjectStore {
    package let name: String
    package let rules: any ObjectRules

    let configuration: S3Configuration
    let bucket: String
    private let transport: any HTTPTransport
    private let credentials: SharedCredentials<AWSCredentials>?
    /// Seconds since 1970.
    private let now: @Sendable () -> Int64
    private let facts: Mutex<S3ServerFacts>

    /// How often one call is sent again because a reply corrected it.
    private static let correctionLimit = 2
    /// A smaller difference of clocks, in seconds, is not what a server complains about.
    private static let clockTolerance: Int64 = 60

    /// - Parameters:
    ///   - credentials: nil sends anonymous requests.
    ///   - now: seconds since 1970.
    package init(
        configuration: S3Configuration, bucket: String, transport: any HTTPTransport,
        credentials: SharedCredentials<AWSCredentials>?,
        now: @escaping @Sendable () -> Int64 = { Int64(time(nil)) }
    ) {
        self.configuration = configuration
        self.bucket = bucket
        self.transport = transport
        self.credentials = credentials
        self.now = now
        name = "s3://\(bucket)"
        var facts = S3ServerFacts(region: configuration.region)
        let address = facts.address(of: bucket, in: configuration)
        rules = S3Rules(isAWS: configuration.isAWS, isVirtualHost: address.isVirtualHost)
        self.facts = Mutex(facts)
    }

    /// What the store found out about its server, one sentence each, for people.
    package var learned: [String] { facts.withLock { $0.notes } }

    package var capabilities: StoreCapabilities {
        let facts = knownFacts
        let isAWS = configuration.isAWS
        return StoreCapabilities(
            partSize: (5 << 20)...(5 << 30), maxParts: 10_000,
            maxObjectSize: isAWS ? 10_000 * (5 << 30) : 5 << 40, maxPutSize: 5 << 30, maxCopySize: 5 << 30,
            copiesParts: facts.copiesParts, conditionalWrites: isAWS ? .enforced : .unproven, listPageLimit: 1000,
            deleteBatch: facts.deletesBatches ? 1000 : 1, versionCoversAttributes: false,
            reportsChecksums: facts.reportsOnWrite)
    }

    var knownFacts: S3ServerFacts { facts.withLock { $0 } }

    func learn(_ change: (inout S3ServerFacts) -> Void) { facts.withLock { change(&$0) } }

    // MARK: sending

    /// Sends a request and returns its reply when it is a success (2xx).
    func send(_ request: S3Request) async throws(StoreError) -> HTTPResponse {
        var corrections = 0
        var redirected: S3Address?
        while true {
            let (signed, address, region, offset, used) = try await sign(request, for: redirected)
            let response: HTTPResponse
            do throws(HTTPFailure) {
                response = try await transport.send(signed, into: request.sink)
            } catch {
                throw StoreError(error, request.operation, key: request.key)
            }
            if (200..<300).contains(response.status) {
                credentials?.accept()
                return response
            }
            var failure = S3Failure(response)
            if corrections < Self.correctionLimit {
                corrections += 1
                if correctClock(failure, used: offset) || correctRegion(failure, used: region) {
                    redirected = nil
                    continue
                }
                if let other = redirection(failure, from: address) {
                    redirected = other
                    continue
                }
            }
            if request.method == .head, failure.status == 400, let told = await reason(of: request, at: redirected) {
                failure = told
            }
            throw self.failure(failure, request, used)
        }
    }

    /// Why a HEAD is refused as a bad request, in the words of the refusal of a GET: replies to HEAD have none. nil when
    /// the GET is not refused like that.
    private func reason(of request: S3Request, at redirected: S3Address?) async -> S3Failure? {
        var get = S3Request(request.operation, .get, key: request.key, headers: ["range": "bytes=0-0"])
        get.sink = .collect(limit: 1 << 16)
        do {
            let (signed, _, _, _, _) = try await sign(get, for: redirected)
            let response = try await transport.send(signed, into: get.sink)
            let failure = S3Failure(response)
            return response.status == 400 && !failure.code.isEmpty ? failure : nil
        } catch {
            // The refusal stands, without words.
            return nil
        }
    }

    /// The error of a failed request. Credentials that the server calls expired are forgotten, so that a retry gets
    /// fresh ones.
    ///
    /// - Parameter used: what the request was signed with; nil for refusals inside of successes.
    func failure(_ failure: S3Failure, _ request: S3Request, _ used: AWSCredentials? = nil) -> StoreError {
        var error = failure.error(request.operation, key: request.key, bucket: bucket, now: now())
        if error.code == .unauthenticated, error.retry == .transient {
            guard let credentials else {
                error.retry = .never
                return error
            }
            if let used, !credentials.refuse(used) {
                error.message += "; those that were found instead are refused too"
                error.retry = .never
            }
        }
        if error.code == .forbidden, credentials == nil { error.message += "; the request was anonymous" }
        return error
    }

    private func sign(
        _ request: S3Request, for redirected: S3Address?
    ) async throws(StoreError) -> (
        request: HTTPRequest, address: S3Address, region: String, clockOffset: Int64, used: AWSCredentials?
    ) {
        var signer: AWSCredentials?
        do throws(StoreError) {
            signer = try await credentials?.current()
        } catch {
            var error = error
            error.operation = request.operation
            error.key = request.key
            throw error
        }
        let seconds = now()
        let (address, region, offset, time, key) = facts.withLock { facts in
            let time = facts.signingTime(now: seconds)
            return (
                redirected ?? facts.address(of: bucket, in: configuration), facts.region, facts.clockOffset, time,
                signer.map { facts.signingKey($0, date: time.date) }
            )
        }
        let path = request.path(at: address)
        let query = request.query.text
        var headers = request.headers
        if let signer, let key {
            headers.append("x-amz-date", time.timestamp)
            headers.append("x-amz-content-sha256", request.payloadHash)
            if let token = signer.sessionToken { headers.append("x-amz-security-token", token.revealed()) }
            let input = AWSSigner.Input(
                method: request.method, path: path, query: query, authority: address.authority, headers: headers,
                payloadHash: request.payloadHash)
            headers.append("authorization", AWSSigner.authorization(input, time: time, key: key))
        }
        let url = "\(address.scheme)://\(address.authority)\(path)\(query.isEmpty ? "" : "?\(query)")"
        return (
            HTTPRequest(request.method, url, headers: headers, body: request.body, timeouts: request.timeouts), address,
            region, offset, signer
        )
    }

    // MARK: corrections

    /// Learns the server's time from a reply that calls ours skewed; true when that changes the signature. Many requests can be refused
    /// together, and what the first has learned helps the others too.
    private func correctClock(_ failure: S3Failure, used: Int64) -> Bool {
        guard failure.code == "RequestTimeTooSkewed",
            let date = failure.headers["date"].flatMap({ CivilTime(httpDate: $0) })
        else {
            return false
        }
        let offset = date.secondsSince1970 - now()
        facts.withLock { facts in
            if abs(offset - facts.clockOffset) > Self.clockTolerance { facts.learn(clockOffset: offset) }
        }
        return abs(offset - used) > Self.clockTolerance
    }

    /// Learns the bucket's region from a reply that names another one than was signed for.
    private func correctRegion(_ failure: S3Failure, used: String) -> Bool {
        let misdirected =
            switch failure.status {
            case 301, 307: true
            // Replies to HEAD have no code.
            case 400: ["", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"].contains(failure.code)
            default: false
            }
        guard misdirected, let region = failure.region, region != used else { return false }
        facts.withLock { $0.learn(region: region, bucket: bucket) }
        return true
    }

    /// Where a temporary redirect sends one request: only within Amazon's own domain, and never from https to http.
    private func redirection(_ failure: S3Failure, from address: S3Address) -> S3Address? {
        guard failure.status == 307, let configured = AWSHost(configuration.endpoint(in: configuration.region).host),
            let location = failure.location?.split(separator: "?", maxSplits: 1).first,
            let target = Endpoint(String(location)), target.scheme == address.scheme,
            target.authority != address.authority,
            AWSHost(target.host)?.domain == configured.domain
        else { return nil }
        var redirected = address
        redirected.authority = target.authority
        redirected.isVirtualHost = target.host.hasPrefix(bucket + ".s3")
        // A host without the bucket's name takes the first segment of the path for a bucket.
        redirected.basePath = redirected.isVirtualHost ? "" : "/\(PercentEncoding.encode(bucket))"
        return redirected
    }
}
