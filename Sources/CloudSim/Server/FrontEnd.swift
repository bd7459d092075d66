/// One cloud's HTTP API. All methods run on the event loop and must not block.
package protocol FrontEnd: AnyObject {
    var cloud: Cloud { get }

    /// Names the request from its head, before any check. Must be cheap and must not fail: unknown is an operation too.
    func classify(_ request: Request) -> RequestTarget

    /// Handles a request: take the body if there is one (`collectBody` or `streamBody`), then `respond` exactly once.
    /// Signatures, conditions and limits are the front end's work.
    func handle(_ exchange: Exchange)

    /// The cloud's own form of an error that a fault asks for.
    func errorResponse(_ error: FaultError, _ exchange: Exchange) -> Response

    /// The ETag of an object that the simulator itself makes (populate, replace) from its digests.
    func etag(for digests: BodyDigests) -> String

    /// Digests that every object of this cloud carries, for objects that the simulator itself makes.
    var standingDigests: DigestSet { get }

    /// The storage's name of a bucket that a person calls `name`; Azure adds the account.
    func storageName(ofBucket name: String) -> String

    /// Marks an object as archived (or readable again) in the cloud's own way.
    func setStorageClass(_ storageClass: String, archived: Bool, _ attributes: inout ObjectAttributes)
}

extension FrontEnd {
    package func storageName(ofBucket name: String) -> String { name }

    package func setStorageClass(_ storageClass: String, archived: Bool, _ attributes: inout ObjectAttributes) {
        attributes.storageClass = storageClass
        attributes.isArchived = archived
    }
}

/// An error that a fault asks the front end to phrase.
package enum FaultError: Sendable {
    /// A status with the code and message given, or with the cloud's usual ones for that status.
    case status(Int, code: String?, message: String?)
    case expiredCredentials
    /// The request's time is too far from the server's.
    case clockSkewed
    /// Too many requests (503 SlowDown, 429, ServerBusy).
    case slowDown
    /// The operation does not exist here.
    case notImplemented
}

/// What a front end works with. One per cloud; confined to the event loop.
package final class SimServices {
    package let cloud: Cloud
    package let configuration: SimConfiguration
    package let clock: SimClock
    package let storage: CloudStorage
    package let faults: FaultPlan
    /// `http://127.0.0.1:PORT`, set once the port is bound.
    package internal(set) var endpoint = ""
    private var requestNumber: UInt64 = 0

    init(cloud: Cloud, configuration: SimConfiguration, clock: SimClock, faults: FaultPlan) throws {
        self.cloud = cloud
        self.configuration = configuration
        self.clock = clock
        self.faults = faults
        storage = try CloudStorage(cloud: cloud, clock: clock, directory: configuration.dataDirectory)
    }

    /// Sixteen hex digits that differ between requests, for request-id headers.
    package func nextRequestID() -> String {
        requestNumber += 1
        let digits = String(requestNumber &* 0x9E37_79B9_7F4A_7C15 | 1 << 63, radix: 16, uppercase: true)
        return digits
    }
}
