/// One planned fault: which requests it concerns, when it fires, and what it does.
///
/// The JSON form is flat: `{"action":"status","cloud":"s3","operation":"PutObject","nth":2,"count":1,"status":503}`.
package struct FaultRule: Codable, Sendable {
    package var action: FaultAction

    // Which requests. Absent fields match everything the action can apply to.
    package var cloud: Cloud?
    /// Glob over operation names: `GetObject`, `Put*`.
    package var operation: String?
    package var method: String?
    package var bucket: String?
    /// Glob over the object key; for the `list-…` actions over the listed keys they touch.
    package var key: String?

    // When. `nth` counts matching requests from 1; then `count` requests in a row fire (default: all when neither
    // is given, one when only `nth` is). With `probability`, each candidate fires by a generator seeded with `seed`.
    package var nth: Int?
    package var count: Int?
    package var probability: Double?
    package var seed: UInt64?

    // Parameters; which ones count is said at each action.
    package var status: Int?
    package var code: String?
    package var message: String?
    /// Seconds, or any text, for the Retry-After header.
    package var retryAfter: String?
    /// Offset or number of bytes.
    package var bytes: Int?
    package var bytesPerSecond: Int?
    package var milliseconds: Int?
    /// `latency` is uniform between `milliseconds` and this.
    package var maximumMilliseconds: Int?
    package var direction: FaultDirection?
    /// `short-body`, `long-body`: Content-Length agrees with what is sent.
    package var matchingLength: Bool?
    package var location: String?
    package var requestsPerSecond: Double?
    package var seconds: Int?

    package init(_ action: FaultAction) {
        self.action = action
    }

    /// A copy that is limited to some requests, for short test code.
    package func on(
        _ cloud: Cloud? = nil, operation: String? = nil, bucket: String? = nil, key: String? = nil, nth: Int? = nil,
        count: Int? = nil
    ) -> FaultRule {
        var rule = self
        rule.cloud = cloud ?? rule.cloud
        rule.operation = operation ?? rule.operation
        rule.bucket = bucket ?? rule.bucket
        rule.key = key ?? rule.key
        rule.nth = nth ?? rule.nth
        rule.count = count ?? rule.count
        return rule
    }

    package static func status(_ status: Int, code: String? = nil, retryAfter: String? = nil) -> FaultRule {
        var rule = FaultRule(.status)
        rule.status = status
        rule.code = code
        rule.retryAfter = retryAfter
        return rule
    }

    package static func afterBytes(
        _ action: FaultAction, _ bytes: Int, _ direction: FaultDirection? = nil
    ) -> FaultRule {
        var rule = FaultRule(action)
        rule.bytes = bytes
        rule.direction = direction
        return rule
    }
}

package enum FaultDirection: String, Codable, Sendable {
    case request
    case response
}

/// What a fault does.
package enum FaultAction: String, Codable, Sendable, CaseIterable {
    /// Answers `status` (with `code`, `message`, `retryAfter`) without doing anything.
    case status
    /// RST after `bytes` of the body in `direction` (default: response for reads and lists, request for writes).
    case resetAfterBytes = "reset-after-bytes"
    /// Silence after `bytes`, for ever or for `milliseconds`; the connection stays open.
    case stallAfterBytes = "stall-after-bytes"
    /// Right status, `bytes` fewer (default half); Content-Length agrees if `matchingLength`, else the connection
    /// closes.
    case shortBody = "short-body"
    /// `bytes` more than there are (default 16); Content-Length agrees if `matchingLength`.
    case longBody = "long-body"
    /// Flips the lowest bit of the byte at offset `bytes` (default: the middle) in `direction`.
    case flipBit = "flip-bit"
    case wrongContentRange = "wrong-content-range"
    /// 200 and the whole object for a ranged read.
    case ignoreRange = "ignore-range"
    case wrongETag = "wrong-etag"
    case missingETag = "missing-etag"
    /// Checksum headers (and fields) that do not belong to the bytes.
    case wrongChecksum = "wrong-checksum"
    /// Status 200 with an error as its body; on batch deletes an error per key.
    case errorIn200 = "error-in-200"
    /// Does the work, then closes the connection without an answer.
    case dropReplyAfterCommit = "drop-reply-after-commit"
    /// Before the matching read, the object becomes another version with other bytes.
    case replaceObjectBetweenRanges = "replace-object-between-ranges"
    case deleteObjectBetweenRanges = "delete-object-between-ranges"
    /// The page names the token it was asked for as the next one.
    case listRepeatToken = "list-repeat-token"
    /// The page says it is truncated and names no token.
    case listNoToken = "list-no-token"
    /// Two neighbours of the page change places.
    case listUnsorted = "list-unsorted"
    /// One key of the page appears twice.
    case listDuplicate = "list-duplicate"
    /// Keys that match `key` are left out.
    case listHideKey = "list-hide-key"
    /// The page has no entries but a next token that leads to them.
    case listEmptyPage = "list-empty-page"
    case expireCredentials = "expire-credentials"
    /// Refuses the request as signed too long ago; `seconds` shifts the server's clock for this answer's Date.
    case clockSkew = "clock-skew"
    /// 307 to `location` (`status` to change it); the path is appended.
    case redirectTo = "redirect-to"
    /// `bytesPerSecond` in `direction`.
    case slow
    /// Waits `milliseconds` (up to `maximumMilliseconds`, uniform) before handling the request.
    case latency
    /// Answers 503 (GCS 429) above `requestsPerSecond` per prefix (the key up to its last `/`; uploads to GCS that name the
    /// object in their body share one).
    case rateLimit = "rate-limit"
    /// Handles the request as if its conditional headers and parameters were not there.
    case ignoreConditions = "ignore-conditions"
    /// The same, but only of conditions that name a version: what must be absent still must.
    case ignoreVersions = "ignore-versions"
    /// Takes the checksums that come with bytes for true, and confirms them.
    case believeChecksums = "believe-checksums"
    /// 501 for server-side copies of a part or a block.
    case noPartCopy = "no-part-copy"
}
