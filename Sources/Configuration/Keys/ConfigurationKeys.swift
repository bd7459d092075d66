import Replication

/// Every key of the file. Reading, suggestions, `lockstep config schema` and the manual's table follow from here.
struct ConfigurationKeys: Sendable {
    /// Relative paths and locations start from there.
    let directory: String

    var document: ObjectShape {
        ObjectShape(
            name: "configuration", summary: "What Lockstep replicates, as whom, when, and who is told.",
            keys: [
                KeyDeclaration(
                    "version", type: .integer(Bounds(least: 1, most: 1, rule: "must be 1, the version of this format")),
                    "The version of this format.", required: true),
                KeyDeclaration(
                    "state", type: .path(directory: directory),
                    "Directory of ledgers, pair records and what was seen of vaults.",
                    standard: "$XDG_STATE_HOME/lockstep"),
                KeyDeclaration("log", .object(log), "How runs and the daemon write their log."),
                KeyDeclaration("metrics", .object(metrics), "Where metrics are written for Prometheus."),
                KeyDeclaration("serve", .object(serve), "What the daemon does besides its pairs."),
                KeyDeclaration(
                    "clouds", .named(cloud, nounOfName: "cloud"),
                    "Services and the identities that they are asked as, by names of your choice."),
                KeyDeclaration(
                    "vaults", .named(.object(vault), nounOfName: "vault"),
                    "Vaults and what opens them, by names of your choice."),
                KeyDeclaration("defaults", .object(defaults), "What holds for every pair that does not say otherwise."),
                KeyDeclaration(
                    "pairs", .named(.object(pair), nounOfName: "pair"),
                    "What is replicated where, by names of your choice.",
                    required: true),
                KeyDeclaration("notifications", .list(.object(notification)), "Who is told of failures and drift."),
            ])
    }

    private var log: ObjectShape {
        ObjectShape(
            name: "log", summary: "One line for each thing worth telling, on standard error.",
            keys: [
                KeyDeclaration(
                    "format", type: .choice(["text", "json"]), "For people or for programs.", standard: "text"),
                KeyDeclaration(
                    "level", type: .choice(["debug", "info", "warning", "error"]),
                    "What is not worth less than this is told.",
                    standard: "info"),
            ])
    }

    private var metrics: ObjectShape {
        ObjectShape(
            name: "metrics", summary: "Metrics besides those that the daemon serves.",
            keys: [
                KeyDeclaration(
                    "textfile", type: .path(directory: directory),
                    "Directory in which lockstep_PAIR.prom is written after each run, for the node exporter.")
            ])
    }

    private var serve: ObjectShape {
        ObjectShape(
            name: "serve", summary: "The daemon.",
            keys: [
                KeyDeclaration(
                    "listen", type: .listen, "Address of metrics, health and status page.", standard: "127.0.0.1:9464"),
                KeyDeclaration(
                    "parallel_pairs", type: .integer(Bounds(least: 1, most: 64, rule: "must be between 1 and 64")),
                    "Pairs that run at the same time.", standard: "2"),
            ])
    }

    private var vault: ObjectShape {
        ObjectShape(
            name: "vault", summary: "A vault, made by lockstep vault init.",
            keys: [
                KeyDeclaration(
                    "location", type: .location(directory: directory),
                    "Where it lies; vault+ before it may be left out.",
                    required: true),
                KeyDeclaration("cloud", type: .text, "The cloud that it lies in, by its name in clouds."),
                KeyDeclaration(
                    "password_file", type: .path(directory: directory),
                    "A file whose first line is the vault's passphrase."),
                KeyDeclaration("key_file", type: .path(directory: directory), "A file whose bytes open the vault."),
                KeyDeclaration(
                    "kms", type: .text, "A key of a key management service that opens the vault, e.g. aws-kms:ARN."),
                KeyDeclaration(
                    "kms_cloud", type: .text, "The cloud whose identity asks for that key.", standard: "that of cloud"),
            ])
    }

    private var notification: ObjectShape {
        ObjectShape(
            name: "notification", summary: "Somebody who is told.",
            keys: [
                KeyDeclaration("name", type: .text, "Its name in metrics and messages.", required: true),
                KeyDeclaration("webhook", type: .webhook, "Gets a POST of JSON that Slack and its likes understand."),
                KeyDeclaration(
                    "command", .list(.scalar(.text), atLeast: 1, atMost: 64),
                    "A program and its arguments, run without a shell; gets the JSON on standard input."),
                KeyDeclaration(
                    "on",
                    .list(.scalar(.choice(NotificationEvent.allCases.map(\.rawValue))), orSingle: true, atLeast: 1),
                    "What it is told of.", standard: "[failure, drift, recovery]"),
                KeyDeclaration(
                    "pairs", .list(.scalar(.text), orSingle: true, atLeast: 1), "Only of these pairs.",
                    standard: "all pairs"),
            ], oneOf: ["webhook", "command"])
    }
}
