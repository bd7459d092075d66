import Configuration
import Foundation
import HTTPStores
import Manifests

/// Looks whether this machine has what a configuration names outside of clouds: directories, programs, keys.
struct MachineCheck {
    private(set) var findings: [(SettingError, Fields)] = []
    private let environment: [String: String]

    init(environment: [String: String]) {
        self.environment = environment
    }

    private mutating func add(_ key: String, _ message: String, _ fields: Fields, isMissing: Bool = true) {
        findings.append((SettingError(key, message: message, dependsOnMachine: isMissing), fields))
    }

    /// The state directory, which is made when it is not there, and its records.
    mutating func state(_ path: String, _ fields: Fields) {
        var existing = path
        while existing != "/", access(existing, F_OK) != 0, errno == ENOENT {
            existing = (existing as NSString).deletingLastPathComponent
        }
        directory(existing, "state", fields)
        let records = path + "/pairs"
        if access(records, F_OK) == 0 { directory(records, "state", fields) }
    }

    /// A directory that is read.
    mutating func source(_ path: String, _ key: String, _ fields: Fields) {
        var status = stat()
        guard stat(path, &status) == 0 else {
            return add(key, "\(path) cannot be read: \(String(cString: strerror(errno)))", fields)
        }
        if status.st_mode & S_IFMT != S_IFDIR { add(key, "\(path) is no directory", fields) }
    }

    /// A directory that is written into.
    mutating func directory(_ path: String, _ key: String, _ fields: Fields) {
        var status = stat()
        guard stat(path, &status) == 0 else {
            return add(key, "\(path) cannot be used: \(String(cString: strerror(errno)))", fields)
        }
        guard status.st_mode & S_IFMT == S_IFDIR else { return add(key, "\(path) is no directory", fields) }
        guard access(path, W_OK | X_OK) == 0 else {
            return add(key, "\(path) cannot be written by this user: \(String(cString: strerror(errno)))", fields)
        }
    }

    /// A key that signs manifests; it is made when it is not there.
    mutating func signingKey(_ path: String, _ key: String, _ fields: Fields) {
        guard access(path, F_OK) == 0 || errno != ENOENT else { return }
        do {
            _ = try RegularFile.prefix(path, 1)
            _ = try SigningKeyFile.load(path)
        } catch let error as RegularFile.Failure {
            add(key, "\(path) cannot be read: \(error)", fields)
        } catch let error as ManifestError {
            add(key, error.message, fields, isMissing: false)
        } catch {
            add(key, "\(path): \(error)", fields)
        }
    }

    /// A program, by its path or by a name that is looked for in PATH.
    mutating func program(_ name: String, _ key: String, _ fields: Fields) {
        let directories = (environment["PATH"] ?? "").split(separator: ":")
        let places = name.contains("/") ? [name] : directories.map { "\($0)/\(name)" }
        guard !places.contains(where: { FileManager.default.isExecutableFile(atPath: $0) }) else { return }
        add(key, "there is no program \(name) that this user can run", fields)
    }
}
