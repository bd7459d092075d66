import ArgumentParser
import Digests
import Foundation
import Manifests
import ReplicationModel

/// `lockstep manifest show LOCATION`: a head, or rows.
struct ManifestShowCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Shows the newest head, or rows as JSON lines; what is read is checked, the signer is not.",
        discussion: """
            EXAMPLES
              lockstep manifest show gs://models-replica
              lockstep manifest show gs://models-replica llama/config.json | jq .crc32c
              lockstep manifest show ./copy --sequence 41 --rows | jq -s 'map(.size) | add'
            """)

    @Argument(help: "Where the manifest is: s3://, gs://, az://, file:// or a directory.")
    var location: String
    @Argument(help: "Show the rows of these keys.")
    var keys: [String] = []
    @OptionGroup var endpoint: EndpointOptions
    @Option(help: ArgumentHelp("This head instead of the newest.", valueName: "n"))
    var sequence: Int64?
    @Flag(help: "The signed line of the head, as it was published.")
    var json = false
    @Flag(help: "All rows.")
    var rows = false

    func validate() throws {
        if rows, !keys.isEmpty { throw ValidationError("--rows shows all rows: name keys or give --rows") }
        if json, rows || !keys.isEmpty { throw ValidationError("--json shows the head; rows are JSON anyway") }
    }

    func run() async throws {
        let context = CommandContext()
        let command = self
        try await context.run(about: location) { try await command.show(context) }
    }

    private func show(_ context: CommandContext) async throws -> Int32 {
        let folder = try await context.manifest(at: try endpoint.place(location, context)).folder
        let file = try await folder.open(sequence)
        if rows {
            for page in file.head.pages {
                try Task.checkCancellation()
                context.console.data(String(try await folder.lines(of: page).dropLast()))
            }
        } else if !keys.isEmpty {
            return try await showRows(folder, file.head, context)
        } else if json {
            context.console.data(String(decoding: file.line, as: UTF8.self))
        } else {
            for (name, value) in Self.summary(file.head) {
                context.console.data(name + String(repeating: " ", count: 14 - name.count) + value)
            }
        }
        return ExitStatus.ok.rawValue
    }

    private func showRows(
        _ folder: ManifestFolder, _ head: PublishedHead, _ context: CommandContext
    ) async throws -> Int32 {
        var status = ExitStatus.ok
        for key in keys {
            guard let row = try await folder.row(for: ObjectKey(key), of: head) else {
                context.console.error("the manifest has no \(ObjectKey(key))")
                status = .partial
                continue
            }
            context.console.data(try row.manifestLine())
        }
        return status.rawValue
    }

    private static func summary(_ head: PublishedHead) -> [(String, String)] {
        [
            ("manifest", "\(head.sequence)"), ("source", "\(ObjectKey(head.source))"),
            ("target", "\(ObjectKey(head.target))"), ("created", Format.time(head.createdAt * 1_000_000_000)),
            ("holds", head.counts), ("pages", Format.count(head.pages.count)),
            ("merkle root", Hex.encode(head.merkleRoot)), ("previous", head.previous.map { Hex.encode($0) } ?? "-"),
            ("signed by", head.publicKey.id),
        ]
    }
}
