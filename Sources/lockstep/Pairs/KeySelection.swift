import ArgumentParser
import Foundation
import Replication
import ReplicationModel

/// Which keys of a pair a run or a check is about.
enum KeySelection: Sendable {
    /// All that the filters let through.
    case all
    /// Exactly the keys in a file, one a line.
    case listed(in: String)
    /// Exactly the keys that a check's combined report marks.
    case marked(in: String)
    case these([ObjectKey])

    /// Fills in the keys; returns what people should know about those that are left out.
    func apply(to options: inout ReplicationOptions) throws -> [String] {
        guard case .marked(let report) = self else {
            options.keys = try keys()
            return []
        }
        return try MarkedKeys.read(report).apply(to: &options)
    }

    /// nil: all.
    func keys() throws -> [ObjectKey]? {
        switch self {
        case .all: nil
        case .listed(let file): try Self.lines(of: file)
        case .marked(let report): try MarkedKeys.read(report).keys
        case .these(let keys): keys
        }
    }

    /// Empty lines are passed over, a carriage return at the end of a line is not part of the key.
    private static func lines(of file: String) throws -> [ObjectKey] {
        try ListFile.read(file, option: "--files-from").split(separator: UInt8(ascii: "\n")).compactMap { line in
            var bytes = Array(line)
            if bytes.last == UInt8(ascii: "\r") { bytes.removeLast() }
            return bytes.isEmpty ? nil : ObjectKey(bytes)
        }
    }
}

/// What a combined report of a check asks to repair.
private struct MarkedKeys {
    /// Keys only at the target that are named one by one.
    private static let maxNamed = 1000

    var keys: [ObjectKey] = []
    /// Of those, the ones that are copied whatever the ledger says.
    var replaced: Set<ObjectKey> = []
    /// Only at the target.
    var left: [ObjectKey] = []

    static func read(_ report: String) throws -> MarkedKeys {
        var marked = MarkedKeys()
        let lines = try ListFile.read(report, option: "--repair-from").split(
            separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        for (index, line) in lines.enumerated() where !line.isEmpty {
            let parsed: CombinedLine
            do {
                parsed = try CombinedLine(parsing: line)
            } catch {
                throw ValidationError(
                    "--repair-from \(report), line \(index + 1): this is no combined report of check: \(error)")
            }
            switch parsed.mark {
            case .same: break
            case .onlyInTarget: marked.left.append(parsed.key)
            case .differs:
                marked.keys.append(parsed.key)
                marked.replaced.insert(parsed.key)
            case .onlyInSource, .failed, .unproven: marked.keys.append(parsed.key)
            }
        }
        return marked
    }

    func apply(to options: inout ReplicationOptions) -> [String] {
        options.keys = keys
        options.replaced = replaced
        // What a check could not prove is not believed to be unchanged.
        options.comparison = .checksum
        var notices = left.prefix(Self.maxNamed).map { "left as it is, only at the target: \($0)" }
        if left.count > notices.count {
            notices.append("left as they are, only at the target: \(left.count - notices.count) more")
        }
        if !left.isEmpty { notices.append("lockstep sync --delete removes what only the target has") }
        return notices
    }
}
