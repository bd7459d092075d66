import ArgumentParser

/// `--repair-from`: the keys that a check reported.
struct RepairOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            """
            Exactly the keys that a combined report of check marks: * is copied again, + ! ? are compared by content and copied where \
            they differ, - is left.
            """, valueName: "file"))
    var repairFrom: String?
}
