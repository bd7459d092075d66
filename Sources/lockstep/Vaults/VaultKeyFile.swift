import Cryptography
import Foundation
import HTTPStores

/// A file that opens a vault: a passphrase in its first line, or a key that is all of it.
struct VaultKeyFile {
    enum Kind: String {
        case password = "password file"
        case key = "key file"
    }

    let path: String
    let kind: Kind

    /// Longest passphrase and largest key file, bytes.
    private static let maxLength = 1 << 20
    private static let leastKey = 32

    var isOpenToOthers: Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFREG && status.st_mode & 0o077 != 0
    }

    /// What the file holds. It may be a pipe, whose writer is waited for.
    func secret() throws(SettingError) -> Secret {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { throw absent("cannot be opened: \(String(cString: strerror(errno)))") }
        defer { close(file) }
        var bytes: [UInt8] = []
        defer { bytes.wipe() }
        var piece = [UInt8](repeating: 0, count: 64 << 10)
        while bytes.count <= Self.maxLength {
            let count = read(file, &piece, piece.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw absent("cannot be read: \(String(cString: strerror(errno)))") }
            guard count > 0 else { break }
            bytes += piece[..<count]
        }
        return try secret(in: bytes)
    }

    /// Whether the file could open a vault: waits for nobody, so that of a pipe it says only that it is one.
    func check() throws(SettingError) {
        var bytes: [UInt8]
        do throws(RegularFile.Failure) {
            bytes = try RegularFile.prefix(path, Self.maxLength + 1)
        } catch {
            throw absent("cannot be read: \(error)")
        }
        defer { bytes.wipe() }
        _ = try secret(in: bytes)
    }

    private func secret(in bytes: [UInt8]) throws(SettingError) -> Secret {
        guard bytes.count <= Self.maxLength else { throw wrong("is larger than 1 MiB") }
        switch kind {
        case .password:
            var line = bytes.prefix { $0 != UInt8(ascii: "\n") }
            if line.last == UInt8(ascii: "\r") { line = line.dropLast() }
            guard !line.isEmpty else { throw wrong("begins with an empty line") }
            return Secret(line)
        case .key:
            guard bytes.count >= Self.leastKey else {
                throw wrong(
                    "has \(bytes.count) bytes and must have at least \(Self.leastKey); `openssl rand -out FILE 64` makes one"
                )
            }
            return Secret(bytes)
        }
    }

    private var setting: String { kind == .password ? "password_file" : "key_file" }

    private func wrong(_ what: String) -> SettingError {
        SettingError(setting, message: "the \(kind.rawValue) \(path) \(what)")
    }

    private func absent(_ what: String) -> SettingError {
        SettingError(setting, message: "the \(kind.rawValue) \(path) \(what)", dependsOnMachine: true)
    }
}

extension [UInt8] {
    /// Overwrites the bytes, also where nobody looks at them again.
    mutating func wipe() {
        withUnsafeMutableBytes { bytes in
            if let start = bytes.baseAddress { explicit_bzero(start, bytes.count) }
        }
    }
}
