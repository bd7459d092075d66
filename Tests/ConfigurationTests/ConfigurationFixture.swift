import Configuration
import Testing

/// Reads texts as files, with variables and files that a test gives.
struct ConfigurationFixture {
    var environment: [String: String] = [:]
    var files: [String: String] = [:]

    func read(_ bytes: [UInt8]) throws(ConfigurationError) -> Configuration {
        let files = files
        return try ConfigurationReader.read(
            bytes,
            in: ConfigurationSurroundings(environment: environment, directory: "/etc/lockstep") {
                path, limit throws(FileReadError) in
                guard let text = files[path] else { throw FileReadError("No such file or directory") }
                return Array(text.utf8.prefix(limit))
            })
    }

    func read(_ text: String) throws(ConfigurationError) -> Configuration { try read(Array(text.utf8)) }

    /// A file with one pair that has these further keys, each line indented by four.
    func pair(_ keys: String = "", rest: String = "") throws(ConfigurationError) -> PairConfiguration {
        try read(Self.file(keys, rest: rest)).pairs[0]
    }

    static func file(_ keys: String = "", rest: String = "") -> String {
        "version: 1\npairs:\n  models:\n    source: s3://a/x\n    target: gs://b/y\n\(keys)\n\(rest)\n"
    }

    /// The problems of a text, one line each.
    func problems(_ text: String) -> [String] { problems(Array(text.utf8)) }

    func problems(_ bytes: [UInt8]) -> [String] {
        do throws(ConfigurationError) {
            _ = try read(bytes)
            return []
        } catch {
            return error.problems.map(\.description)
        }
    }

    func problems(ofPair keys: String, rest: String = "") -> [String] { problems(Self.file(keys, rest: rest)) }
}
