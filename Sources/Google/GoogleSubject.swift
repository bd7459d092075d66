import Cryptography
import FoundationEssentials
import HTTPStores
import HTTPTransport
import ObjectStores

/// Where the token comes from by which another identity provider vouches for this workload: `credential_source`.
enum GoogleSubject: Sendable {
    case file(path: String, Format)
    case url(String, headers: HTTPHeaders, Format)
    case executable(GoogleSubjectExecutable)
    case aws(GoogleSubjectOfAWS)

    /// How the token lies in what is read.
    enum Format: Sendable {
        case text
        case json(member: String)
    }

    /// Tokens have a few kilobytes.
    static let sizeLimit = 256 << 10

    /// - Parameter path: of the credentials file, for messages; none quotes it.
    init(_ source: GoogleCredentialsDocument.Source, path: String) throws(StoreError) {
        if let environment = source.environmentId {
            self = .aws(try GoogleSubjectOfAWS(source, environment: environment, path: path))
        } else if let executable = source.executable {
            self = .executable(try GoogleSubjectExecutable(executable, path: path))
        } else if let file = source.file {
            self = .file(path: file, try Format(source.format, path: path))
        } else if let url = source.url {
            guard Self.mayBeAsked(url) else {
                throw .credentials(
                    "\(path) names a credential_source.url that is neither https nor a metadata service; tokens must not "
                        + "travel unencrypted")
            }
            var headers = HTTPHeaders()
            for (name, value) in (source.headers ?? [:]).sorted(by: { $0.key < $1.key }) {
                guard !name.isEmpty, (name + value).utf8.allSatisfy({ (0x20...0x7E).contains($0) }) else {
                    throw .credentials("\(path) names headers for credential_source.url that cannot be sent")
                }
                headers.append(name, value)
            }
            self = .url(url, headers: headers, try Format(source.format, path: path))
        } else {
            throw .credentials(
                "\(path) names a credential_source that is not supported; supported are file, url, executable and aws")
        }
    }

    /// https, this machine, and the address where clouds have their metadata services.
    static func mayBeAsked(_ url: String) -> Bool {
        guard let endpoint = Endpoint(String(url.prefix { $0 != "?" })) else { return false }
        return endpoint.scheme == "https" || endpoint.isLoopback || isOfMetadata(endpoint)
    }

    static func isOfMetadata(_ endpoint: Endpoint) -> Bool {
        ["169.254.169.254", "[fd00:ec2::254]", "metadata.google.internal"].contains(endpoint.host)
    }

    /// The reach of a request to a URL that the file names.
    static func reach(of url: String) -> HTTPReach {
        Endpoint(String(url.prefix { $0 != "?" })).map(isOfMetadata) ?? false ? .metadata : .service
    }

    /// A fresh token; read or asked for anew each time.
    func token(for account: GoogleExternalAccount, _ client: GoogleTokenClient) async throws(StoreError) -> Secret {
        switch self {
        case .file(let path, let format):
            let what = "the subject token's file"
            guard let bytes = try GoogleCredentialsFile.contents(path, limit: Self.sizeLimit, what: what) else {
                throw .credentials("\(what) \(path) does not exist")
            }
            return try format.token(in: bytes, of: path)
        case .url(let url, let headers, let format):
            let call = GoogleTokenClient.Call(
                method: .get, url: url, headers: headers, reach: Self.reach(of: url),
                advice: "check credential_source.url and its headers")
            return try format.token(in: try await client.succeed(call).body, of: call.place)
        case .executable(let executable):
            return try await executable.token(for: account, client)
        case .aws(let aws):
            return try await aws.token(for: account, client)
        }
    }
}

extension GoogleSubject.Format {
    init(_ format: GoogleCredentialsDocument.Source.Format?, path: String) throws(StoreError) {
        switch format?.type {
        case nil, "text": self = .text
        case "json":
            guard let member = format?.subjectTokenFieldName, !member.isEmpty else {
                throw .credentials("\(path) has no subject_token_field_name for its credential_source of format json")
            }
            self = .json(member: member)
        default: throw .credentials("\(path) names a format of its credential_source that is neither text nor json")
        }
    }

    /// One member of a JSON object, whatever the others are.
    private struct Members: Decodable {
        private struct Key: CodingKey {
            var stringValue: String
            var intValue: Int? { nil }

            init(stringValue: String) { self.stringValue = stringValue }
            init?(intValue: Int) { nil }
        }

        private(set) var texts: [String: String] = [:]

        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: Key.self)
            for key in container.allKeys { texts[key.stringValue] = try? container.decode(String.self, forKey: key) }
        }
    }

    /// - Parameter place: for messages; none quotes what was read.
    func token(in bytes: [UInt8], of place: String) throws(StoreError) -> Secret {
        var token: [UInt8]
        switch self {
        case .text: token = bytes
        case .json(let member):
            guard let value = try? JSONDecoder().decode(Members.self, from: Data(bytes)).texts[member] else {
                throw .credentials("\(place) is no JSON object with a text as its \(ServerText.readable(member))")
            }
            token = Array(value.utf8)
        }
        while let last = token.last, last <= 0x20 { token.removeLast() }
        guard !token.isEmpty else { throw .credentials("\(place) holds no subject token") }
        return Secret(token)
    }
}
