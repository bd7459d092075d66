import AWS
import ReplicationModel

/// What a store has learned about its server while it talked to it.
///
/// A value behind the store's mutex. Facts only narrow what the store does: a server that once refused a call is not
/// asked again.
struct S3ServerFacts: Sendable {
    /// For signatures and, at Amazon, for the host.
    private(set) var region: String
    /// Server's clock minus ours, in seconds.
    private(set) var clockOffset: Int64 = 0
    /// What writes carry; nil when the server refused all.
    private(set) var checksum: S3ChecksumAlgorithm? = .crc64nvme
    /// Whether `x-amz-checksum-mode` is understood.
    private(set) var reportsOnRead = true
    private(set) var reportsOnWrite = true
    /// Whether a reply ever named the checksum of what was sent: then the headers are understood.
    private(set) var answersChecksums = false
    private(set) var copiesParts = true
    /// Whether a copy was ever refused because its source had changed.
    private(set) var pinsCopySources = false
    private(set) var deletesBatches = true
    /// Whether `GetObjectAttributes` is understood.
    private(set) var tellsParts = true
    /// For people, one sentence each.
    private(set) var notes: [String] = []

    private var address: (region: String, value: S3Address)?
    private var time: SigningTime?
    private var key: (credentials: AWSCredentials, value: SigningKey)?

    init(region: String) {
        self.region = region
    }

    // MARK: what a request needs

    mutating func address(of bucket: String, in configuration: S3Configuration) -> S3Address {
        if let address, address.region == region { return address.value }
        let value = S3Address(
            endpoint: configuration.endpoint(in: region), bucket: bucket, addressing: configuration.addressing)
        address = (region, value)
        return value
    }

    mutating func signingTime(now: Int64) -> SigningTime {
        let second = now + clockOffset
        if let time, time.second == second { return time }
        let fresh = SigningTime(secondsSince1970: second)
        time = fresh
        return fresh
    }

    mutating func signingKey(_ credentials: AWSCredentials, date: String) -> SigningKey {
        if let key, key.value.date == date, key.value.region == region, key.credentials == credentials {
            return key.value
        }
        let fresh = SigningKey(credentials, date: date, region: region, service: .s3)
        key = (credentials, fresh)
        return fresh
    }

    // MARK: learning

    mutating func learn(region: String, bucket: String) {
        guard region != self.region else { return }
        note("bucket \(bucket) is in region \(region), not \(self.region)")
        self.region = region
    }

    mutating func learn(clockOffset: Int64) {
        guard clockOffset != self.clockOffset else { return }
        note(
            "this machine's clock differs from the server's by \(Duration.seconds(abs(clockOffset)).text); "
                + "requests are signed with the server's time"
        )
        self.clockOffset = clockOffset
    }

    mutating func learn(checksum: S3ChecksumAlgorithm?) {
        guard checksum != self.checksum else { return }
        note(
            checksum.map { "the server refuses CRC64NVME; \($0.name) is sent instead" }
                ?? "the server refuses checksum headers; it cannot verify what it receives")
        self.checksum = checksum
        if checksum == nil { reportsOnWrite = false }
    }

    mutating func learnNoReportsOnRead() {
        guard reportsOnRead else { return }
        note("the server refuses x-amz-checksum-mode; reads report no checksums")
        reportsOnRead = false
    }

    mutating func learnNoReportsOnWrite() {
        guard reportsOnWrite else { return }
        note("the server does not answer checksum headers; it may not verify what it receives")
        reportsOnWrite = false
    }

    mutating func learnAnswersChecksums() { answersChecksums = true }

    mutating func learnPinsCopySources() { pinsCopySources = true }

    mutating func learnOtherETags() {
        note("the server lists completed uploads under another ETag than it answers; each is looked up once")
    }

    mutating func learnNoPartCopies() {
        guard copiesParts else { return }
        note("the server cannot copy parts; unchanged ranges are sent again")
        copiesParts = false
    }

    mutating func learnTellsNoParts() {
        guard tellsParts else { return }
        note(
            "the server does not tell the checksums of parts; objects that have nothing else must be read to be checked"
        )
        tellsParts = false
    }

    mutating func learnNoBatchDeletes() {
        guard deletesBatches else { return }
        note("the server cannot delete batches; objects are deleted one by one")
        deletesBatches = false
    }

    /// Notes at most: regions and clocks can change often on a broken server.
    private static let noteLimit = 32

    private mutating func note(_ text: String) {
        if notes.count < Self.noteLimit, !notes.contains(text) { notes.append(text) }
    }
}
