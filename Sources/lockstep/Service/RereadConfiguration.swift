import Configuration
import Synchronization

/// A configuration whose secrets are read again before each run, so that one that was rotated needs no reload. Whatever else has changed
/// in the file waits for one.
final class RereadConfiguration: Sendable {
    private let environment: [String: String]
    private let newest: Mutex<ConfigurationFile>
    private let secrets = KeptFiles()

    init(_ file: ConfigurationFile, environment: [String: String]) {
        newest = Mutex(file)
        self.environment = environment
        let secrets = secrets
        // What each file holds at the beginning; one that cannot be read any more is told by the run that needs it.
        _ = try? file.reread(environment) { (path, limit) throws(FileReadError) in try secrets.read(path, limit) }
    }

    /// The pair with the secrets of this moment. Throws with the key when one that it uses cannot be taken; one of another pair that
    /// cannot is taken to be as it was last.
    func pair(_ name: String) throws(CommandFailure) -> ConfiguredPair {
        var file = newest.withLock { $0 }
        guard let pair = file.configuration.pair(name) else {
            throw CommandFailure(.configuration, "the configuration has no pair \(name) any more")
        }
        do throws(ConfigurationFailure) {
            let secrets = secrets
            file = try file.reread(environment) { (path, limit) throws(FileReadError) in try secrets.read(path, limit) }
            newest.withLock { $0 = file }
        } catch {
            let keys = file.configuration.keys(of: pair)
            let problems = error.error.problems.filter { problem in keys.contains { "\(problem.path).".hasPrefix($0) } }
            guard problems.isEmpty else {
                throw CommandFailure(.configuration, problems.map { "\(file.path):\($0)" }.joined(separator: "; "))
            }
            let secrets = secrets
            let mended = try? file.reread(environment) { (path, limit) throws(FileReadError) in
                try secrets.read(path, limit, orKept: true)
            }
            if let mended { file = mended }
        }
        return ConfiguredPair(file.configuration.pair(name) ?? pair, in: file)
    }
}

/// Files as they were when they could last be read.
private final class KeptFiles: Sendable {
    private let contents = Mutex<[String: [UInt8]]>([:])

    func read(_ path: String, _ limit: Int, orKept: Bool = false) throws(FileReadError) -> [UInt8] {
        do throws(FileReadError) {
            let bytes = try ConfigurationFile.readBytes(path, limit: limit)
            contents.withLock { $0[path] = bytes }
            return bytes
        } catch {
            guard orKept, let kept = contents.withLock({ $0[path] }) else { throw error }
            return kept
        }
    }
}

extension Configuration {
    /// Below which keys of the file is written what a pair uses.
    fileprivate func keys(of pair: PairConfiguration) -> [String] {
        let places = [pair.source, pair.target] + (pair.control.map { [$0] } ?? [])
        let vaults = places.compactMap(\.vault).compactMap { self.vaults[$0] }
        let clouds = places.map(\.cloud) + [pair.events?.cloud] + vaults.flatMap { [$0.cloud, $0.kmsCloud] }
        return ["pairs.\(pair.name).", "defaults."] + vaults.map { "vaults.\($0.name)." }
            + clouds.compactMap(\.self).map { "clouds.\($0)." }
    }
}
