import Manifests
import ObjectStores
import Replication
import ReplicationModel

/// The page for people: self-contained, no scripts, nothing fetched, readable on paper and by screen readers.
struct CheckPage {
    let report: CheckReport
    /// The first keys that are not the same.
    let findings: [CheckFinding]

    var html: String {
        """
        <!DOCTYPE html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
        <title>\(escape(verdict.rawValue)): \(location(report.source)) and \(location(report.target))</title>
        <style>\(Self.style)</style>
        </head>
        <body>
        <main>
        <header class="\(colour)">
        <h1>\(escape(verdict.rawValue.replacing("_", with: " ")))</h1>
        <p>\(escape(report.meaning))</p>
        </header>
        <dl>
        <dt>Source</dt><dd><code>\(location(report.source))</code></dd>
        <dt>Target</dt><dd><code>\(location(report.target))</code></dd>
        <dt>Checked</dt><dd>\(Format.time(report.now)), in \(Format.duration(report.elapsed))</dd>
        <dt>Evidence asked for</dt><dd>level \(report.summary.evidence.rawValue), \(report.summary.evidence.words)\
        \(report.hasLedger ? "" : "; no ledger of this pair was used")</dd>
        <dt>Recovery point</dt><dd>\(escape(report.recoveryPoint))</dd>
        \(term("Sample", report.sampleLine))\(term("Artifact sets", report.setsLine))</dl>
        \(counts)
        \(incompleteSets)
        \(differences)
        \(repair)
        \(remarks)
        \(Self.legend)
        </main>
        </body>
        </html>

        """
    }

    private var verdict: CheckVerdict { report.summary.verdict }

    private var colour: String {
        switch verdict {
        case .inSync: "good"
        case .drift: "bad"
        case .unproven: "doubtful"
        }
    }

    private var counts: String {
        let rows = report.rows.map {
            """
            <tr><th scope="row">\($0.name)</th><td class="number">\(Format.count($0.tally.objects))</td>\
            <td class="number">\(Format.bytes($0.tally.bytes))</td><td>\(escape($0.detail))</td></tr>
            """
        }
        return """
            <section>
            <h2>Objects</h2>
            <table>
            <thead><tr><th scope="col">Class</th><th scope="col" class="number">Objects</th>\
            <th scope="col" class="number">Bytes</th><th scope="col">Of these</th></tr></thead>
            <tbody>
            \(rows.joined(separator: "\n"))
            </tbody>
            </table>
            </section>
            """
    }

    private var incompleteSets: String {
        guard let sets = report.summary.sets, !sets.firstIncomplete.isEmpty else { return "" }
        let rows = sets.firstIncomplete.map {
            """
            <tr><td><code>\(escape($0.name.description))</code></td><td class="number">\(Format.count($0.problems))</td>\
            <td class="number">\(Format.count($0.objects.objects))</td><td>\(Format.time($0.newest))</td></tr>
            """
        }
        return """
            <section>
            <h2>Incomplete artifact sets</h2>
            <p>\(shown(sets.firstIncomplete.count, of: sets.incomplete))</p>
            <table>
            <thead><tr><th scope="col">Set</th><th scope="col" class="number">Not verified</th>\
            <th scope="col" class="number">Objects</th><th scope="col">Newest change</th></tr></thead>
            <tbody>
            \(rows.joined(separator: "\n"))
            </tbody>
            </table>
            </section>
            """
    }

    private var differences: String {
        guard !findings.isEmpty else { return "" }
        let rows = findings.map {
            """
            <tr><td>\($0.verdict.mark.map { escape(String($0.rawValue)) } ?? "")</td><td><code>\(escape($0.key.description))</code></td>\
            <td>\(escape(words(of: $0)))</td><td class="number">\(size($0.source?.size))</td>\
            <td class="number">\(size($0.target?.size))</td></tr>
            """
        }
        return """
            <section>
            <h2>Objects that are not known to be the same</h2>
            <p>\(shown(findings.count, of: report.summary.counts.differences + report.summary.counts.unprovenObjects))</p>
            <table>
            <thead><tr><th scope="col">Mark</th><th scope="col">Key</th><th scope="col">What is known</th>\
            <th scope="col" class="number">Source</th><th scope="col" class="number">Target</th></tr></thead>
            <tbody>
            \(rows.joined(separator: "\n"))
            </tbody>
            </table>
            </section>
            """
    }

    private var repair: String {
        guard verdict != .inSync else { return "" }
        return """
            <section>
            <h2>How to repair</h2>
            <p>A check changes nothing. Write its combined report, then copy exactly what it names:</p>
            <pre>lockstep check \(location(report.source)) \(location(report.target)) --combined report.txt
            lockstep sync \(location(report.source)) \(location(report.target)) --repair-from report.txt</pre>
            <p>Objects that only the target has are left as they are; <code>lockstep sync --delete</code> removes them.
            Give both commands the endpoint options of this check.</p>
            </section>
            """
    }

    private var remarks: String {
        guard !report.remarks.isEmpty else { return "" }
        return """
            <section>
            <h2>Notes</h2>
            <ul>
            \(report.remarks.map { "<li>\(escape($0))</li>" }.joined(separator: "\n"))
            </ul>
            </section>
            """
    }

    private func words(of finding: CheckFinding) -> String {
        // The line for a terminal without its mark and key.
        let line = finding.line
        return line.firstIndex(of: "\t").map { String(line[line.index(after: $0)...]) } ?? line
    }

    private func term(_ name: String, _ value: String?) -> String {
        value.map { "<dt>\(name)</dt><dd>\(escape($0))</dd>\n" } ?? ""
    }

    private func size(_ bytes: Int64?) -> String { bytes.map { Format.bytes($0) } ?? "–" }

    private func shown(_ count: Int, of all: Int) -> String {
        count < all
            ? "The first \(Format.count(count)) of \(Format.count(all)), by key." : "All \(Format.count(all)), by key."
    }

    /// Control and formatting characters are spelled out as they are on a terminal, so that no key reorders the page.
    private func location(_ text: String) -> String { escape(ObjectKey(text).description) }

    private func escape(_ text: String) -> String {
        var result = ""
        for character in text.unicodeScalars {
            switch character {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            case "'": result += "&#39;"
            default: result.unicodeScalars.append(character)
            }
        }
        return result
    }

    private static let legend = """
        <section>
        <h2>What the levels mean</h2>
        <dl>
        <dt>3, re-read</dt><dd>The bytes of both sides were read now, and their digests are equal.</dd>
        <dt>2, reported</dt><dd>Both stores report now an equal checksum of the whole object, or one side was read and equals what the other
        reports or an earlier run recorded of this very version.</dd>
        <dt>1, recorded</dt><dd>Both versions are those that an earlier run proved equal.</dd>
        <dt>unproven</dt><dd>Nothing could be compared, or a side could not be looked at. It never counts as the same.</dd>
        </dl>
        </section>
        """

    private static let style = """
        :root{color-scheme:light dark;--line:#8886}
        body{font:16px/1.5 system-ui,sans-serif;margin:0}
        main{max-width:64rem;margin:0 auto;padding:1rem}
        header{padding:1rem 1.5rem;border-radius:.5rem;border:.25rem solid}
        header h1{margin:0;font-size:2.5rem}header p{margin:.25rem 0 0}
        .good{border-color:#1a7f37}.bad{border-color:#cf222e}.doubtful{border-color:#9a6700}
        dl{display:grid;grid-template-columns:max-content 1fr;gap:.25rem 1.5rem}
        dt{font-weight:600}dd{margin:0;overflow-wrap:anywhere}
        table{border-collapse:collapse;width:100%}
        th,td{text-align:left;padding:.25rem .75rem .25rem 0;border-bottom:1px solid var(--line);vertical-align:top}
        .number{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
        code,pre{font-family:ui-monospace,monospace;font-size:.9em;overflow-wrap:anywhere;white-space:pre-wrap}
        @media print{body{font-size:11px}main{max-width:none;padding:0}tr,section h2{break-inside:avoid}thead{display:table-header-group}}
        """
}
