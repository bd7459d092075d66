import FoundationEssentials
import HTTPStores
import ObjectStores

/// The members of a credentials file, of all types; each type has some of them. Spelled as the decoder turns `token_uri`.
final class GoogleCredentialsDocument: Decodable, Sendable {
    struct Source: Decodable, Sendable {
        struct Format: Decodable, Sendable {
            let type: String?
            let subjectTokenFieldName: String?
        }

        struct Executable: Decodable, Sendable {
            let command: String?
            let timeoutMillis: Int64?
            let outputFile: String?
        }

        let file: String?
        let url: String?
        let headers: [String: String]?
        let format: Format?
        let executable: Executable?
        let environmentId: String?
        let regionUrl: String?
        let regionalCredVerificationUrl: String?
        let imdsv2SessionTokenUrl: String?
    }

    struct Impersonation: Decodable, Sendable {
        let tokenLifetimeSeconds: Int64?
    }

    let type: String?
    let universeDomain: String?
    let quotaProjectId: String?

    let clientEmail: String?
    let privateKeyId: String?
    let privateKey: String?
    let tokenUri: String?

    let clientId: String?
    let clientSecret: String?
    let refreshToken: String?

    let audience: String?
    let subjectTokenType: String?
    let tokenUrl: String?
    let credentialSource: Source?
    let workforcePoolUserProject: String?

    let serviceAccountImpersonationUrl: String?
    let serviceAccountImpersonation: Impersonation?
    let delegates: [String]?
    let sourceCredentials: GoogleCredentialsDocument?

    /// - Parameter path: for messages; none quotes the file.
    static func parse(_ json: [UInt8], path: String) throws(StoreError) -> GoogleCredentialsDocument {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        // The decoder's error may quote the file, which holds a key.
        guard let document = try? decoder.decode(GoogleCredentialsDocument.self, from: Data(json)) else {
            throw .credentials("\(path) is not a JSON file of Google credentials")
        }
        return document
    }

    /// A member that the type cannot do without.
    func required(_ member: KeyPath<GoogleCredentialsDocument, String?>, _ name: String, path: String)
        throws(StoreError) -> String
    {
        guard let value = self[keyPath: member], !value.isEmpty else {
            throw .credentials("\(path) has no \(name); create the file anew")
        }
        return value
    }

    /// The member's endpoint, when tokens of this identity may go there.
    func endpoint(
        _ member: KeyPath<GoogleCredentialsDocument, String?>, _ name: String, otherwise standard: String?, path: String
    ) throws(StoreError) -> String {
        guard let url = self[keyPath: member] ?? standard else {
            throw .credentials("\(path) has no \(name); create the file anew")
        }
        guard let origin = GoogleHosts.origin(of: url), GoogleHosts.allows(origin, universe: universeDomain) else {
            throw .credentials(
                "\(path) names a \(name) that is no https URL of Google's; credentials are not sent there")
        }
        return url
    }
}
