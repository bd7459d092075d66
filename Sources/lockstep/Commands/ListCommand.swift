import ArgumentParser
import Foundation
import ObjectStores
import ReplicationModel

/// `lockstep ls LOCATION`: every object below a location.
struct ListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ls",
        abstract: "Lists the objects below a location: size, time of the last change, key.",
        discussion: """
            EXAMPLES
              lockstep ls s3://models/llama
              lockstep ls gs://models --endpoint http://127.0.0.1:4443
              lockstep ls az://account/container --json | jq -s 'map(.size) | add'
              lockstep ls vault+s3://backups/models --snapshot 2026-11-01
            """)

    @Argument(
        help:
            "s3://bucket/prefix, gs://bucket/prefix, az://account/container/prefix, file:///dir or a path; vault+… for one in a vault."
    )
    var location: String
    @OptionGroup var endpoint: EndpointOptions
    @OptionGroup var snapshot: SnapshotOptions
    @Flag(help: "One JSON object a line, with version and checksums.")
    var json = false

    func run() async throws {
        let context = CommandContext()
        let command = self
        try await context.run(about: location) { try await command.list(context) }
    }

    private func list(_ context: CommandContext) async throws -> Int32 {
        let place = try endpoint.place(location, context, by: endpoint.connection(snapshot))
        let opened = try await context.stores.open(place.location, place.connection, for: .reading)
        var cursor: String?
        var status = ExitStatus.ok
        repeat {
            let page = try await opened.store.list(
                ListRequest(cursor: cursor, limit: opened.store.capabilities.listPageLimit))
            for object in page.objects { context.console.data(try json ? object.jsonLine() : object.line) }
            for entry in page.unlistable {
                context.console.warn("\(ObjectKey(entry.name)) is not an object: \(entry.reason)")
                status = .partial
            }
            guard page.next != cursor || cursor == nil else {
                throw CommandFailure(.partial, "\(opened.store.name) gave the same continuation token twice")
            }
            cursor = page.next
            try Task.checkCancellation()
        } while cursor != nil
        return status.rawValue
    }
}

extension ListedObject {
    fileprivate var line: String {
        let digits = String(size)
        return String(repeating: " ", count: max(0, 14 - digits.utf8.count)) + digits + "  " + Format.time(modified)
            + "  " + "\(key)"
    }
}
