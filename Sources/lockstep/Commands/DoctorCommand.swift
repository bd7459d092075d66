import ArgumentParser
import Replication

/// `lockstep doctor LOCATION` and `lockstep doctor PAIR`: proves places before their first use.
struct DoctorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract:
            "Asks a bucket or a directory, or both sides of a pair, for everything that the engine relies on, before its first use.",
        discussion: """
            Small objects are written below .lockstep/doctor/ and removed again, and one of three parts (10 MiB in a cloud). --read-only
            writes nothing, and says what it therefore cannot know. A word without / and : is a pair of the configuration file: its source,
            its target and where its manifest goes are asked as its runs will ask them, with their identities, keys and vaults. A directory
            is written ./NAME.

            Exit code 0: usable, and what the engine does instead of what the server lacks is named. 3: usable, and something of the
            doctor's own could not be removed. 4: the server does something wrong that would endanger data. 75: it cannot be reached.
            78: rights are missing, or the bucket is. Of a pair the worst counts, in the order 4, 78, 75, 3.

            EXAMPLES
              lockstep doctor models --config lockstep.yaml
              lockstep doctor vault:offsite --config lockstep.yaml
              lockstep doctor gs://models-replica
              lockstep doctor s3://models/release --as source --read-only
              lockstep doctor s3://bucket --endpoint https://minio.example.com:9000 --json
            """)

    enum Purpose: String, ExpressibleByArgument, CaseIterable {
        case source, target
    }

    @Argument(
        help: ArgumentHelp(
            "s3://bucket/prefix, gs://bucket/prefix, az://account/container/prefix, file:///dir or a path; vault+… or vault:NAME for a "
                + "vault and its place; a pair of the configuration file.", valueName: "location|pair"))
    var location: String
    @OptionGroup var endpoint: EndpointOptions
    @Option(name: .customLong("as"), help: "What the place is for: a source is only read.")
    var purpose: Purpose?
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
        try await context.run { try await command.examine(context) }
    }

    private func examine(_ context: CommandContext) async throws -> Int32 {
        var codes: [Int32] = []
        for examination in try examinations(context) {
            guard !Task.isCancelled else { break }
            do {
                codes.append(try await examination.run())
            } catch let failure as CommandFailure where examination.pair != nil {
                // The other places are worth knowing too.
                context.console.error(failure.description)
                codes.append(failure.status.rawValue)
            }
        }
        return context.interruption.exitCode ?? PlaceExamination.worst(codes)
    }

    /// One for a place, and one for each place of a pair.
    private func examinations(_ context: CommandContext) throws -> [PlaceExamination] {
        guard namesPair else {
            var place = try endpoint.place(location, context)
            place.connection.encryption = targetEncryption
            return [
                PlaceExamination(
                    place: place, use: purpose == .source ? .source : .target, isReadOnly: readOnly, isJSON: json,
                    context: context)
            ]
        }
        if let flag = placeFlags.first {
            throw CommandFailure(
                .usage,
                "\(flag) is about one location, and \(location) a pair of the configuration file, which says it; a directory is written "
                    + "./\(location)")
        }
        let request: PairRequest
        do {
            request = try ConfigurationFile.load(endpoint.file.config, context.environment).pairs([location])[0]
                .request()
        } catch let failure as CommandFailure {
            throw CommandFailure(failure.status, "\(failure.description). A directory is written ./\(location)")
        }
        let places: [(String, PairRequest.Place?, Doctor.Use)] = [
            ("source", request.source, .source), ("target", request.target, .target),
            ("control", request.control, .target),
        ]
        return places.compactMap { side, place, use in
            place.map {
                PlaceExamination(
                    place: $0, use: use, pair: PlaceExamination.Pair(name: location, side: side), isReadOnly: readOnly,
                    isJSON: json, context: context)
            }
        }
    }

    /// A pair has no slash in its name, and no colon; nor have the directories here and above this one.
    private var namesPair: Bool {
        !location.contains("/") && !location.contains(":") && !["", ".", ".."].contains(location)
    }

    /// What the configuration says of the places of a pair.
    private var placeFlags: [String] {
        let keys = endpoint.keys
        return [
            (endpoint.cloud != nil, "--cloud"), (endpoint.endpoint != nil, "--endpoint"),
            (endpoint.region != nil, "--region"), (endpoint.profile != nil, "--profile"),
            (keys.passwordFile != nil, "--password-file"), (keys.keyFile != nil, "--key-file"),
            (keys.kms != nil, "--kms"), (purpose != nil, "--as"), (targetEncryption != nil, "--target-encryption"),
        ].filter(\.0).map(\.1)
    }
}
