import Foundation
import Synchronization

/// The records of all pairs: one file each, replaced whole, and changed by one process at a time.
package struct PairRecordStore: Sendable {
    /// Bytes; a record has a few thousand.
    private static let longestRecord = 1 << 20
    private static let maxRecords = 10_000

    private let directory: String
    /// Records that could not be written, as this process knows them: what happened counts all the same.
    private let unwritten = Unwritten()

    private final class Unwritten: Sendable {
        let records = Mutex<[String: PairRecord]>([:])
    }

    /// - Parameter state: the state directory; records are in `pairs` below it.
    package init(state: String) {
        directory = state + "/pairs"
    }

    /// What was read, and what is wrong with it: a damaged file is set aside, and the pair begins anew.
    package struct Reading: Sendable {
        package var record: PairRecord?
        package var problem: String?
    }

    package func read(_ pair: String) throws(RecordError) -> Reading {
        if let record = unwritten.records.withLock({ $0[pair] }) { return Reading(record: record) }
        return try readFile(of: pair)
    }

    private func readFile(of pair: String) throws(RecordError) -> Reading {
        let path = path(of: pair)
        guard let bytes = try contents(of: path) else { return Reading() }
        do {
            let head = try Self.decoder.decode(Head.self, from: bytes)
            guard head.version <= PairRecord.currentVersion else { throw RecordError.newer(path, head.version) }
            let record = try Self.decoder.decode(PairRecord.self, from: bytes)
            guard record.pair == pair else {
                return Reading(problem: try setAside(path, "it is of pair \(record.pair)"))
            }
            return Reading(record: record)
        } catch let error as RecordError {
            throw error
        } catch {
            return Reading(problem: try setAside(path, "it is damaged"))
        }
    }

    /// Changes a pair's record, which is made when there is none, and makes it durable.
    /// - Returns: what `change` gave, and what was wrong with the record before.
    @discardableResult
    package func update<Result>(
        _ pair: String, _ change: (inout PairRecord) -> Result
    ) throws(RecordError) -> (result: Result, problem: String?) {
        try makeDirectory()
        let lock = try Lock(directory + "/.lock")
        defer { lock.release() }
        // The file is looked at also when more is known here: one that a newer program wrote stays.
        let reading = try readFile(of: pair)
        var record = unwritten.records.withLock { $0[pair] } ?? reading.record ?? PairRecord(pair: pair)
        let result = change(&record)
        try write(record)
        unwritten.records.withLock { $0[pair] = nil }
        return (result, reading.problem)
    }

    /// The mark of a run of this kind, while nobody else has it. Asked for within `update`, so that nobody looks who does not change.
    package func mark(_ pair: String, _ kind: PairWork.Kind) -> RunMark? {
        RunMark("\(directory)/\(WholeFile.name(for: pair)).\(kind == .check ? "check" : "run")")
    }

    /// Changes what this process knows of a pair whose record could not be written; the next `update` that can writes it.
    package func remember<Result>(_ pair: String, _ change: (inout PairRecord) -> Result) -> Result {
        var record = PairRecord(pair: pair)
        do throws(RecordError) {
            if let known = try read(pair).record { record = known }
        } catch {
            // What cannot be read either begins anew, here only.
        }
        let result = change(&record)
        let changed = record
        unwritten.records.withLock { $0[pair] = changed }
        return result
    }

    /// Whether a record could be written now.
    package func probe() throws(RecordError) {
        guard unwritten.records.withLock(\.isEmpty) else {
            throw RecordError("records in \(directory) could not be written; the log says why")
        }
        try makeDirectory()
        try Lock(directory + "/.lock").release()
        guard access(directory, W_OK) == 0 else { throw RecordError.io(directory, "cannot be written", errno) }
    }

    private struct Head: Codable {
        var version: Int
    }

    private static var decoder: JSONDecoder {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return decoder
    }

    private func path(of pair: String) -> String {
        "\(directory)/\(WholeFile.name(for: pair)).json"
    }

    private func makeDirectory() throws(RecordError) {
        do {
            try FileManager.default.createDirectory(
                atPath: directory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch {
            throw RecordError("\(directory) cannot be made: \(error.localizedDescription)")
        }
    }

    private func contents(of path: String) throws(RecordError) -> Data? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            if errno == ENOENT { return nil }
            throw RecordError.io(path, "cannot be read", errno)
        }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: Self.longestRecord)
        var filled = 0
        while filled < bytes.count {
            let count = bytes.withUnsafeMutableBytes {
                Foundation.read(descriptor, $0.baseAddress! + filled, $0.count - filled)
            }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw RecordError.io(path, "cannot be read", errno) }
            if count == 0 { break }
            filled += count
        }
        return Data(bytes[..<filled])
    }

    private func setAside(_ path: String, _ reason: String) throws(RecordError) -> String {
        let aside = path + ".damaged"
        guard rename(path, aside) == 0 else { throw RecordError.io(path, "is damaged and cannot be set aside", errno) }
        return "the record \(path) is not usable (\(reason)); it is now \(aside), and its counters begin anew"
    }

    private func write(_ record: PairRecord) throws(RecordError) {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
        let path = path(of: record.pair)
        let bytes: Data
        do { bytes = try encoder.encode(record) } catch { throw RecordError("\(path) cannot be encoded: \(error)") }
        try WholeFile.replace(path, with: Array(bytes), mode: 0o600, isDurable: true)
    }
}

/// A record that cannot be read or written: which file, why, and what to do.
package struct RecordError: Error, Sendable, CustomStringConvertible {
    package var description: String

    package init(_ description: String) {
        self.description = description
    }

    static func io(_ path: String, _ what: String, _ number: Int32) -> RecordError {
        RecordError("\(path) \(what): \(String(cString: strerror(number)))")
    }

    static func newer(_ path: String, _ version: Int) -> RecordError {
        RecordError(
            "\(path) has version \(version), which a newer lockstep wrote: update this one, or move the file away")
    }
}

/// One process at a time; ends with the process that holds it.
private struct Lock: ~Copyable {
    private let descriptor: Int32

    init(_ path: String) throws(RecordError) {
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw RecordError.io(path, "cannot be opened", errno) }
        while flock(descriptor, LOCK_EX) != 0 {
            guard errno == EINTR else {
                let number = errno
                close(descriptor)
                throw RecordError.io(path, "cannot be locked", number)
            }
        }
    }

    func release() {
        close(descriptor)
    }
}
