import Configuration
import Foundation
import HTTPStores

/// The configuration file of a command: where it is, and what it says.
struct ConfigurationFile: Sendable {
    static let standardPath = "/etc/lockstep/lockstep.yaml"
    /// One byte more than is read, so that a larger file is noticed.
    private static let maxBytes = (1 << 20) + 1

    let path: String
    var configuration: Configuration
    private let bytes: [UInt8]

    /// - Parameter option: `--config`; nil: `$LOCKSTEP_CONFIG`, else the standard path.
    static func path(_ option: String?, _ environment: [String: String]) -> String {
        if let option { return option }
        if let named = environment["LOCKSTEP_CONFIG"], !named.isEmpty { return named }
        return standardPath
    }

    /// Throws a `ConfigurationFailure` that names all problems.
    static func load(_ option: String?, _ environment: [String: String]) throws -> ConfigurationFile {
        let path = path(option, environment)
        let bytes: [UInt8]
        do throws(FileReadError) {
            bytes = try readBytes(path, limit: maxBytes)
        } catch {
            throw CommandFailure(
                .configuration, "the configuration \(path) cannot be read: \(error.reason); name a file with --config")
        }
        return try interpret(bytes, path, environment)
    }

    /// The same text, with the secrets that its files hold now.
    ///
    /// - Parameter read: the bytes of a file, at most so many.
    func reread(
        _ environment: [String: String],
        _ read: @escaping @Sendable (_ path: String, _ limit: Int) throws(FileReadError) -> [UInt8]
    ) throws(ConfigurationFailure) -> ConfigurationFile {
        var file = try Self.interpret(bytes, path, environment, read)
        file.configuration.state = configuration.state
        return file
    }

    private static func interpret(
        _ bytes: [UInt8], _ path: String, _ environment: [String: String],
        _ read: @escaping @Sendable (_ path: String, _ limit: Int) throws(FileReadError) -> [UInt8] = {
            (path, limit) throws(FileReadError) in try readBytes(path, limit: limit)
        }
    ) throws(ConfigurationFailure) -> ConfigurationFile {
        let absolute = URL(fileURLWithPath: path).standardizedFileURL
        let surroundings = ConfigurationSurroundings(
            environment: environment, directory: absolute.deletingLastPathComponent().path, readFile: read)
        let file: ConfigurationFile
        do throws(ConfigurationError) {
            file = ConfigurationFile(
                path: path, configuration: try ConfigurationReader.read(bytes, in: surroundings), bytes: bytes)
        } catch {
            throw ConfigurationFailure(path: path, error: error)
        }
        let problems = ConfigurationCheck(file, environment, readsFiles: false).problems
        guard problems.isEmpty else { throw ConfigurationFailure(path: path, error: ConfigurationError(problems)) }
        return file
    }

    /// The pairs of these names, in the order of the file; all without names.
    func pairs(_ names: [String]) throws(CommandFailure) -> [ConfiguredPair] {
        for name in names where configuration.pair(name) == nil {
            let known = configuration.pairs.map(\.name).joined(separator: ", ")
            throw CommandFailure(.usage, "\(path) has no pair of the name \(name); it has \(known)")
        }
        return configuration.pairs.filter { names.isEmpty || names.contains($0.name) }
            .map { ConfiguredPair($0, in: self) }
    }

    static func readBytes(_ path: String, limit: Int) throws(FileReadError) -> [UInt8] {
        do throws(RegularFile.Failure) {
            return try RegularFile.prefix(path, limit)
        } catch {
            throw FileReadError(error.description)
        }
    }
}

/// A file with problems: one line each.
struct ConfigurationFailure: Error, CustomStringConvertible {
    let path: String
    let error: ConfigurationError

    var lines: [String] {
        error.problems.map { "\(path):\($0)" }
            + (error.further > 0 ? ["and \(error.further) more problems, which are told when these are mended"] : [])
    }

    var description: String { lines.joined(separator: "\n") }
}
