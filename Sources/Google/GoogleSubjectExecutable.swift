import ChildProcesses
import Cryptography
import FoundationEssentials
import HTTPStores
import ObjectStores

/// A program that prints the subject token: `credential_source.executable`. Started only when the environment allows it.
struct GoogleSubjectExecutable: Sendable {
    /// The program and its arguments; no shell sees them.
    let command: [String]
    let timeout: Duration
    /// Where the program keeps its last answer, which is used while it is valid.
    let outputFile: String?

    private static let permission = "GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES"
    private static let standardTimeout: Int64 = 30_000
    /// Milliseconds, as Google's own clients allow them.
    private static let timeouts: ClosedRange<Int64> = 5_000...120_000

    /// What the program prints.
    private struct Answer: Decodable {
        var version: Int
        var success: Bool
        var code: String?
        var message: String?
        var tokenType: String?
        var idToken: String?
        var samlResponse: String?
        var expirationTime: Int64?
    }

    /// - Parameter path: of the credentials file, for messages; none quotes it.
    init(_ executable: GoogleCredentialsDocument.Source.Executable, path: String) throws(StoreError) {
        guard let command = CommandWords.split(executable.command ?? ""), !command.isEmpty else {
            throw .credentials("\(path) names an executable without a command, or with a quote that does not end")
        }
        let milliseconds = executable.timeoutMillis ?? Self.standardTimeout
        guard Self.timeouts.contains(milliseconds) else {
            throw .credentials("\(path) names a timeout_millis that is not between 5000 and 120000")
        }
        self.command = command
        timeout = .milliseconds(milliseconds)
        outputFile = executable.outputFile.flatMap { $0.isEmpty ? nil : $0 }
    }

    func token(for account: GoogleExternalAccount, _ client: GoogleTokenClient) async throws(StoreError) -> Secret {
        guard client.environment[Self.permission] == "1" else {
            throw .credentials(
                "the program \(command[0]) is to be run for a token: set \(Self.permission)=1 to allow it")
        }
        if let outputFile,
            let bytes = try GoogleCredentialsFile.contents(
                outputFile, limit: GoogleSubject.sizeLimit, what: "the output file"),
            // One that is being written or is left of an error is made anew.
            let answer = Self.decode(bytes), answer.success, let end = answer.expirationTime, end > client.now()
        {
            return try subject(answer, client)
        }
        var environment = client.environment
        environment["GOOGLE_EXTERNAL_ACCOUNT_AUDIENCE"] = account.audience
        environment["GOOGLE_EXTERNAL_ACCOUNT_TOKEN_TYPE"] = account.subjectTokenType
        environment["GOOGLE_EXTERNAL_ACCOUNT_INTERACTIVE"] = "0"
        environment["GOOGLE_EXTERNAL_ACCOUNT_REVOKE"] = "0"
        environment["GOOGLE_EXTERNAL_ACCOUNT_IMPERSONATED_EMAIL"] = account.impersonation?.email
        environment["GOOGLE_EXTERNAL_ACCOUNT_OUTPUT_FILE"] = outputFile
        let output: ChildProcessOutput
        do throws(ChildProcessError) {
            output = try await ChildProcess.run(
                command, environment: environment, outputLimit: GoogleSubject.sizeLimit, timeout: timeout)
        } catch {
            throw error.code == .cancelled
                ? StoreError(.cancelled, .head, message: error.message)
                : .credentials("no subject token: \(error.message)")
        }
        guard output.isSuccess else {
            // What it wrote may be a token.
            throw .credentials("the program \(command[0]) gives no subject token: it ended with \(output.status)")
        }
        guard let answer = Self.decode(output.stdout) else {
            throw .credentials("the program \(command[0]) prints no answer in the form of an executable source")
        }
        return try subject(answer, client)
    }

    private static func decode(_ bytes: [UInt8]) -> Answer? {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try? decoder.decode(Answer.self, from: Data(bytes))
    }

    private func subject(_ answer: Answer, _ client: GoogleTokenClient) throws(StoreError) -> Secret {
        let name = command[0]
        guard answer.version == 1 else {
            throw .credentials("the program \(name) answers in version \(answer.version), and 1 is understood")
        }
        guard answer.success else {
            let words = [answer.code, answer.message].compactMap { $0 }.joined(separator: ": ")
            throw .credentials("the program \(name) gives no subject token: \(ServerText.readable(words))")
        }
        if let end = answer.expirationTime, end <= client.now() {
            throw .credentials("the program \(name) gives a subject token that has expired")
        }
        guard outputFile == nil || answer.expirationTime != nil else {
            throw .credentials("the program \(name) has an output_file and does not say when its token expires")
        }
        let token =
            switch answer.tokenType {
            case "urn:ietf:params:oauth:token-type:jwt", "urn:ietf:params:oauth:token-type:id_token": answer.idToken
            case "urn:ietf:params:oauth:token-type:saml2": answer.samlResponse
            default: nil as String?
            }
        guard let token, !token.isEmpty else {
            throw .credentials("the program \(name) gives no token of a token_type that is understood")
        }
        return Secret(token)
    }
}
