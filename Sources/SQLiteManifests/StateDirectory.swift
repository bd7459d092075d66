import Digests
import Foundation
package import Manifests

/// Where ledgers and locks live: `$XDG_STATE_HOME/lockstep`, or the directory that `--state` names.
package struct StateDirectory: Sendable {
    package let path: String

    /// Makes the directory, readable by its owner only: ledgers hold keys and upload sessions.
    package init(path: String) throws(LedgerError) {
        self.path = path
        do {
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch {
            throw LedgerError(
                .inaccessible, path: path, message: "the state directory cannot be made: \(error.localizedDescription)")
        }
    }

    /// The directory when none is named.
    package static func standardPath(environment: [String: String]) -> String {
        if let state = environment["XDG_STATE_HOME"], state.hasPrefix("/") { return state + "/lockstep" }
        return (environment["HOME"] ?? "/var/lib") + "/.local/state/lockstep"
    }

    /// The name of a pair's files: readable, and unique by a hash of both locations with their endpoints.
    package func pairFile(source: String, target: String) -> String {
        var hasher = BLAKE3()
        Array((source + "\0" + target).utf8).withUnsafeBytes { hasher.update($0) }
        let hash = Hex.encode(Array(hasher.finalize().prefix(8)))
        let readable = "\(source)--\(target)".unicodeScalars.map { scalar -> Character in
            scalar.isASCII && scalar.properties.isAlphabetic || ("0"..."9").contains(scalar) || scalar == "-"
                || scalar == "."
                ? Character(scalar) : "_"
        }
        return "\(path)/\(String(readable.prefix(100)))-\(hash)"
    }
}
