import ChildProcesses
package import HTTPStores
package import ObjectStores

/// The keys that a program prints: `credential_process` of a profile.
///
/// Source: AWS SDKs and Tools reference guide, process credential provider.
package struct ProcessAWSCredentials: AWSCredentialProvider {
    private let command: String
    private let profile: String
    private let environment: [String: String]
    package var place: String { "the credential_process of profile \(profile)" }

    private static let outputLimit = 64 << 10
    /// Programs may ask a service, or a person for a touch of a key.
    private static let timeout = Duration.seconds(120)

    package init(command: String, profile: String, environment: [String: String]) {
        self.command = command
        self.profile = profile
        self.environment = environment
    }

    package func loadIfConfigured() async throws(StoreError) -> ExpiringCredentials<AWSCredentials>? {
        guard let words = CommandWords.split(command), !words.isEmpty else {
            throw .credentials("\(place) has a quotation mark that is not closed")
        }
        let output: ChildProcessOutput
        do throws(ChildProcessError) {
            output = try await ChildProcess.run(
                words, environment: environment, outputLimit: Self.outputLimit, timeout: Self.timeout)
        } catch {
            throw .credentials("\(place) gives no credentials: \(error.message)")
        }
        // What it wrote may hold keys.
        guard output.isSuccess else {
            throw .credentials(
                "\(place), \(words[0]), ended with \(output.status); run it by hand to see what it says")
        }
        return try AWSCredentialDocument.credentials(in: output.stdout, of: .program, from: place)
    }
}
