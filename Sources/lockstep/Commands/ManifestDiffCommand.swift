import ArgumentParser
import Foundation
import Manifests
import ReplicationModel

/// `lockstep manifest diff`: what two manifests do not agree on.
struct ManifestDiffCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "diff",
        abstract: "Compares two manifests key by key: + added, - removed, * changed with the fields that differ.",
        discussion: """
            Two heads of one location by their numbers (the last two when none is given, the newest when only one is), or the newest heads
            of two locations.

            EXAMPLES
              lockstep manifest diff gs://models-replica
              lockstep manifest diff gs://models-replica 40 42
              lockstep manifest diff s3://replica-eu s3://replica-us --json | jq -r .key
            """)

    @Argument(help: "Where the manifest is: s3://, gs://, az://, file:// or a directory.")
    var location: String
    @Argument(help: ArgumentHelp("Two numbers of heads, or another location.", valueName: "other"))
    var others: [String] = []
    @OptionGroup var endpoint: EndpointOptions
    @Flag(help: "One JSON object a line, with the rows before and after.")
    var json = false

    func validate() throws {
        guard others.count <= 2, others.count < 2 || others.allSatisfy({ Int64($0) != nil }) else {
            throw ValidationError("compare two heads (LOCATION A B) or two locations (LOCATION LOCATION)")
        }
    }

    func run() async throws {
        let context = CommandContext()
        let command = self
        try await context.run(about: location) { try await command.compare(context) }
    }

    private func compare(_ context: CommandContext) async throws -> Int32 {
        let (before, after) = try await sides(context)
        var diff = ManifestDiff(before, after)
        var (added, removed, changed) = (0, 0, 0)
        while let difference = try await diff.next() {
            switch difference {
            case .added: added += 1
            case .removed: removed += 1
            case .changed: changed += 1
            }
            context.console.data(json ? try difference.jsonLine() : difference.line)
        }
        context.console.say(
            "\(Format.count(added)) added, \(Format.count(removed)) removed, \(Format.count(changed)) changed")
        return ExitStatus.ok.rawValue
    }

    private func sides(_ context: CommandContext) async throws -> (PublishedRows, PublishedRows) {
        let folder = try await context.manifest(at: try endpoint.place(location, context)).folder
        let numbers = others.compactMap { Int64($0) }
        if numbers.isEmpty, let other = others.first {
            let second = try await context.manifest(at: try endpoint.place(other, context)).folder
            return (
                PublishedRows(try await folder.open(nil).head, in: folder),
                PublishedRows(try await second.open(nil).head, in: second)
            )
        }
        let after = try await folder.open(numbers.count == 2 ? numbers[1] : nil).head
        let before = try await folder.open(numbers.first ?? after.sequence - 1).head
        return (PublishedRows(before, in: folder), PublishedRows(after, in: folder))
    }
}

extension ManifestDifference {
    fileprivate var line: String {
        switch self {
        case .added(let row): "+ \(row.key)"
        case .removed(let row): "- \(row.key)"
        case .changed(_, let row, let fields): "* \(row.key)  \(fields.joined(separator: " "))"
        }
    }

    fileprivate func jsonLine() throws -> String {
        var text = JSONText()
        text.beginObject()
        switch self {
        case .added(let row):
            text.field("change", "added")
            text.key("key", row.key)
            text.name("after")
            text.value(json: try row.manifestLine())
        case .removed(let row):
            text.field("change", "removed")
            text.key("key", row.key)
            text.name("before")
            text.value(json: try row.manifestLine())
        case .changed(let before, let after, let fields):
            text.field("change", "changed")
            text.key("key", after.key)
            text.name("fields")
            text.beginArray()
            for field in fields { text.value(field) }
            text.endArray()
            text.name("before")
            text.value(json: try before.manifestLine())
            text.name("after")
            text.value(json: try after.manifestLine())
        }
        text.endObject()
        return text.string
    }
}
