import Digests
import Foundation

/// A machine's memory of one vault, in the directory `<state>/vaults/<first 16 hex digits of the repository>/` that only its owner reads:
///
///     root              JSON, the newest root seen
///     lock              held while `root` is replaced
///     sessions/<name>   one empty file for each open session
///     index/            decrypted index segments
///
/// Files are replaced by renaming, so a reader sees the old one or the new one, and several processes may use the directory at a time.
package final class FileVaultState: VaultLocalState {
    private let directory: String

    /// - Parameter state: the directory of all states; made where it is missing.
    package init(state: String, repository: [UInt8]) throws(VaultError) {
        directory = "\(state)/vaults/\(Hex.encode(Array(repository.prefix(8))))"
        do {
            try FileManager.default.createDirectory(
                atPath: state, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch {
            throw VaultError(.local, "\(state) cannot be made: \(error.localizedDescription); name another --state")
        }
        for path in ["\(state)/vaults", directory, sessions, "\(directory)/index"] {
            guard mkdir(path, 0o700) == 0 || errno == EEXIST else { throw Self.failure(path, "cannot be made") }
        }
    }

    private var root: String { "\(directory)/root" }
    private var sessions: String { "\(directory)/sessions" }
    package var cacheDirectory: String? { "\(directory)/index" }
    package var forgetting: String { "delete \(root)" }

    /// Bytes of `root`, at most.
    private static let maxRoot = 4096
    private static let maxSessions = 100_000

    package func rememberedRoot() throws(VaultError) -> RememberedRoot? {
        let descriptor = open(root, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            if errno == ENOENT { return nil }
            throw Self.failure(root, "cannot be read")
        }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        while bytes.count <= Self.maxRoot {
            var piece = [UInt8](repeating: 0, count: Self.maxRoot)
            let count = Foundation.read(descriptor, &piece, piece.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw Self.failure(root, "cannot be read") }
            if count == 0 { break }
            bytes += piece.prefix(count)
        }
        guard let found = try? JSONDecoder().decode(RememberedRoot.self, from: Data(bytes)),
            Hex.decode(found.hash)?.count == BLAKE3.digestLength
        else {
            throw VaultError(
                .local,
                "\(root) is damaged: it names the newest root of the vault that this machine has seen. Compare the vault's snapshots "
                    + "with what you expect, then delete the file")
        }
        return found
    }

    package func remember(_ remembered: RememberedRoot) throws(VaultError) {
        let lock = open("\(directory)/lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard lock >= 0 else { throw Self.failure("\(directory)/lock", "cannot be opened") }
        // Closing gives the lock back.
        defer { close(lock) }
        while flock(lock, LOCK_EX) != 0 {
            guard errno == EINTR else { throw Self.failure("\(directory)/lock", "cannot be locked") }
        }
        if let known = try rememberedRoot(), known.sequence > remembered.sequence || known == remembered { return }
        try Self.replace(root, VaultJSON.encode(remembered))
    }

    package func openSessions() throws(VaultError) -> [SessionName] {
        let names: [String]
        do {
            names = try FileManager.default.contentsOfDirectory(atPath: sessions)
        } catch {
            throw VaultError(.local, "\(sessions) cannot be read: \(error.localizedDescription)")
        }
        guard names.count <= Self.maxSessions else {
            throw VaultError(.local, "\(sessions) holds \(names.count) files: delete what is not Lockstep's")
        }
        return names.compactMap { SessionName($0) }.sorted { $0.text < $1.text }
    }

    package func noteSession(_ session: SessionName) throws(VaultError) {
        let path = "\(sessions)/\(session)"
        let descriptor = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw Self.failure(path, "cannot be made") }
        close(descriptor)
        try Self.makeDurable(sessions)
    }

    package func forgetSession(_ session: SessionName) throws(VaultError) {
        let path = "\(sessions)/\(session)"
        guard unlink(path) == 0 || errno == ENOENT else { throw Self.failure(path, "cannot be deleted") }
    }

    private static func replace(_ path: String, _ bytes: [UInt8]) throws(VaultError) {
        var template = Array((path + ".XXXXXX").utf8CString)
        // Only its owner reads a file that mkstemp makes.
        let descriptor = mkstemp(&template)
        guard descriptor >= 0 else { throw failure(path, "cannot be written") }
        let temporary = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        var isWritten = bytes.withUnsafeBytes { bytes in
            var rest = bytes[...]
            while !rest.isEmpty {
                let count = Foundation.write(descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { return false }
                rest = rest.dropFirst(count)
            }
            return true
        }
        isWritten = isWritten && fsync(descriptor) == 0
        guard isWritten, rename(temporary, path) == 0 else {
            let error = failure(path, "cannot be written")
            close(descriptor)
            unlink(temporary)
            throw error
        }
        close(descriptor)
        try makeDurable(String(path[..<path.lastIndex(of: "/")!]))
    }

    private static func makeDurable(_ directory: String) throws(VaultError) {
        let descriptor = open(directory, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure(directory, "cannot be made durable") }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw failure(directory, "cannot be made durable") }
    }

    private static func failure(_ path: String, _ what: String) -> VaultError {
        VaultError(.local, "\(path) \(what): \(String(cString: strerror(errno)))")
    }
}
