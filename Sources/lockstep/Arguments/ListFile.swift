import ArgumentParser
import Foundation

/// A file that names keys, read whole; `-` is standard input.
enum ListFile {
    /// Largest list that is read into memory.
    private static let maxBytes = 256 << 20

    /// - Parameter option: what named the file, for errors.
    static func read(_ path: String, option: String) throws -> Data {
        let data: Data
        do {
            guard let file = path == "-" ? .standardInput : FileHandle(forReadingAtPath: path) else {
                throw ValidationError("\(option) \(path) cannot be opened: \(String(cString: strerror(errno)))")
            }
            // Read as a stream: it may be a pipe.
            data = try file.read(upToCount: maxBytes + 1) ?? Data()
        } catch let error as ValidationError {
            throw error
        } catch {
            throw ValidationError("\(option) \(path) cannot be read; name a file, a pipe or - for standard input")
        }
        guard data.count <= maxBytes else { throw ValidationError("\(option) \(path) is larger than 256 MiB") }
        return data
    }
}
