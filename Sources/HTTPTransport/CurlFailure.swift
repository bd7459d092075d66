import CCurl
import Glibc
import ReplicationModel

/// How a request ended as the library tells it, before it is translated into a reply or an `HTTPFailure`.
struct CurlEnd {
    var code: CURLcode
    /// What the library said, empty where it said nothing.
    var message: String
    /// Bytes of head (and of a small body) that connections took.
    var requestBytes: Int
    /// Body bytes that the last connection took.
    var uploaded: Int

    /// The library never saw the request.
    static let notStarted = CurlEnd(code: CURLE_FAILED_INIT, message: "", requestBytes: 0, uploaded: 0)

    static func badRequest(_ problem: String) -> CurlEnd {
        CurlEnd(code: CURLE_URL_MALFORMAT, message: problem, requestBytes: 0, uploaded: 0)
    }
}

extension CurlTransfer {
    /// The one place where the library's verdict and our own become the caller's.
    func outcome(_ end: CurlEnd) -> Outcome {
        if let abortion {
            if case .errorBodyFull = abortion { return .success(takeReply()) }
            return .failure(failure(abortion, end))
        }
        guard end.code == CURLE_OK else { return .failure(failure(end)) }
        guard head.isComplete else {
            return .failure(failure(.truncated, "the connection was closed within the reply's head", end))
        }
        if head.isSuccess, end.uploaded < upload.count {
            let message = "the server replied \(head.status) after \(end.uploaded) of \(upload.count) body bytes"
            return .failure(failure(.protocolViolation, message, end))
        }
        return .success(takeReply())
    }

    private func failure(_ abortion: Abortion, _ end: CurlEnd) -> HTTPFailure {
        switch abortion {
        case .cancelled: failure(.cancelled, "the request was cancelled", end)
        case .stalled(let limit): failure(.stalled, "no byte moved for \(limit.text)", end)
        case .bodyTooLong(let limit): failure(.bodyTooLong, "the reply is longer than \(limit) bytes", end)
        case .badHead(let problem): failure(.protocolViolation, problem, end)
        case .replayRefused: failure(.reset, "the connection was closed after the request was sent", end)
        case .errorBodyFull: failure(.other, "the reply's body is too long", end)
        }
    }

    private func failure(_ end: CurlEnd) -> HTTPFailure {
        let text = end.message.isEmpty ? String(cString: curl_easy_strerror(end.code)) : end.message
        switch end.code {
        case CURLE_URL_MALFORMAT:
            return failure(.badURL, text, end)
        case CURLE_UNSUPPORTED_PROTOCOL:
            // Also said of a reply that does not start like HTTP.
            return failure(attempts == 0 ? .badURL : .protocolViolation, text, end)
        case CURLE_COULDNT_RESOLVE_HOST:
            return failure(.resolve, text, end)
        case CURLE_COULDNT_RESOLVE_PROXY:
            return failure(.connect, text, end)
        case CURLE_COULDNT_CONNECT where addressRefusal != nil:
            return failure(.refusedAddress, addressRefusal ?? text, end)
        case CURLE_COULDNT_CONNECT, CURLE_INTERFACE_FAILED, CURLE_PROXY:
            return failure(.connect, socketErrorText ?? text, end)
        case CURLE_OPERATION_TIMEDOUT:
            return failure(attempts == 0 ? .connect : .stalled, text, end)
        case CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_INVALIDCERTSTATUS, CURLE_SSL_ISSUER_ERROR,
            CURLE_SSL_PINNEDPUBKEYNOTMATCH:
            return failure(.certificate, text, end)
        case CURLE_SSL_CONNECT_ERROR, CURLE_SSL_CERTPROBLEM, CURLE_SSL_CIPHER, CURLE_SSL_CACERT_BADFILE,
            CURLE_SSL_CRL_BADFILE, CURLE_SSL_ENGINE_NOTFOUND, CURLE_SSL_ENGINE_SETFAILED,
            CURLE_SSL_ENGINE_INITFAILED, CURLE_SSL_CLIENTCERT, CURLE_USE_SSL_FAILED, CURLE_SSL_SHUTDOWN_FAILED:
            return failure(.tls, text, end)
        case CURLE_PARTIAL_FILE:
            return failure(.truncated, text, end)
        case CURLE_WEIRD_SERVER_REPLY, CURLE_BAD_CONTENT_ENCODING:
            return failure(.protocolViolation, text, end)
        case CURLE_OUT_OF_MEMORY where attempts > 0 && !head.isComplete:
            // What the library says of a line that is longer than its limit, too.
            return failure(.protocolViolation, "a line of the reply's head is too long (\(text))", end)
        case CURLE_RECV_ERROR where text.contains("chunked-encoding") || text.contains("response headers"):
            return failure(.protocolViolation, text, end)
        case CURLE_RECV_ERROR, CURLE_SEND_ERROR, CURLE_GOT_NOTHING, CURLE_SEND_FAIL_REWIND:
            return failure(.reset, text, end)
        default:
            return failure(.other, text, end)
        }
    }

    private func failure(_ code: HTTPFailure.Code, _ text: String, _ end: CurlEnd) -> HTTPFailure {
        // A body that was not sent to its end leaves a request that no server completes.
        HTTPFailure(
            code: code, message: "\(Self.authority(of: request.url)): \(text)",
            mayHaveBeenProcessed: attempts > 0 && end.requestBytes > 0 && wasHandedWhole)
    }

    private var socketErrorText: String? {
        switch socketError {
        case 0: nil
        case EMFILE, ENFILE:
            "no file descriptor is left for a connection: raise the limit of open files (ulimit -n) or lower the parallelism"
        default: "a socket could not be created: \(String(cString: strerror(socketError)))"
        }
    }

    /// Host and port of a URL: all of it that is fit to be shown, since the rest may hold a signature.
    static func authority(of url: String) -> String {
        guard let scheme = url.utf8.firstIndex(of: UInt8(ascii: ":")) else { return "bad URL" }
        let rest = url[scheme...].dropFirst()
        guard rest.hasPrefix("//") else { return "bad URL" }
        let authority = rest.dropFirst(2).prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        guard let at = authority.lastIndex(of: "@") else { return String(authority) }
        return String(authority[authority.index(after: at)...])
    }

    /// The host of a URL without its port; an IPv6 address with its brackets.
    static func host(of url: String) -> String {
        let authority = authority(of: url)
        guard let colon = authority.lastIndex(of: ":"), !authority.hasSuffix("]") else { return authority }
        return String(authority[..<colon])
    }
}
