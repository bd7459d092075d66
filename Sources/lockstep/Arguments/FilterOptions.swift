import ArgumentParser
import Replication
import Synchronization

/// `--include`, `--exclude` and `--files-from`.
struct FilterOptions: ParsableArguments {
    /// One rule with its place on the command line: the first match wins, across both options.
    struct PlacedRule: Sendable {
        let place: Int
        let rule: ObjectFilter.Rule

        private static let counter = Mutex(0)

        init(includes: Bool, pattern: String) throws {
            do {
                rule = ObjectFilter.Rule(includes: includes, pattern: try GlobPattern(pattern))
            } catch {
                throw ValidationError("\(error)")
            }
            place = Self.counter.withLock {
                $0 += 1
                return $0
            }
        }
    }

    @Option(
        name: .customLong("include"), parsing: .singleValue,
        help: ArgumentHelp(
            "Keys to look at; the first matching --include or --exclude decides. May be repeated.", valueName: "pattern"
        ),
        transform: { try PlacedRule(includes: true, pattern: $0) })
    var includes: [PlacedRule] = []

    @Option(
        name: .customLong("exclude"), parsing: .singleValue,
        help: ArgumentHelp("Keys to leave alone on both sides. May be repeated.", valueName: "pattern"),
        transform: { try PlacedRule(includes: false, pattern: $0) })
    var excludes: [PlacedRule] = []

    @Option(help: ArgumentHelp("Exactly the keys in this file, one a line; - reads standard input.", valueName: "file"))
    var filesFrom: String?

    var filter: ObjectFilter {
        ObjectFilter((includes + excludes).sorted { $0.place < $1.place }.map(\.rule))
    }
}
