import NIOCore
import NIOHTTP1

/// Google Cloud Storage: the JSON API, the XML API with its multipart uploads, batches and tokens.
///
/// A request is a `GCSCall`. Calls whose body is a document are answered by `answer(_:body:)`, which batches use too;
/// calls whose body is an object's bytes stream it into storage first. Confined to the event loop.
///
/// Not simulated, and refused where a client asks for it: access control lists, signed URLs and HMAC keys, customer
/// encryption keys, `matchGlob`, soft delete, folders, resumable uploads of the XML API. Faults act on a batch as a whole.
package final class GCSFrontEnd: FrontEnd {
    package let cloud = Cloud.gcs
    let services: SimServices
    let access: GCSAccess
    let sessions: GCSResumableSessions
    var rewrites = GCSRewriteTokens()

    package init(_ services: SimServices) {
        self.services = services
        access = GCSAccess(services)
        sessions = GCSResumableSessions(services)
    }

    var storage: CloudStorage { services.storage }

    /// What is computed of every object's bytes. MD5 may be switched off because it is dear.
    package var standingDigests: DigestSet {
        services.configuration.etag == .md5 ? [.crc32c, .md5] : .crc32c
    }

    package func etag(for digests: BodyDigests) -> String { "" }

    package func setStorageClass(_ storageClass: String, archived: Bool, _ attributes: inout ObjectAttributes) {
        // Every class of this service can be read at once.
        attributes.storageClass = storageClass
    }

    package func classify(_ request: Request) -> RequestTarget {
        var target = GCSRoute(request).target
        if target.key == nil, let id = request.queryValue("upload_id") { target.key = sessions[id]?.name }
        return target
    }

    package func handle(_ exchange: Exchange) {
        let call = GCSCall(exchange, origin: origin(of: exchange.request))
        do {
            try access.check(call)
            try dispatch(call, exchange)
        } catch {
            fail(error, call, exchange)
        }
    }

    private func dispatch(_ call: GCSCall, _ exchange: Exchange) throws {
        switch call.route.action {
        case .insertMedia: try insertMedia(call, exchange)
        case .insertMultipart: try insertMultipart(call, exchange)
        case .resumableChunk: try takeChunk(call, exchange)
        case .xmlPut: try putObject(call, exchange)
        case .xmlPart: try putPart(call, exchange)
        case .listObjects, .getMedia, .getMetadata, .delete:
            // A body that nobody needs is not waited for.
            exchange.respond(try answer(call, body: []))
        default:
            exchange.collectBody(limit: GCSLimits.documentBytes) { [self] result in
                do {
                    let body = Array(try result.get().readableBytesView)
                    exchange.respond(
                        call.route.action == .batch
                            ? try batch(call, body: body) : try answer(call, body: body))
                } catch {
                    fail(error, call, exchange)
                }
            }
        }
    }

    /// Answers a call whose body, if any, is a document.
    func answer(_ call: GCSCall, body: [UInt8]) throws -> Response {
        switch call.route.action {
        case .listBuckets: try listBuckets(call)
        case .insertBucket: try insertBucket(call, body: body)
        case .getBucket: try getBucket(call)
        case .patchBucket: try patchBucket(call, body: body)
        case .deleteBucket: try deleteBucket(call)
        case .storageLayout: try storageLayout(call)
        case .xmlCreateBucket: try createBucket(call)
        case .listObjects: call.route.api == .json ? try listObjects(call) : try listObjectsAsXML(call)
        case .getMetadata: try getMetadata(call)
        case .getMedia: try getMedia(call)
        case .patch: try edit(call, body: body, replacing: false)
        case .update: try edit(call, body: body, replacing: true)
        case .delete: try delete(call)
        case .startResumable: try startResumable(call, body: body)
        case .cancelResumable: try cancelResumable(call)
        case .compose: try compose(call, body: body)
        case .rewrite: try rewrite(call, body: body)
        case .copy: try copy(call, body: body)
        case .move: try move(call)
        case .xmlCopy: try copyObject(call)
        case .xmlInitiate: try initiateUpload(call)
        case .xmlComplete: try completeUpload(call, body: body)
        case .xmlListParts: try listParts(call)
        case .xmlAbort: try abortUpload(call)
        case .xmlListUploads: try listUploads(call)
        case .token: try access.issueToken(call, form: body)
        case .serviceAccount: try access.serviceAccountFile(call)
        case .unknown: throw call.route.api == .json ? GCSError.notFoundPath : GCSError.methodNotAllowed
        case .insertMedia, .insertMultipart, .resumableChunk, .xmlPut, .xmlPart, .batch:
            throw GCSError.invalid("This call cannot be part of a batch.")
        }
    }

    /// `http://host:port` as the client reached the server.
    private func origin(of request: Request) -> String {
        request.header("host").map { "http://\($0)" } ?? services.endpoint
    }

    // MARK: Refusals

    /// Answers with an error, unless the client is gone.
    func fail(_ error: any Error, _ call: GCSCall, _ exchange: Exchange) {
        if case BodyError.connectionClosed = error { return }
        exchange.respond(refusal(error, call))
    }

    /// Any error in the form that the called API has.
    func refusal(_ error: any Error, _ call: GCSCall) -> Response {
        let known: GCSError
        switch error {
        case let error as GCSError: known = error
        case BodyError.tooLarge: known = .tooLarge
        default:
            known = GCSError(status: 500, reason: "backendError", xmlCode: "InternalError", message: "\(error)")
        }
        return known.response(to: call)
    }

    package func errorResponse(_ error: FaultError, _ exchange: Exchange) -> Response {
        let call = GCSCall(exchange, origin: origin(of: exchange.request))
        let known: GCSError
        switch error {
        case .status(let status, let code, let message):
            known = .ofStatus(status, code, message)
        case .expiredCredentials, .clockSkewed:
            known = .unauthorized("Invalid Credentials", reason: "authError")
        case .slowDown:
            known = GCSError(
                status: 429, reason: "rateLimitExceeded", xmlCode: "SlowDown",
                message: "The object exceeded the rate limit for object mutation operations.")
        case .notImplemented:
            known = .notImplemented("This call is switched off.")
        }
        return known.response(to: call)
    }
}
