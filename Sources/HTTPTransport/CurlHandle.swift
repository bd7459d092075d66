import CCurl
import Glibc

/// One easy handle with its callbacks, reused for one request after the other on one loop's thread.
///
/// Options that never change are set once; `prepare` sets those of a request. The library holds unretained pointers to this object, which
/// therefore must outlive the easy handle: `deinit` frees the handle first.
final class CurlHandle {
    let easy: UnsafeMutableRawPointer
    let poller: SocketPoller
    /// The running request.
    private(set) var transfer: CurlTransfer?
    /// Place in the loop's list of running handles.
    var index = 0
    /// Bytes moved in both directions when the loop last looked, and when that number last changed.
    var progress = CurlProgress()

    private let message: UnsafeMutablePointer<CChar>
    private var scratch = RequestScratch()
    private let addressRule: AddressRule
    /// Of the request before; its options stay with the handle.
    private var reach = HTTPReach.service

    init(_ configuration: CurlConfiguration, poller: SocketPoller) {
        guard let easy = curl_easy_init() else { preconditionFailure("out of memory for a request") }
        self.easy = easy
        self.poller = poller
        addressRule = AddressRule(allowsLoopback: configuration.allowsLoopback)
        message = .allocate(capacity: Int(CURL_ERROR_SIZE))
        message.pointee = 0
        setCallbacks()
        setConnectionOptions(configuration)
    }

    deinit {
        curl_easy_cleanup(easy)
        message.deallocate()
    }

    // MARK: One request

    /// Sets the options of a request. Returns what is wrong with the request, or nil.
    func prepare(_ transfer: CurlTransfer, now: UInt64) -> String? {
        let request = transfer.request
        // The library would guess a scheme.
        guard request.url.hasPrefix("http://") || request.url.hasPrefix("https://") else {
            return "the URL does not start with http:// or https://"
        }
        message.pointee = 0
        scratch.clear()
        for field in request.headers.fields {
            guard Self.isFit(field) else {
                return "the header field \(field.name) has a character that HTTP does not allow"
            }
            // The library's business; a second one would be a different request to some servers.
            if field.name == "content-length" { continue }
            scratch.addField(field.name, field.value)
        }
        setMethodAndBody(transfer)
        set(CURLOPT_HTTPHEADER, pointer: scratch.headerList())
        guard set(CURLOPT_URL, string: request.url) == CURLE_OK else { return "the URL is too long" }
        set(CURLOPT_CONNECTTIMEOUT_MS, request.timeouts.connect.milliseconds)
        set(CURLOPT_BUFFERSIZE, Self.receiveBuffer(transfer.receiveLimit))
        if request.reach != reach {
            reach = request.reach
            // A connection that is allowed more is not handed on.
            set(CURLOPT_FORBID_REUSE, reach == .metadata ? 1 : 0)
            // What hands out credentials is on this machine or its link, wherever its address comes from: never through a proxy.
            set(CURLOPT_NOPROXY, string: reach == .metadata ? "*" : CurlConfiguration.hostsWithoutProxy())
        }
        self.transfer = transfer
        transfer.handle = self
        progress = CurlProgress(since: now)
        return nil
    }

    /// How the request ended; to be asked before the handle is used again.
    func end(_ code: CURLcode) -> CurlEnd {
        CurlEnd(
            code: code, message: String(cString: message),
            requestBytes: lockstep_easy_get_long(easy, CURLINFO_REQUEST_SIZE),
            uploaded: Int(lockstep_easy_get_offset(easy, CURLINFO_SIZE_UPLOAD_T)))
    }

    /// Whether the running request may be sent to an address that its host's name has resolved to.
    func mayConnect(to address: UnsafePointer<curl_sockaddr>) -> Bool {
        guard let transfer else { return false }
        // The field is declared as the smallest kind of address and may hold a larger one.
        let bytes = UnsafeRawPointer(address) + MemoryLayout<curl_sockaddr>.offset(of: \.addr)!
        let host = CurlTransfer.host(of: transfer.request.url)
        guard let refusal = addressRule.refusal(of: bytes, reach: transfer.request.reach, host: host) else {
            return true
        }
        transfer.refused(refusal)
        return false
    }

    var newConnections: Int { lockstep_easy_get_long(easy, CURLINFO_NUM_CONNECTS) }

    /// Bytes moved so far in both directions.
    var moved: Int {
        let sent = Int(lockstep_easy_get_offset(easy, CURLINFO_SIZE_UPLOAD_T))
        let received = Int(lockstep_easy_get_offset(easy, CURLINFO_SIZE_DOWNLOAD_T))
        return sent + lockstep_easy_get_long(easy, CURLINFO_REQUEST_SIZE)
            + received + lockstep_easy_get_long(easy, CURLINFO_HEADER_SIZE)
    }

    /// Lets go of the request.
    func release() {
        transfer?.handle = nil
        transfer = nil
    }

    /// Up to this size a body goes out in one piece with the head: one system call and one packet less.
    private static let inlineBodyLimit = 16 << 10
    /// Measured: smaller ones cost system calls, larger ones leave the processor's cache.
    private static let largestReceiveBuffer = 256 << 10
    private static let largestSendBuffer = 256 << 10

    /// Room for a small reply with its head in one read; the library has the buffer only while the request runs.
    private static func receiveBuffer(_ limit: Int) -> Int {
        min(max(limit, 0) + (16 << 10), largestReceiveBuffer)
    }

    private func setMethodAndBody(_ transfer: CurlTransfer) {
        let method = transfer.request.method
        let count = transfer.upload.count
        if count == 0 {
            set(CURLOPT_HTTPGET, 1)
            switch method {
            case .get, .delete: break
            case .head: set(CURLOPT_NOBODY, 1)
            case .put, .post, .patch: scratch.addField("Content-Length", "0")
            }
            set(CURLOPT_CUSTOMREQUEST, string: method == .get || method == .head ? nil : method.rawValue)
        } else if count <= Self.inlineBodyLimit {
            // The library would say that the body is a form.
            if transfer.request.headers["content-type"] == nil { scratch.suppressField("Content-Type") }
            let place = transfer.copyUpload(to: &scratch)
            set(CURLOPT_POST, 1)
            set(CURLOPT_POSTFIELDSIZE_LARGE, offset: count)
            set(CURLOPT_POSTFIELDS, pointer: scratch.pointer(at: place))
            set(CURLOPT_CUSTOMREQUEST, string: method == .post ? nil : method.rawValue)
        } else {
            scratch.suppressField("Expect")
            set(CURLOPT_UPLOAD, 1)
            set(CURLOPT_INFILESIZE_LARGE, offset: count)
            set(CURLOPT_UPLOAD_BUFFERSIZE, min(max(count, 64 << 10), Self.largestSendBuffer))
            set(CURLOPT_CUSTOMREQUEST, string: method == .put ? nil : method.rawValue)
        }
    }

    /// Neither a line end nor a NUL may reach the wire.
    private static func isFit(_ field: HTTPHeaders.Field) -> Bool {
        !field.name.isEmpty && field.name.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7F && $0 != UInt8(ascii: ":") }
            && field.value.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }
    }

    // MARK: Options that never change

    private func setConnectionOptions(_ configuration: CurlConfiguration) {
        set(CURLOPT_NOSIGNAL, 1)
        set(CURLOPT_PATH_AS_IS, 1)
        set(CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_1_1))
        set(CURLOPT_PROTOCOLS_STR, string: "http,https")
        set(CURLOPT_FOLLOWLOCATION, 0)
        set(CURLOPT_HTTP_CONTENT_DECODING, 0)
        set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1)
        set(CURLOPT_NOPROXY, string: CurlConfiguration.hostsWithoutProxy())
        set(CURLOPT_TCP_NODELAY, 1)
        set(CURLOPT_TCP_KEEPALIVE, 1)
        set(CURLOPT_MAXLIFETIME_CONN, configuration.connectionLifetime.wholeSeconds)
        set(CURLOPT_MAXAGE_CONN, configuration.connectionIdleTime.wholeSeconds)
        set(CURLOPT_DNS_CACHE_TIMEOUT, configuration.dnsCacheTime.wholeSeconds)
        set(CURLOPT_DNS_SHUFFLE_ADDRESSES, 1)
        // A request that is given up while its name is being resolved must not hold up the loop.
        set(CURLOPT_QUICK_EXIT, 1)
        set(CURLOPT_SSL_VERIFYPEER, 1)
        set(CURLOPT_SSL_VERIFYHOST, 2)
        set(CURLOPT_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2))
        if let caFile = configuration.caFile { set(CURLOPT_CAINFO, string: caFile) }
        // The parsed bundle is kept only where no directory is searched as well.
        set(CURLOPT_CAPATH, string: nil)
        set(CURLOPT_CA_CACHE_TIMEOUT, 86_400)
    }

    private func setCallbacks() {
        let context = Unmanaged.passUnretained(self).toOpaque()
        set(CURLOPT_ERRORBUFFER, pointer: message)
        set(CURLOPT_PRIVATE, pointer: context)
        lockstep_easy_set_write(easy, CURLOPT_HEADERFUNCTION, receiveHeadLine)
        set(CURLOPT_HEADERDATA, pointer: context)
        lockstep_easy_set_write(easy, CURLOPT_WRITEFUNCTION, receiveBody)
        set(CURLOPT_WRITEDATA, pointer: context)
        lockstep_easy_set_read(easy, sendBody)
        set(CURLOPT_READDATA, pointer: context)
        lockstep_easy_set_seek(easy, rewindBody)
        set(CURLOPT_SEEKDATA, pointer: context)
        lockstep_easy_set_prereq(easy, beforeRequest)
        set(CURLOPT_PREREQDATA, pointer: context)
        lockstep_easy_set_opensocket(easy, openSocket)
        set(CURLOPT_OPENSOCKETDATA, pointer: context)
        // A connection outlives the handle that opened it.
        lockstep_easy_set_closesocket(easy, closeSocket)
        set(CURLOPT_CLOSESOCKETDATA, pointer: Unmanaged.passUnretained(poller).toOpaque())
    }

    private func set(_ option: CURLoption, _ value: Int) {
        lockstep_easy_set_long(easy, option, value)
    }

    private func set(_ option: CURLoption, offset: Int) {
        lockstep_easy_set_offset(easy, option, curl_off_t(offset))
    }

    private func set(_ option: CURLoption, pointer: UnsafeMutableRawPointer?) {
        lockstep_easy_set_pointer(easy, option, pointer)
    }

    @discardableResult
    private func set(_ option: CURLoption, string: String?) -> CURLcode {
        guard let string else { return lockstep_easy_set_string(easy, option, nil) }
        return lockstep_easy_set_string(easy, option, string)
    }
}

/// When bytes last moved, as seen by a loop that looks from time to time.
struct CurlProgress {
    var moved = 0
    var since: UInt64 = 0
}

extension Duration {
    var milliseconds: Int { Int(clamping: nanoseconds / 1_000_000) }
    var wholeSeconds: Int { Int(clamping: components.seconds) }

    /// 0 for a negative duration.
    var nanoseconds: UInt64 {
        let (seconds, attoseconds) = components
        guard seconds >= 0, attoseconds >= 0 else { return 0 }
        let (whole, overflow) = UInt64(seconds).multipliedReportingOverflow(by: 1_000_000_000)
        return overflow ? .max : whole &+ UInt64(attoseconds) / 1_000_000_000
    }
}
