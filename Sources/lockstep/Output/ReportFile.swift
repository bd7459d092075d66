import Foundation

/// A file that appears under its name only when it is complete. Devices and pipes are written directly.
final class ReportFile {
    private let path: String
    /// Where the bytes gather; nil when they go to `path` itself.
    private let scratch: String?
    private var descriptor: Int32
    private var buffer: [UInt8] = []

    private static let bufferSize = 1 << 16

    init(_ path: String) throws(CommandFailure) {
        self.path = path
        var status = stat()
        let isSpecial = stat(path, &status) == 0 && status.st_mode & S_IFMT != S_IFREG
        scratch = isSpecial ? nil : path + ".\(UUID().uuidString.prefix(8)).part"
        descriptor = open(
            scratch ?? path, isSpecial ? O_WRONLY | O_CLOEXEC : O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw failure("cannot be written", errno) }
        buffer.reserveCapacity(Self.bufferSize + 4096)
    }

    deinit {
        guard descriptor >= 0 else { return }
        close(descriptor)
        if let scratch { unlink(scratch) }
    }

    func write(_ text: String) throws(CommandFailure) {
        buffer.append(contentsOf: text.utf8)
        if buffer.count >= Self.bufferSize { try flush() }
    }

    /// Makes the file durable and gives it its name.
    func finish() throws(CommandFailure) {
        try flush()
        if let scratch {
            guard fsync(descriptor) == 0, rename(scratch, path) == 0 else { throw failure("cannot be written", errno) }
        }
        close(descriptor)
        descriptor = -1
    }

    private func flush() throws(CommandFailure) {
        var start = 0
        while start < buffer.count {
            let count = buffer.withUnsafeBytes {
                Foundation.write(descriptor, $0.baseAddress! + start, $0.count - start)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw failure("cannot be written", errno) }
            start += count
        }
        buffer.removeAll(keepingCapacity: true)
    }

    private func failure(_ what: String, _ number: Int32) -> CommandFailure {
        CommandFailure(.partial, "\(path) \(what): \(String(cString: strerror(number))); name another file")
    }
}
