import ObjectStores
import ReplicationModel
import Vault

/// How far a check of a vault is: one line that is redrawn on a terminal, a line a minute elsewhere.
struct VaultCheckReporter {
    let console: Console
    let time: any Timekeeper
    let progress: @Sendable () -> VaultCheckProgress?

    /// Runs until its task is cancelled; takes the line away at the end.
    func run() async {
        let interval = console.isTerminal ? ProgressReporter.barInterval : ProgressReporter.lineInterval
        while !Task.isCancelled {
            do { try await time.sleep(for: interval) } catch { break }
            guard let line = progress()?.line else { continue }
            if console.isTerminal { console.drawBar(String(line.prefix(console.width - 1))) } else { console.say(line) }
        }
        if console.isTerminal { console.drawBar("") }
    }
}

extension VaultCheckProgress {
    fileprivate var line: String {
        let total = total.map { "/\(Format.count($0))" } ?? ""
        return "\(phase.rawValue) \(Format.count(done))\(total)" + (bytes > 0 ? ", \(Format.bytes(bytes))" : "")
    }
}

extension VaultCheckReport.Finding {
    /// What is wrong, and what that costs.
    var lines: [String] {
        var lines = ["! \(ObjectKey(object)): \(what)"]
        if keyCount > 0 {
            let places = snapshots.map(String.init).joined(separator: ", ")
            lines.append(
                "    \(Format.objects(keyCount)) of \(snapshots.count == 1 ? "snapshot" : "snapshots") \(places):")
            for key in keys { lines.append("    \(key)") }
            if keyCount > keys.count { lines.append("    and \(Format.count(keyCount - keys.count)) more") }
        }
        return lines
    }
}

extension VaultCheckReport {
    /// - Parameter keyless: nobody knows then what there should be.
    func lines(keyless: Bool) -> [String] {
        var lines: [String] = []
        var looked: [String] = []
        func add(_ number: Int, _ one: String, _ many: String) {
            if number > 0 { looked.append(number == 1 ? "1 \(one)" : "\(Format.count(number)) \(many)") }
        }
        add(snapshots, "snapshot", "snapshots")
        add(objects, "object", "objects")
        add(chunks, "chunk", "chunks")
        add(packs, "pack", "packs")
        add(segments, "index segment", "index segments")
        add(pages, "snapshot page", "snapshot pages")
        add(roots, "root", "roots")
        if !looked.isEmpty { lines.append("checked " + looked.joined(separator: ", ")) }
        if verifiedObjects > 0 {
            lines.append(
                "read and verified \(Format.objects(verifiedObjects)) of the storage, \(Format.bytes(verifiedBytes))")
        }
        if unreferenced.count > 0 {
            lines.append(
                "\(Format.objects(unreferenced.count)) of the storage that no snapshot needs; lockstep vault gc removes them"
            )
        }
        if foreign > 0 { lines.append("\(Format.objects(foreign)) in the vault's folder that do not belong to it") }
        if findingCount > findings.count {
            lines.append("and \(Format.count(findingCount - findings.count)) findings more")
        }
        switch (isSound, keyless) {
        case (true, false): lines.append("WHOLE")
        case (true, true): lines.append("INTACT: whether anything is missing, a check with a key says")
        case (false, _):
            let findings = findingCount == 1 ? "1 finding" : "\(Format.count(findingCount)) findings"
            lines.append("DAMAGED: " + findings)
        }
        return lines
    }
}

/// The last line of `vault check --json`.
struct VaultCheckJSON: Encodable {
    var verdict: String
    var findings: Int
    var root: UInt64
    var roots: Int
    var snapshots: Int
    var pages: Int
    var objects: Int
    var chunks: Int
    var segments: Int
    var packs: Int
    var verifiedObjects: Int
    var verifiedBytes: Int64
    var unreferencedObjects: Int
    var unreferencedBytes: Int64
    var foreign: Int

    init(_ report: VaultCheckReport, keyless: Bool) {
        verdict = report.isSound ? keyless ? "INTACT" : "WHOLE" : "DAMAGED"
        findings = report.findingCount
        root = report.root
        roots = report.roots
        snapshots = report.snapshots
        pages = report.pages
        objects = report.objects
        chunks = report.chunks
        segments = report.segments
        packs = report.packs
        verifiedObjects = report.verifiedObjects
        verifiedBytes = report.verifiedBytes
        unreferencedObjects = report.unreferenced.count
        unreferencedBytes = report.unreferenced.bytes
        foreign = report.foreign
    }
}
