import FoundationEssentials
import HTTPStores
import ObjectStores
import ReplicationModel

/// Keys as the container's and the machine's services and programs hand them out.
struct AWSCredentialDocument: Decodable {
    /// Of programs.
    private var version: Int?
    private var accessKeyID: String?
    private var secretAccessKey: String?
    /// Of services.
    private var token: String?
    /// Of programs.
    private var sessionToken: String?
    private var expiration: String?
    /// What services say instead of keys.
    private var code: String?

    private enum CodingKeys: String, CodingKey {
        case version = "Version"
        case accessKeyID = "AccessKeyId"
        case secretAccessKey = "SecretAccessKey"
        case token = "Token"
        case sessionToken = "SessionToken"
        case expiration = "Expiration"
        case code = "Code"
    }

    enum Source {
        /// Temporary keys always.
        case service
        /// Version 1; keys without an expiration do not expire.
        case program
    }

    /// - Parameter origin: for people: who sent the document, which is never quoted.
    static func credentials(
        in bytes: [UInt8], of source: Source, from origin: String
    ) throws(StoreError) -> ExpiringCredentials<AWSCredentials> {
        // The decoder's error may quote the document.
        guard let document = try? JSONDecoder().decode(AWSCredentialDocument.self, from: Data(bytes)) else {
            throw invalid("what \(origin) answers is not a JSON document of AWS credentials", source)
        }
        if source == .program, document.version != 1 {
            throw invalid("\(origin) answers without `\"Version\": 1`, the only version there is", source)
        }
        guard let key = document.accessKeyID, !key.isEmpty, let secret = document.secretAccessKey, !secret.isEmpty
        else {
            let code = document.code.map { " and says \(ServerText.readable($0))" } ?? ""
            throw invalid("\(origin) answers without an access key\(code)", source)
        }
        let token = source == .service ? document.token : document.sessionToken
        var expiration: Int64?
        if let text = document.expiration {
            guard let time = CivilTime(rfc3339: text) else {
                throw invalid("\(origin) answers with an Expiration that is no time", source)
            }
            expiration = time.secondsSince1970
        }
        if source == .service, expiration == nil || (token ?? "").isEmpty {
            throw invalid("\(origin) answers without a token or its expiration", source)
        }
        return ExpiringCredentials(
            try AWSCredentials(key: key, secret: secret, token: token, from: origin), expiration: expiration)
    }

    private static func invalid(_ message: String, _ source: Source) -> StoreError {
        StoreError(.invalidResponse, .head, message: message, retry: source == .service ? .transient : .never)
    }
}
