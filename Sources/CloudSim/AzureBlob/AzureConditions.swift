/// The conditional headers of a request, checked against the blob they concern.
///
/// Reads answer 304 where a cache would be fresh, writes answer 412; creating over an existing blob is 409.
struct AzureConditions {
    private var ifMatch: String?
    private var ifNoneMatch: String?
    private var ifModifiedSince: SimTime?
    private var ifUnmodifiedSince: SimTime?
    private var leaseID: String?

    /// - Parameter prefix: empty for the request's own blob, `x-ms-source-` for the source of a copy.
    init(_ request: AzureRequest, prefix: String = "") throws(AzureError) {
        ifMatch = try Self.tag(request, prefix + "if-match")
        ifNoneMatch = try Self.tag(request, prefix + "if-none-match")
        ifModifiedSince = try Self.time(request, prefix + "if-modified-since")
        ifUnmodifiedSince = try Self.time(request, prefix + "if-unmodified-since")
        if request.header("x-ms-if-tags") != nil { throw .notSimulated("conditions on tags (x-ms-if-tags)") }
        leaseID = request.header("x-ms-lease-id")
    }

    private static func tag(_ request: AzureRequest, _ name: String) throws(AzureError) -> String? {
        guard let value = request.header(name) else { return nil }
        guard !value.contains(",") else { throw .multipleConditions }
        return value.hasPrefix("\"") || value == "*" ? value : "\"\(value)\""
    }

    private static func time(_ request: AzureRequest, _ name: String) throws(AzureError) -> SimTime? {
        guard let value = request.header(name) else { return nil }
        guard let time = SimTime(httpDate: value) else { throw .invalidHeader(name, value) }
        return time
    }

    /// For GET and HEAD. Times compare in whole seconds, which is all that a header carries.
    func checkRead(_ blob: StoredObject) throws(AzureError) {
        let modified = blob.attributes.modified.seconds
        if let ifMatch, ifMatch != "*", ifMatch != blob.attributes.etag { throw .conditionNotMet }
        if let ifUnmodifiedSince, modified > ifUnmodifiedSince.seconds { throw .conditionNotMet }
        if ifNoneMatch == "*" { throw .unsatisfiableCondition }
        let matchesNone = ifNoneMatch.map { $0 != blob.attributes.etag }
        let isNewer = ifModifiedSince.map { modified > $0.seconds }
        if matchesNone == false && isNewer != true { throw .notModified }
        if isNewer == false && matchesNone != true { throw .notModified }
    }

    /// For everything that changes the blob.
    /// - Parameters:
    ///   - blob: what is there now, if anything.
    ///   - creates: whether the operation makes a blob, so that `If-None-Match: *` means "only if there is none".
    func checkWrite(_ blob: StoredObject?, creates: Bool) throws(AzureError) {
        try check(blob, creates: creates, else: .conditionNotMet)
    }

    /// For everything that changes the blob: whether the request names its lease, if there is one.
    func checkLease(_ lease: AzureLease?) throws(AzureError) {
        guard let lease else {
            if leaseID != nil { throw .leaseLost }
            return
        }
        guard let leaseID else { throw .leaseMissing }
        guard leaseID == lease.id else { throw .leaseMismatchOnWrite }
    }

    /// For the source of a copy, whose failure has a name of its own.
    func checkSource(_ blob: StoredObject) throws(AzureError) {
        try check(blob, creates: false, else: .sourceConditionNotMet)
    }

    private func check(_ blob: StoredObject?, creates: Bool, else failure: AzureError) throws(AzureError) {
        guard let blob else {
            if ifMatch != nil { throw failure }
            return
        }
        let modified = blob.attributes.modified.seconds
        if let ifNoneMatch {
            if ifNoneMatch == "*" {
                if creates { throw .blobExists }
            } else if ifNoneMatch == blob.attributes.etag {
                throw failure
            }
        }
        if let ifMatch, ifMatch != "*", ifMatch != blob.attributes.etag { throw failure }
        if let ifModifiedSince, modified <= ifModifiedSince.seconds { throw failure }
        if let ifUnmodifiedSince, modified > ifUnmodifiedSince.seconds { throw failure }
    }
}
