import Foundation

/// Files that change at once: readers find the old bytes or the new ones.
enum WholeFile {
    /// A file name for any text, a different one for each: letters, digits and `-_.` stay, the rest is escaped.
    static func name(for text: String) -> String {
        let name = text.utf8.map { byte -> String in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"),
                UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
                String(UnicodeScalar(byte))
            default: "%" + String(byte, radix: 16)
            }
        }.joined()
        return name.hasPrefix(".") ? "%2e" + name.dropFirst() : name
    }

    /// Writes beside the file and renames. What an earlier attempt left beside it is overwritten.
    /// - Parameter isDurable: whether it must survive a power cut.
    static func replace(
        _ path: String, with bytes: [UInt8], mode: mode_t, isDurable: Bool
    ) throws(RecordError) {
        let scratch = path + ".tmp"
        let descriptor = open(scratch, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode)
        guard descriptor >= 0 else { throw RecordError.io(scratch, "cannot be written", errno) }
        do throws(RecordError) {
            try write(bytes, to: descriptor, scratch)
            guard fchmod(descriptor, mode) == 0, !isDurable || fsync(descriptor) == 0 else {
                throw RecordError.io(scratch, "cannot be written", errno)
            }
        } catch {
            close(descriptor)
            unlink(scratch)
            throw error
        }
        close(descriptor)
        guard rename(scratch, path) == 0 else {
            let number = errno
            unlink(scratch)
            throw RecordError.io(path, "cannot be replaced", number)
        }
        if isDurable { try synchronise(directoryOf: path) }
    }

    private static func write(_ bytes: [UInt8], to descriptor: Int32, _ path: String) throws(RecordError) {
        var start = 0
        while start < bytes.count {
            let count = bytes.withUnsafeBytes {
                Foundation.write(descriptor, $0.baseAddress! + start, $0.count - start)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw RecordError.io(path, "cannot be written", count < 0 ? errno : EIO) }
            start += count
        }
    }

    private static func synchronise(directoryOf path: String) throws(RecordError) {
        let directory = URL(fileURLWithPath: path).deletingLastPathComponent().path
        let descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw RecordError.io(directory, "cannot be opened", errno) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw RecordError.io(directory, "cannot be made durable", errno) }
    }
}
