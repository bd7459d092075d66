import ArgumentParser
import Foundation
import Replication
import ReplicationModel

/// `--repair-from`: the keys that a check reported.
struct RepairOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            """
            Exactly the keys that a combined report of check marks: * is copied again, + ! ? are compared by content and copied where \
            they differ, - is left.
            """, valueName: "file"))
    var repairFrom: String?

    /// Keys only at the target that are named one by one.
    private static let maxNamed = 1000

    /// Fills in what is to be repaired; returns what people should know about the rest.
    func apply(to options: inout ReplicationOptions) throws -> [String] {
        guard let repairFrom else { return [] }
        var keys: [ObjectKey] = []
        var left: [ObjectKey] = []
        let lines = try ListFile.read(repairFrom, option: "--repair-from").split(
            separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        for (index, line) in lines.enumerated() where !line.isEmpty {
            let parsed: CombinedLine
            do {
                parsed = try CombinedLine(parsing: line)
            } catch {
                throw ValidationError(
                    "--repair-from \(repairFrom), line \(index + 1): this is no combined report of check: \(error)")
            }
            switch parsed.mark {
            case .same: break
            case .onlyInTarget: left.append(parsed.key)
            case .differs:
                keys.append(parsed.key)
                options.replaced.insert(parsed.key)
            case .onlyInSource, .failed, .unproven: keys.append(parsed.key)
            }
        }
        options.keys = keys
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
