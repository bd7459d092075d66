import ArgumentParser
import Configuration
import Replication

/// `--pointers`, `--set-depth` and `--set`: what is written last, and after what.
struct PointerOptions: ParsableArguments {
    @Option(
        name: .customLong("pointers"), parsing: .singleValue,
        help: ArgumentHelp(
            """
            Objects by which readers find a set, e.g. '**/latest': written when all else of their set is at the target. \
            May be repeated; what a later pattern matches is written later.
            """, valueName: "pattern"),
        transform: { try Self.parse($0) { text throws(GlobPattern.SyntaxError) in try GlobPattern(text) } })
    var pointers: [GlobPattern] = []

    @Option(
        help: ArgumentHelp(
            "A pointer's set is everything below the first N folders of its key (below its own folder).", valueName: "n"
        ))
    var setDepth: Int?

    @Option(
        name: .customLong("set"), parsing: .singleValue,
        help: ArgumentHelp(
            "A pointer's set is everything below the folder that the pattern matches, e.g. 'models/*/v*/'. May be repeated.",
            valueName: "pattern"),
        transform: {
            try Self.parse($0) { text throws(GlobPattern.SyntaxError) in try ArtifactSets.folderPattern(text) }
        })
    var folders: [GlobPattern] = []

    private static func parse(
        _ text: String, _ parser: (String) throws(GlobPattern.SyntaxError) -> GlobPattern
    ) throws -> GlobPattern {
        do throws(GlobPattern.SyntaxError) {
            return try parser(text)
        } catch {
            throw ValidationError(error.description)
        }
    }

    var settings: PointerSettings { PointerSettings(patterns: pointers, setDepth: setDepth, folders: folders) }

    func validate() throws { try Setting.refuse(settings.problems) }
}
