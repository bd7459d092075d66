import ArgumentParser
import Digests
import Foundation
import ObjectStores
import ReplicationModel

/// `lockstep stat OBJECT`: what the store says about one object.
struct StatCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stat",
        abstract: "Shows an object's size, version, checksums and attributes.",
        discussion: """
            EXAMPLES
              lockstep stat s3://models/model.safetensors
              lockstep stat az://account/container/key --json
              lockstep stat vault+gs://backups/models/config.json
            """)

    @Argument(help: "The object, e.g. s3://bucket/key.")
    var object: String
    @OptionGroup var endpoint: EndpointOptions
    @OptionGroup var snapshot: SnapshotOptions
    @Flag(help: "One JSON object.")
    var json = false

    func run() async throws {
        let context = CommandContext()
        let command = self
        try await context.run(about: object) { try await command.show(context) }
    }

    private func show(_ context: CommandContext) async throws -> Int32 {
        let place = try endpoint.place(object, context, as: .object, by: endpoint.connection(snapshot))
        let (opened, key) = try await context.openObject(place)
        let description = try await opened.store.head(key)
        if json {
            context.console.data(try description.jsonLine())
        } else {
            for (name, value) in description.rows {
                context.console.data(name + String(repeating: " ", count: max(1, 22 - name.count)) + value)
            }
        }
        return ExitStatus.ok.rawValue
    }
}

extension CommandContext {
    /// The store and the key that a place of one object names.
    func openObject(_ place: PairRequest.Place) async throws -> (OpenStore, ObjectKey) {
        var location = place.location
        let connection = place.connection
        let key = location.prefix
        location.prefix = ObjectKey([])
        guard location.isVault, location.service != .file else {
            return (try await stores.open(location, connection, for: .reading), key)
        }
        // The vault is somewhere above the object.
        let folder = key.bytes.lastIndex(of: UInt8(ascii: "/")).map { key.bytes[...$0] } ?? []
        location.prefix = ObjectKey(Array(folder))
        return (
            try await stores.open(location, connection, for: .reading),
            ObjectKey(Array(key.bytes.dropFirst(folder.count)))
        )
    }
}

extension ObjectDescription {
    /// Name and value of everything that is known, for people.
    fileprivate var rows: [(String, String)] {
        var rows = [
            ("key", "\(object.key)"), ("size", "\(object.size)"), ("modified", Format.time(object.modified)),
            ("version", object.version.text),
        ]
        func add(_ name: String, _ value: String?) {
            if let value { rows.append((name, "\(ObjectKey(value))")) }
        }
        add("crc64nvme", object.checksums.crc64nvme.map { ChecksumEncoding.hex($0) })
        add("crc32c", object.checksums.crc32c.map { ChecksumEncoding.hex($0) })
        add("md5", object.checksums.md5.map { Hex.encode($0) })
        add("blake3", object.checksums.blake3.map { Hex.encode($0) })
        add("archive tier", object.archiveTier)
        add("content-type", attributes.contentType)
        add("content-encoding", attributes.contentEncoding)
        add("content-language", attributes.contentLanguage)
        add("content-disposition", attributes.contentDisposition)
        add("cache-control", attributes.cacheControl)
        for (name, value) in attributes.userMetadata.sorted(by: { $0.key < $1.key }) { add("metadata " + name, value) }
        return rows
    }
}
