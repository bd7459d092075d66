import Replication

extension ConfigurationKeys {
    var pair: ObjectShape {
        ObjectShape(
            name: "pair", summary: "A source, a target, and how the one is kept like the other.",
            keys: [
                KeyDeclaration(
                    "source", .short(key: "location", place("source", [sourceSnapshot])), "Where objects are read.",
                    required: true),
                KeyDeclaration(
                    "target", .short(key: "location", place("target", [encryption])), "Where they are written.",
                    required: true),
            ] + pairSettings)
    }

    var defaults: ObjectShape {
        ObjectShape(name: "defaults", summary: "Keys of pairs, but for source and target.", keys: pairSettings)
    }

    private func place(_ name: String, _ further: [KeyDeclaration]) -> ObjectShape {
        ObjectShape(
            name: name, summary: "A place for objects.",
            keys: [
                KeyDeclaration(
                    "location", type: .location(directory: directory),
                    "s3://bucket/prefix, gs://bucket/prefix, az://account/container/prefix, file:///dir or a path; with vault+ before it, inside a vault."
                ),
                KeyDeclaration(
                    "cloud", type: .text, "The cloud that it is in, by its name in clouds.",
                    standard: "the environment"),
                KeyDeclaration("vault", type: .text, "In place of location: a vault, by its name in vaults."),
                KeyDeclaration("folder", type: .text, "With vault: a folder inside it.", standard: "all of it"),
            ] + further, oneOf: ["location", "vault"])
    }

    private var sourceSnapshot: KeyDeclaration {
        KeyDeclaration("snapshot", type: .snapshot, "Of a vault: the state that is read.", standard: "latest")
    }

    private var encryption: KeyDeclaration {
        KeyDeclaration(
            "encryption", type: .text,
            "Key or scope that the cloud encrypts new objects with: AES256, aws:kms[:KEY], aws:kms:dsse[:KEY]; a Cloud KMS key's name; an Azure encryption scope.",
            standard: "the bucket's")
    }

    private var pairSettings: [KeyDeclaration] {
        [
            KeyDeclaration(
                "layout", type: .choice(PairLayout.allCases.map(\.rawValue)),
                "What the target must be: a mirror with the same keys, or a vault. Only checked.",
                standard: "as the target is"),
            KeyDeclaration("time_zone", type: .timeZone, "Of schedules and windows.", standard: "UTC"),
            KeyDeclaration(
                "filters", .list(.object(filter)), "Which keys: the first rule that matches decides.",
                standard: "all keys"),
            KeyDeclaration(
                "delete", .object(deletion), "Whether target objects that the source does not have are deleted.",
                merges: true),
            KeyDeclaration("pointers", .object(pointers), "What is written last, and after what."),
            KeyDeclaration(
                "delta", type: .flag, "Cut changed large objects by content and send only what the target has not.",
                standard: "false"),
            KeyDeclaration(
                "comparison", type: .comparison, "How objects are compared that the ledger does not know.",
                standard: "versions"),
            KeyDeclaration(
                "on_conflict", type: .choice(ReplicationOptions.ConflictPolicy.allCases.map(\.rawValue)),
                "What becomes of target objects that somebody else has changed.", standard: "keep"),
            KeyDeclaration("manifest", .object(manifest), "The signed list of what the target holds.", merges: true),
            KeyDeclaration("limits", .object(limits), "Ceilings of one run.", merges: true),
            KeyDeclaration(
                "lease", type: .duration, "How long the pair stays reserved for a run that shows no sign of life.",
                standard: "60s"),
            KeyDeclaration(
                "schedule", .object(schedule("schedule")), "When the daemon runs the pair.",
                standard: "never by itself"),
            KeyDeclaration(
                "windows", .list(.object(window), atMost: 64),
                "Times with another rate; outside of all, limits.rate holds."),
            KeyDeclaration("check", .object(check), "How the pair is checked, and when.", merges: true),
            KeyDeclaration("events", .object(events), "A queue of changes at the source, copied as they come."),
        ]
    }

    private var filter: ObjectShape {
        ObjectShape(
            name: "filter", summary: "One rule.",
            keys: [
                KeyDeclaration("include", type: .glob, "Keys to look at."),
                KeyDeclaration("exclude", type: .glob, "Keys to leave alone on both sides."),
            ], oneOf: ["include", "exclude"])
    }

    private var deletion: ObjectShape {
        ObjectShape(
            name: "delete", summary: "Deleting at the target.",
            keys: [
                KeyDeclaration("enabled", type: .flag, "Whether anything is deleted.", standard: "false"),
                KeyDeclaration(
                    "max", .list(.scalar(.deletions), orSingle: true, atLeast: 1, atMost: 2),
                    "Refuse to delete more than so many objects, or that share of the target's.",
                    standard: "10000 objects, and 25% beyond ten"),
                KeyDeclaration(
                    "backup_prefix", type: .text, "Where deleted objects are kept at the target.",
                    standard: DeletionSettings().backupPrefix),
                KeyDeclaration("permanent", type: .flag, "Keep no copy at the target.", standard: "false"),
            ])
    }

    private var pointers: ObjectShape {
        ObjectShape(
            name: "pointers", summary: "Objects by which readers find a set.",
            keys: [
                KeyDeclaration(
                    "patterns", .list(.scalar(.glob), orSingle: true, atLeast: 1),
                    "Such objects, e.g. **/latest; what a later pattern matches is written later."),
                KeyDeclaration(
                    "set_depth", type: .integer(SettingBounds.setDepth),
                    "A pointer's set is everything below so many folders of its key.", standard: "its own folder"),
                KeyDeclaration(
                    "sets", .list(.scalar(.folderGlob), orSingle: true, atLeast: 1),
                    "A pointer's set is everything below the folder that matches."),
            ])
    }

    private var manifest: ObjectShape {
        ObjectShape(
            name: "manifest", summary: "The published manifest.",
            keys: [
                KeyDeclaration("enabled", type: .flag, "Whether it is published.", standard: "true"),
                KeyDeclaration(
                    "control", .short(key: "location", place("control", [])), "Where it is published.",
                    standard: "at the target"),
                KeyDeclaration(
                    "signing_key", type: .path(directory: directory), "Ed25519 key in PEM that signs it.",
                    standard: "signing-key.pem of the state"),
                KeyDeclaration(
                    "keep", type: .integer(SettingBounds.keptManifests), "Manifests that are kept at least.",
                    standard: "\(ManifestSettings.standardKept)"),
            ])
    }

    private var limits: ObjectShape {
        ObjectShape(
            name: "limits", summary: "Ceilings of one run.",
            keys: [
                KeyDeclaration("rate", type: .rate, "Bytes per second that are read at the source.", standard: "none"),
                KeyDeclaration(
                    "max_transfer", type: .bytes, "No transfer begins that would exceed so many bytes.",
                    standard: "none"),
                KeyDeclaration("max_duration", type: .duration, "No transfer begins after so long.", standard: "none"),
                KeyDeclaration("memory", type: .bytes, "Bytes of all buffers.", standard: "128M"),
                KeyDeclaration(
                    "concurrency", type: .integer(SettingBounds.concurrency),
                    "Parts and other requests in flight at most.",
                    standard: "32"),
                KeyDeclaration(
                    "part_size", type: .bytes, "Bytes of a part; larger where the object or a store needs it.",
                    standard: "8M"),
            ])
    }

    private func schedule(_ name: String) -> ObjectShape {
        ObjectShape(
            name: name, summary: "Moments at which a run begins.",
            keys: [
                KeyDeclaration(
                    "cron", type: .cron,
                    "Minute, hour, day of month, month and day of week, as in crontab, or @hourly, @daily, …"),
                KeyDeclaration("every", type: .interval, "A fixed interval of a minute or more."),
                KeyDeclaration("time_zone", type: .timeZone, "Of cron.", standard: "that of the pair"),
                KeyDeclaration(
                    "jitter", type: .duration, "Begin later by a part of this that is the pair's own.", standard: "0"),
                KeyDeclaration(
                    "catch_up", type: .flag, "Begin at once, after a pause, when a moment has passed meanwhile.",
                    standard: "true"),
            ], oneOf: ["cron", "every"])
    }

    private var window: ObjectShape {
        ObjectShape(
            name: "window", summary: "A time of the week.",
            keys: [
                KeyDeclaration(
                    "days", .list(.scalar(.weekdays), orSingle: true, atLeast: 1), "Days on which it begins.",
                    standard: "*, all days"),
                KeyDeclaration("from", type: .timeOfDay, "When it begins.", required: true),
                KeyDeclaration(
                    "to", type: .timeOfDay, "When it ends; on the next day if that is not later than from.",
                    required: true),
                KeyDeclaration("rate", type: .rate, "Bytes per second meanwhile; 0: nothing runs.", required: true),
            ])
    }

    private var check: ObjectShape {
        ObjectShape(
            name: "check", summary: "What a check looks at and what it takes for proof.",
            keys: [
                KeyDeclaration(
                    "schedule", .object(schedule("check_schedule")), "When the daemon checks the pair.",
                    standard: "never by itself"),
                KeyDeclaration(
                    "evidence", type: .evidence,
                    "1: the ledger vouches; 2: both stores report equal checksums now; 3: both are read now.",
                    standard: "1 with a ledger, else 2; 3 with sample"),
                KeyDeclaration(
                    "sample", type: .percent, "Check a random share at that level, the others by the ledger.",
                    standard: "all"
                ),
                KeyDeclaration(
                    "seed", type: .integer(Bounds(least: 0, most: nil, rule: "must be 0 or more")),
                    "Chooses the sample.", standard: "another each time"),
                KeyDeclaration(
                    "one_way", type: .flag, "Keys that only the target has do not count.", standard: "false"),
                KeyDeclaration(
                    "read", type: .flag, "Read objects that have no checksum in common.", standard: "true"),
                KeyDeclaration(
                    "attributes", type: .flag, "Compare content type, metadata and the like.", standard: "true"),
                KeyDeclaration("ledger", type: .flag, "Use what the ledger knows.", standard: "true"),
                KeyDeclaration(
                    "set_depth", type: .integer(SettingBounds.checkedSetDepth),
                    "Objects that share so many folders are reported together."),
                KeyDeclaration("set", type: .glob, "Each folder that matches is reported as one."),
            ])
    }

    private var events: ObjectShape {
        ObjectShape(
            name: "events", summary: "Changes at the source, told by its cloud.",
            keys: [
                KeyDeclaration(
                    "queue", type: .text,
                    "An SQS queue's URL, projects/P/subscriptions/S, or https://ACCOUNT.queue.core.windows.net/QUEUE.",
                    required: true),
                KeyDeclaration(
                    "cloud", type: .text, "The cloud whose identity asks, by its name in clouds.",
                    standard: "the source's"),
                KeyDeclaration(
                    "batch_wait", type: .duration, "How long changes are gathered before they are copied.",
                    standard: "10s"),
            ])
    }
}
