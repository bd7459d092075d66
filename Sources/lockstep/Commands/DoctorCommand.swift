import ArgumentParser
import Cryptography
import Digests
import Foundation
import ObjectStores
import Replication
import ReplicationModel

/// `lockstep doctor LOCATION`: proves a place before its first use.
struct DoctorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Asks a bucket or a directory for everything that the engine relies on, before its first use.",
        discussion: """
            Small objects are written below .lockstep/doctor/ and removed again, and one of three parts (10 MiB in a cloud). --read-only
            writes nothing, and says what it therefore cannot know.

            Exit code 0: usable, and what the engine does instead of what the server lacks is named. 3: usable, and something of the
            doctor's own could not be removed. 4: the server does something wrong that would endanger data. 75: it cannot be reached.
            78: rights are missing, or the bucket is.

            EXAMPLES
              lockstep doctor gs://models-replica
              lockstep doctor s3://models/release --as source --read-only
              lockstep doctor s3://bucket --endpoint https://minio.example.com:9000 --json
            """)

    enum Purpose: String, ExpressibleByArgument, CaseIterable {
        case source, target
    }

    @Argument(
        help:
            "s3://bucket/prefix, gs://bucket/prefix, az://account/container/prefix, file:///dir or a path; vault+… for a vault's place."
    )
    var location: String
    @OptionGroup var endpoint: EndpointOptions
    @Option(name: .customLong("as"), help: "What the place is for: a source is only read.")
    var purpose = Purpose.target
    @Option(
        help: ArgumentHelp(
            "How what is written is to be encrypted, as for sync: proves the right to use the key.",
            valueName: "encryption"))
    var targetEncryption: String?
    @Flag(help: "Write nothing: look only at what is there.")
    var readOnly = false
    @Flag(help: "One JSON object a line.")
    var json = false

    func run() async throws {
        let context = CommandContext()
        let command = self
        try await context.run(about: location) { try await command.examine(context) }
    }

    private func examine(_ context: CommandContext) async throws -> Int32 {
        // What a vault is made of are plain objects: its place needs what every target needs.
        let place = try context.location(location).underlying
        try requireDirectory(place)
        let transport = ObservedTransport(context.transport, time: context.time)
        var connection = endpoint.connection
        connection.encryption = targetEncryption
        let opened = try context.stores(over: transport).openPlain(
            place, connection, for: readOnly ? .reading : .writing)
        let started = context.time.monotonic()
        let output = DoctorOutput(console: context.console, time: context.time, place: place, isJSON: json)
        output.begin(purpose.rawValue, readOnly: readOnly)
        let hasPrefix = place.service != .file && !place.prefix.isEmpty
        let doctor = Doctor(
            store: hasPrefix ? PrefixedStore.rooted(opened.meter, at: place.prefix) : opened.meter,
            around: hasPrefix ? opened.meter : nil, use: purpose == .source ? .source : .target, isReadOnly: readOnly,
            nonce: Hex.encode(SecureRandom.bytes(8)), time: context.time, clock: { transport.traffic.clock })
        let report = await doctor.examine { output.tell($0) }
        let summary = DoctorOutput.Summary(
            report: report, learned: opened.learned(), meter: opened.meter.meter, traffic: transport.traffic,
            elapsed: context.time.monotonic() - started)
        let code = context.interruption.exitCode ?? ExitStatus(report).rawValue
        output.finish(summary, exitCode: code)
        return code
    }
}

extension DoctorCommand {
    /// A directory that is not there is a typo or a disk that is not mounted: nothing is proven of one that would be made here.
    private func requireDirectory(_ place: ObjectLocation) throws(CommandFailure) {
        guard place.service == .file else { return }
        var isDirectory: ObjCBool = false
        guard !FileManager.default.fileExists(atPath: place.bucket, isDirectory: &isDirectory) || !isDirectory.boolValue
        else { return }
        throw CommandFailure(
            .configuration, "\(place) is not a directory; is its disk mounted? A new target is made first: mkdir -p")
    }
}

extension ExitStatus {
    init(_ report: DoctorReport) {
        switch report.verdict {
        case .usable, .restricted: self = report.leftBehind.isEmpty ? .ok : .partial
        case .unsafe: self = .drift
        case .denied: self = .configuration
        case .unavailable: self = .temporary
        }
    }
}
