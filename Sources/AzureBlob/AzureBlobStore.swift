package import Azure
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

/// One container of Azure Blob Storage or of a server that speaks its protocol.
///
/// A call is one attempt, with two exceptions: a reply that says no more than that this machine's clock is wrong is
/// learned from and the request sent again once, and `head` asks for the blob's blocks too, because only they tell
/// which checksum can be trusted.
package final class AzureBlobStore: ObjectStore {
    package let name: String
    package let rules: any ObjectRules = AzureBlobRules()

    let configuration: AzureBlobConfiguration
    let account: String
    let container: String
    private let address: AzureContainerAddress
    private let transport: any HTTPTransport
    private let credentials: SharedCredentials<AzureCredentials>?
    /// Seconds since 1970.
    private let now: @Sendable () -> Int64
    private let facts = Mutex(AzureServerFacts())

    /// Most blocks of one blob.
    static let maxBlocks = 50_000
    static let maxBlockSize: Int64 = 4000 << 20
    static let maxPutSize: Int64 = 5000 << 20
    /// Of one synchronous copy; larger blobs are copied block by block.
    static let maxCopySize: Int64 = 256 << 20
    static let maxPageSize = 5000
    /// Deletions of one call, and how many of them are under way at the same time.
    static let deleteBatch = 256
    static let deleteConcurrency = 16
    /// The service signs nothing for clocks that are 15 minutes off; a smaller difference is not what it complains
    /// about.
    private static let clockTolerance: Int64 = 300
    /// Seconds for which the source of a copy may be read.
    private static let sourceAccessDuration: Int64 = 3600
    /// Longest URL that the service takes as the source of a copy.
    private static let sourceURLLimit = 2048

    /// - Parameters:
    ///   - credentials: nil sends anonymous requests.
    ///   - now: seconds since 1970.
    package init(
        configuration: AzureBlobConfiguration, account: String, container: String, transport: any HTTPTransport,
        credentials: SharedCredentials<AzureCredentials>?, now: @escaping @Sendable () -> Int64 = { Int64(time(nil)) }
    ) {
        self.configuration = configuration
        self.account = account
        self.container = container
        self.transport = transport
        self.credentials = credentials
        self.now = now
        address = AzureContainerAddress(configuration, container: container)
        name = "az://\(account)/\(container)"
    }

    /// What the store found out about its server, one sentence each, for people.
    package var learned: [String] { facts.withLock { $0.notes } }

    /// Listings are in byte order; accounts with a hierarchical namespace sort `/` first, which the engine notices.
    package var capabilities: StoreCapabilities {
        let facts = knownFacts
        return StoreCapabilities(
            partSize: 1...Self.maxBlockSize, maxParts: Self.maxBlocks,
            maxObjectSize: Int64(Self.maxBlocks) * Self.maxBlockSize,
            maxPutSize: Self.maxPutSize, maxCopySize: facts.copiesFromURLs ? Self.maxCopySize : 0,
            copiesParts: facts.copiesFromURLs, discardsUploads: false,
            conditionalWrites: configuration.isAzure ? .enforced : .unproven, listPageLimit: Self.maxPageSize,
            deleteBatch: Self.deleteBatch, versionCoversAttributes: true,
            reportsChecksums: facts.verifiesChecksums != false)
    }

    var knownFacts: AzureServerFacts { facts.withLock { $0 } }

    func learn(_ change: (inout AzureServerFacts) -> Void) { facts.withLock { change(&$0) } }

    // MARK: sending

    /// Sends a request and returns its reply when it is a success (2xx).
    func send(_ request: AzureBlobRequest) async throws(StoreError) -> HTTPResponse {
        try check(request.key, request.operation)
        let credentials = try await currentCredentials(request)
        var mayCorrectClock = true
        while true {
            let offset = facts.withLock { $0.clockOffset }
            let response: HTTPResponse
            do throws(HTTPFailure) {
                response = try await transport.send(sign(request, credentials), into: request.sink)
            } catch {
                throw StoreError(error, request.operation, key: request.key)
            }
            if (200..<300).contains(response.status) {
                guard response.status == request.success ?? response.status else {
                    throw invalid(
                        request.operation, request.key,
                        "the server answers HTTP \(response.status), which is no answer to this call")
                }
                self.credentials?.accept()
                return response
            }
            let failure = AzureBlobFailure(response)
            if mayCorrectClock, correctClock(failure, used: offset) {
                mayCorrectClock = false
                continue
            }
            throw self.failure(failure, request, credentials)
        }
    }

    /// The service would silently use another name for some keys, so they are refused for every call.
    func check(_ key: ObjectKey?, _ operation: StoreOperation) throws(StoreError) {
        guard let key, let problem = rules.problem(with: key) else { return }
        throw StoreError(.invalidKey, operation, key: key, message: problem)
    }

    func invalid(_ operation: StoreOperation, _ key: ObjectKey?, _ message: String) -> StoreError {
        StoreError(
            .invalidResponse, operation, key: key, message: message,
            retry: operation.changesObjects ? .unknownOutcome : .transient)
    }

    private func currentCredentials(_ request: AzureBlobRequest) async throws(StoreError) -> AzureCredentials {
        let current: AzureCredentials
        do throws(StoreError) {
            current = try await credentials?.current() ?? .anonymous
        } catch {
            var error = error
            error.operation = request.operation
            error.key = request.key
            throw error
        }
        let endpoint = configuration.endpoint
        guard !current.mustTravelEncrypted || endpoint.scheme == "https" || endpoint.isLoopback else {
            throw StoreError(
                .unauthenticated, request.operation, key: request.key,
                message: "tokens and shared access signatures must not travel unencrypted: use https for \(endpoint)")
        }
        return current
    }

    private func sign(_ request: AzureBlobRequest, _ credentials: AzureCredentials) -> HTTPRequest {
        var headers = request.headers
        headers.append("x-ms-date", facts.withLock { $0.date(now: now()) })
        headers.append("x-ms-version", configuration.serviceVersion)
        return credentials.authorized(
            request.method, origin: address.origin, path: address.path(of: request.key), query: request.query,
            headers: headers, body: request.body, timeouts: request.timeouts)
    }

    /// Whether the signature failed for this machine's clock only, so that the request can be dated anew. Many requests
    /// can be refused together, and what the first has learned helps the others too.
    private func correctClock(_ failure: AzureBlobFailure, used: Int64) -> Bool {
        guard failure.code == "AuthenticationFailed" || (failure.code.isEmpty && failure.status == 403),
            let date = failure.headers["date"].flatMap({ CivilTime(httpDate: $0) })
        else { return false }
        let offset = date.secondsSince1970 - now()
        facts.withLock { facts in
            if abs(offset - facts.clockOffset) > Self.clockTolerance { facts.learn(clockOffset: offset) }
        }
        return abs(offset - used) > Self.clockTolerance
    }

    /// The error of a failed request. Credentials that the server calls expired are forgotten, so that a retry gets
    /// fresh ones.
    private func failure(
        _ failure: AzureBlobFailure, _ request: AzureBlobRequest, _ used: AzureCredentials
    ) -> StoreError {
        var error = failure.error(request.operation, key: request.key, container: container, now: now())
        if error.code == .unauthenticated, error.retry == .transient {
            if credentials?.refuse(used) != true { error.retry = .never }
        }
        switch used {
        case .anonymous where error.code == .forbidden: error.message += "; the request was anonymous"
        // To those whom it does not know Azure denies what is there, too.
        case .noneFound(let tried) where [.forbidden, .unauthenticated, .missingContainer].contains(error.code):
            error.message +=
                "; the request was anonymous: no account key, shared access signature or Entra identity is set up "
                + "(AZURE_STORAGE_KEY, AZURE_CLIENT_ID, …), and \(tried)"
        default: break
        }
        return error
    }

    // MARK: sources of copies

    /// The headers by which the service itself may read a blob of this container: secrets.
    ///
    /// With a key the URL is signed for this one blob; a signature is passed on. A token travels in a header of its own, which Copy
    /// Blob From URL and Put Block From URL take since version 2020-10-02: against a user delegation signature that saves the right
    /// to make one (Storage Blob Delegator) and a request for its key, and leaves the whole length of the URL to the blob's name.
    func sourceHeaders(_ key: ObjectKey, _ request: AzureBlobRequest) async throws(StoreError) -> HTTPHeaders {
        try check(key, request.operation)
        var headers = HTTPHeaders()
        var url = address.origin + address.path(of: key)
        switch try await currentCredentials(request) {
        case .sharedKey(let account, let secret):
            let access = AzureBlobSharedAccess(
                account: account, container: container, blob: key.text, serviceVersion: configuration.serviceVersion,
                expiry: now() + knownFacts.clockOffset + Self.sourceAccessDuration,
                allowsPlainHTTP: configuration.endpoint.scheme == "http")
            url += "?" + access.query(key: secret)
        case .sas(let signature): url += "?" + signature.revealed()
        case .token(let token): headers.append("x-ms-copy-source-authorization", "Bearer \(token.revealed())")
        case .anonymous, .noneFound: break
        }
        guard url.utf8.count <= Self.sourceURLLimit else {
            throw StoreError(
                .unsupportedObject, request.operation, key: key,
                message:
                    "the key is too long for a copy inside Azure: its URL with a signature has \(url.utf8.count) bytes, and at "
                    + "most \(Self.sourceURLLimit) are taken")
        }
        headers.append("x-ms-copy-source", url)
        return headers
    }
}
