import ArgumentParser
import ReplicationModel
import Vault

/// How the vault of one location is opened, and which of its states is read.
struct VaultAccess: Sendable, Hashable {
    var passwordFile: String?
    var keyFile: String?
    /// `KIND:KEY` of a key service.
    var kms: KeyServiceAddress?
    /// Who asks the key service; nil: as the environment has it.
    var kmsIdentity: CloudIdentity?
    /// nil: the newest complete one.
    var snapshot: SnapshotArgument?
    /// The state must not be older than this one, which somebody else has seen.
    var atLeast: RootMark?
    /// Where this machine remembers what it has seen of the vault; nil: the standard directory.
    var state: String?

    /// The options that only a vault has a use for, as they were given.
    var options: [String] {
        var names: [String] = []
        if passwordFile != nil { names.append("--password-file") }
        if keyFile != nil { names.append("--key-file") }
        if kms != nil { names.append("--kms") }
        if snapshot != nil { names.append("--snapshot") }
        if atLeast != nil { names.append("--at-least") }
        return names
    }
}

/// `--snapshot`: a snapshot's number, `latest`, or a moment, which means the newest one that is not younger.
struct SnapshotArgument: ExpressibleByArgument, Hashable, Sendable, CustomStringConvertible {
    let choice: SnapshotChoice
    let description: String

    init?(argument: String) {
        description = argument
        if argument == "latest" {
            choice = .latest
        } else if let id = UInt64(argument) {
            choice = .id(id)
        } else if let moment = Self.moment(argument) {
            choice = .at(moment)
        } else if argument.utf8.count == 10, let midnight = Self.moment(argument + "T00:00:00Z") {
            // A day includes its snapshots.
            choice = .at(midnight + 86_399)
        } else {
            return nil
        }
    }

    /// Seconds since 1970 of an RFC 3339 time, to the letter: what it is taken for by mistake would bring back another state.
    private static func moment(_ text: String) -> Int64? {
        guard text.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)/) != nil,
            let moment = CivilTime(rfc3339: text)
        else { return nil }
        // There is no 31st of February.
        let midnight = CivilTime(rfc3339: text.prefix(10) + "T00:00:00Z")
        let day = midnight.map { CivilTime(secondsSince1970: $0.secondsSince1970).rfc3339.prefix(10) }
        return day == text.prefix(10) ? moment.secondsSince1970 : nil
    }
}

/// `SEQUENCE:HASH` of a root, as `lockstep vault export-root` prints it.
struct RootMark: ExpressibleByArgument, Hashable, Sendable, CustomStringConvertible {
    let sequence: UInt64
    /// BLAKE3 of the sealed root, 64 hex digits.
    let hash: String

    init(sequence: UInt64, hash: String) {
        self.sequence = sequence
        self.hash = hash
    }

    init?(argument: String) {
        let fields = argument.split(separator: ":", omittingEmptySubsequences: false)
        guard fields.count == 2, let sequence = UInt64(fields[0]), fields[1].utf8.count == 64,
            fields[1].allSatisfy({ $0.isHexDigit })
        else { return nil }
        self.init(sequence: sequence, hash: fields[1].lowercased())
    }

    var description: String { "\(sequence):\(hash)" }
}

/// What opens a vault, for the commands with one location.
struct VaultKeyOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The vault's passphrase: the file's first line ($LOCKSTEP_VAULT_PASSWORD_FILE, else asked on the terminal).",
            valueName: "file"))
    var passwordFile: String?

    @Option(
        help: ArgumentHelp("A file whose bytes open the vault ($LOCKSTEP_VAULT_KEY_FILE).", valueName: "file"))
    var keyFile: String?

    @Option(
        help: ArgumentHelp(
            """
            A key of a key service that opens the vault ($LOCKSTEP_VAULT_KMS): aws-kms:ARN, \
            gcp-kms:projects/P/locations/L/keyRings/R/cryptoKeys/K, azure-key-vault:https://NAME.vault.azure.net/keys/K, \
            hashicorp-transit:MOUNT/KEY at $VAULT_ADDR.
            """, valueName: "kind:key"))
    var kms: KeyServiceAddress?

    func validate() throws {
        if [passwordFile != nil, keyFile != nil, kms != nil].count(where: { $0 }) > 1 {
            throw ValidationError("--password-file, --key-file and --kms exclude each other: each opens the vault")
        }
    }
}

/// Which state of a vault is read.
struct SnapshotOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "In a vault: the snapshot of that number, latest, or the newest one of that time or before.",
            valueName: "id|latest|time"))
    var snapshot: SnapshotArgument?

    @OptionGroup var root: RootOptions
}

/// What a vault's newest state is measured by.
struct RootOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Refuse a vault that does not go on from this root, which vault export-root printed (exit 6).",
            valueName: "sequence:hash"))
    var atLeast: RootMark?

    @Option(
        help: ArgumentHelp("Directory of ledgers and of what was seen ($XDG_STATE_HOME/lockstep).", valueName: "dir"))
    var state: String?
}
