import Cryptography
import FoundationEssentials
package import Google
package import HTTPStores
package import HTTPTransport
package import ObjectStores
import ReplicationModel
import Synchronization
import XMLStreaming

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// One bucket of Google Cloud Storage or of an emulator of its JSON API.
///
/// A call is one attempt. Version tokens are `generation/metageneration`, so that a change of attributes alone is
/// seen too.
///
/// Large objects go one of two ways. With at most `sequentialPartLimit` parts, or where there is nothing else, a
/// resumable session takes them one after the other: one request to open it, one per part and one to finish. Beyond,
/// parts travel in parallel through the XML API's multipart upload, for one request more. That knows no conditions,
/// so it writes to a temporary name below `GCSStaging.prefix`, from which the checked object is moved to its own
/// under the condition given.
package final class GCSStore: ObjectStore {
    package let name: String
    package let rules: any ObjectRules = GCSRules()

    let configuration: GCSConfiguration
    let address: GCSAddress
    /// Seconds since 1970.
    let now: @Sendable () -> Int64
    let sessions = GCSResumableSessions()
    let listed = GCSListedAttributes()

    private let transport: any HTTPTransport
    private let credentials: SharedCredentials<GoogleToken>?
    private let facts = Mutex(GCSServerFacts())

    /// Uploads of at most so many parts go through resumable sessions: they need a request less than multipart
    /// uploads and no temporary object, and so few parts gain little by being parallel.
    let sequentialPartLimit: Int
    package static let standardSequentialPartLimit = 2

    /// - Parameters:
    ///   - credentials: nil sends anonymous requests.
    ///   - sequentialPartLimit: 0 and a very large number make every upload go one way, for tests.
    ///   - now: seconds since 1970.
    package init(
        configuration: GCSConfiguration, bucket: String, transport: any HTTPTransport,
        credentials: SharedCredentials<GoogleToken>?,
        sequentialPartLimit: Int = standardSequentialPartLimit,
        now: @escaping @Sendable () -> Int64 = { Int64(time(nil)) }
    ) {
        self.configuration = configuration
        self.transport = transport
        self.credentials = credentials
        self.sequentialPartLimit = sequentialPartLimit
        self.now = now
        name = "gs://\(bucket)"
        address = GCSAddress(configuration.endpoint, bucket: bucket)
    }

    package var capabilities: StoreCapabilities {
        StoreCapabilities(
            partSize: (5 << 20)...(5 << 30), partSizeMultiple: Int64(GCSResumableProgress.quantum), maxParts: 10_000,
            maxObjectSize: 5 << 40, maxPutSize: 5 << 40, maxCopySize: 5 << 40, copiesParts: false,
            conditionalWrites: configuration.isGoogle ? .enforced : .unproven, listPageLimit: 1000, deleteBatch: 100,
            versionCoversAttributes: true, reportsChecksums: true)
    }

    /// What the store found out about its server, one sentence each, for people.
    package var learned: [String] { facts.withLock { $0.notes } }

    var knownFacts: GCSServerFacts { facts.withLock { $0 } }

    func learn(_ change: (inout GCSServerFacts) -> Void) { facts.withLock { change(&$0) } }

    // MARK: sending

    /// Sends a request and returns its reply when it is a success (2xx) or another answer that the request names.
    func send(_ request: GCSRequest) async throws(StoreError) -> HTTPResponse {
        var headers = request.headers
        let token = try await token(for: request)
        if let token { headers.append("authorization", "Bearer \(token.value.revealed())") }
        let response: HTTPResponse
        do throws(HTTPFailure) {
            response = try await transport.send(
                HTTPRequest(
                    request.method, request.url.text, headers: headers, body: request.body, timeouts: request.timeouts),
                into: request.sink)
        } catch {
            var failure = StoreError(error, request.operation, key: request.key)
            // Parts and sessions are invisible until they are completed, and can be sent again.
            if failure.retry == .unknownOutcome, !request.operation.changesObjects { failure.retry = .transient }
            throw failure
        }
        guard (200..<300).contains(response.status) || request.answers.contains(response.status) else {
            throw self.error(GCSFailure(response), request, token)
        }
        credentials?.accept()
        return response
    }

    private func token(for request: GCSRequest) async throws(StoreError) -> GoogleToken? {
        guard let credentials else { return nil }
        do throws(StoreError) {
            return try await credentials.current()
        } catch {
            var error = error
            error.operation = request.operation
            error.key = request.key
            throw error
        }
    }

    /// The error of a failed request. A refused token is forgotten so that a retry gets a fresh one; one that is refused
    /// too ends that.
    private func error(_ failure: GCSFailure, _ request: GCSRequest, _ token: GoogleToken?) -> StoreError {
        var error = failure.error(request.operation, key: request.key, bucket: address.bucket, now: now())
        guard failure.status == 401 else {
            if error.code == .forbidden, token == nil { error.message += "; the request was anonymous" }
            return error
        }
        guard let token, let credentials else {
            error.message += "; the request was anonymous: set GOOGLE_APPLICATION_CREDENTIALS"
            error.retry = .never
            return error
        }
        if !credentials.refuse(token) {
            error.message += "; a new one was refused too: check the credentials"
            error.retry = .never
        }
        return error
    }

    // MARK: documents

    /// Decodes the JSON of a reply.
    func decode<Document: Decodable>(
        _ type: Document.Type, _ response: HTTPResponse, _ request: GCSRequest
    ) throws(StoreError) -> Document {
        do {
            return try JSONDecoder().decode(type, from: Data(response.body))
        } catch {
            try throwEnclosedError(response, request)
            throw invalid(request.operation, request.key, "the reply is not the JSON that was expected")
        }
    }

    /// The root of a reply's XML document.
    func document(_ response: HTTPResponse, _ request: GCSRequest, named name: String) throws(StoreError) -> XMLElement
    {
        let root: XMLElement
        do {
            root = try XMLElement.parse(response.body)
        } catch {
            throw invalid(request.operation, request.key, "the reply cannot be read: \(error)")
        }
        guard root.name == name else {
            try throwEnclosedError(response, request)
            throw invalid(request.operation, request.key, "the reply is a <\(root.name.prefix(60))>, not a <\(name)>")
        }
        return root
    }

    /// Long calls may report success before they fail: then the document is an error's.
    private func throwEnclosedError(_ response: HTTPResponse, _ request: GCSRequest) throws(StoreError) {
        guard GCSFailure.document(response.body) != nil else { return }
        var failed = response
        failed.status = 500
        throw GCSFailure(failed).error(request.operation, key: request.key, bucket: address.bucket, now: now())
    }

    func invalid(_ operation: StoreOperation, _ key: ObjectKey?, _ message: String) -> StoreError {
        StoreError(
            .invalidResponse, operation, key: key, message: message,
            retry: operation.changesObjects ? .unknownOutcome : .transient)
    }
}
