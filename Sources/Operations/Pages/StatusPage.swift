import Replication
import ReplicationModel

/// One page that says how all pairs are: on a phone, on a wall, by day and night. Nothing is loaded, nothing is executed.
package enum StatusPage {
    /// - Parameter now: seconds since 1970.
    package static func html(
        _ pairs: [(status: PairStatus, place: ServiceSetup.Place)], facts: ServiceFacts, host: String, isDraining: Bool,
        now: Int64, monotonic: Int64
    ) -> String {
        let ordered = pairs.enumerated().sorted {
            (PairState($0.element.status, at: now), $0.offset) < (PairState($1.element.status, at: now), $1.offset)
        }
        let cards = ordered.map { card($0.element.status, $0.element.place, now, monotonic) }.joined()
        let problems = pairs.count { [.failing, .drift, .late, .checkFailing].contains(PairState($0.status, at: now)) }
        let well = pairs.count { PairState($0.status, at: now) == .well }
        let headline: String
        if pairs.isEmpty {
            headline = "No pairs are configured"
        } else if problems > 0 {
            headline =
                "\(problems) of \(pairs.count) \(pairs.count == 1 ? "pair" : "pairs") \(problems == 1 ? "needs" : "need") attention"
        } else if well < pairs.count {
            // Nothing is wrong that is known, which is not the same as well.
            headline = "\(well) of \(pairs.count) \(pairs.count == 1 ? "pair" : "pairs") in step so far"
        } else {
            headline = pairs.count == 1 ? "The pair is in step" : "All \(pairs.count) pairs are in step"
        }
        var banners = ""
        if isDraining { banners += "<p class=banner>Shutting down: no new run begins.</p>" }
        if !facts.isConfigurationGood {
            banners +=
                "<p class=banner>The configuration file was not taken when it was last read; the one before is in use. "
                + "<code>lockstep config check --config \(escaped(facts.configurationPath))</code> says why.</p>"
        }
        if !facts.needsRestart.isEmpty {
            banners +=
                "<p class=banner>Changed in the configuration file, and in use after a restart only: "
                + facts.needsRestart.map { "<code>\(escaped($0))</code>" }.joined(separator: ", ") + ".</p>"
        }
        return """
            <!doctype html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <meta http-equiv="refresh" content="15">
            <title>\(problems > 0 ? "(\(problems)) " : "")lockstep on \(escaped(host))</title>
            <style>\(style)</style>
            </head>
            <body>
            <header><h1 class="\(problems > 0 ? "bad" : well == pairs.count ? "good" : "calm")">\(escaped(headline))</h1>
            <p>lockstep \(escaped(facts.version)) on \(escaped(host)) · \(moment(now))</p></header>
            \(banners)
            <main>\(cards)</main>
            <footer><a href="/api/pairs">JSON</a> · <a href="/metrics">metrics</a></footer>
            </body>
            </html>

            """
    }

    private static func card(
        _ status: PairStatus, _ place: ServiceSetup.Place, _ now: Int64, _ monotonic: Int64
    ) -> String {
        let record = status.record
        let state = PairState(status, at: now)
        var text = "<article class=\"\(state.tone)\"><h2>\(escaped(record.pair))</h2>"
        text += "<p class=state><span class=mark aria-hidden=true>\(state.mark)</span> \(state.title)</p>"
        text += "<p class=places>\(escaped(place.source))<br>→ \(escaped(place.target))</p>"
        text += problem(record)
        if status.isLate(at: now), let due = status.recoveryDue {
            text += "<p class=problem><strong>Behind its schedule since \(moment(due)).</strong></p>"
            text +=
                "<p class=advice>Runs fail, end at a limit, leave objects out, or take longer than the schedule allows.</p>"
        }
        if let live = status.live { text += running(live, now, monotonic) }
        var rows: [(String, String)] = []
        rows.append(("Last success", record.lastSuccess.map { time($0, now) } ?? "never"))
        rows.append(("Behind by at most", status.lag(at: now).map { span($0) } ?? "not known"))
        if let run = record.lastRun, run.result != .success {
            rows.append(("Last run", "\(run.result.rawValue), exit code \(run.exitCode), \(time(run.end, now))"))
        }
        if let objects = record.sourceObjects, let bytes = record.sourceBytes {
            rows.append(("At the source", "\(count(objects)) \(objects == 1 ? "object" : "objects"), \(size(bytes))"))
        }
        if let unverified = record.unverifiedObjects, unverified > 0 {
            rows.append(("Not verified", "\(count(unverified)) \(unverified == 1 ? "object" : "objects")"))
        }
        if let check = record.lastCheck {
            rows.append(("Last check", "\(check.verdict.map(words) ?? "failed"), \(time(check.end, now))"))
        }
        rows.append(("Next run", nextRun(status, now)))
        text += "<dl>" + rows.map { "<div><dt>\($0)</dt><dd>\($1)</dd></div>" }.joined() + "</dl></article>"
        return text
    }

    private static func nextRun(_ status: PairStatus, _ now: Int64) -> String {
        if status.isRemoved { return "none" }
        if status.isWaiting { return "waits its turn" }
        return status.nextRun.map { time($0, now) } ?? "by hand or event"
    }

    private static func problem(_ record: PairRecord) -> String {
        var text = ""
        if let since = record.runFailure.since, let run = record.lastRun {
            let times = record.consecutiveFailures
            text +=
                "<p class=problem><strong>\(times == 1 ? "The last run failed" : "\(count(times)) runs failed, since \(moment(since))")"
            text += (run.message.map { ":</strong> \(escaped(String($0.prefix(600))))" } ?? "</strong>") + "</p>"
        }
        if let run = record.lastRun, let advice = run.result.advice(pair: record.pair) {
            text += "<p class=advice>\(escaped(advice))</p>"
        }
        if record.checkFailure.since != nil, let message = record.lastCheck?.message {
            text +=
                "<p class=problem><strong>The last check failed:</strong> \(escaped(String(message.prefix(600))))</p>"
        }
        if let since = record.drift.since {
            text += "<p class=problem><strong>A check found differences, since \(moment(since)).</strong></p>"
            text +=
                "<p class=advice>lockstep run \(escaped(record.pair)) --check names them; a run makes them good, but for objects that somebody else changed at the target and, without delete, those that are only there.</p>"
        }
        return text
    }

    private static func running(_ live: LiveRun, _ now: Int64, _ monotonic: Int64) -> String {
        let what =
            switch live.work.kind {
            case .sync: "Copying"
            case .events: "Copying what events named"
            case .check: "Checking"
            }
        var text = "<p class=running><span aria-hidden=true>▶</span> \(what) for \(span(max(0, now - live.start)))"
        if let progress = live.progress {
            let counts = progress.counts
            let seconds = Double(max(1, monotonic - live.started)) / 1e9
            let done = counts.copiedObjects + counts.failedObjects
            text +=
                ": \(count(done)) of \(count(counts.plannedObjects))\(progress.isListed ? "" : " or more") objects, "
            text += "\(size(counts.arrivedBytes)) of \(size(counts.plannedBytes)), "
            text += "\(size(Int64(Double(counts.sentBytes) / seconds)))/s"
        }
        return text + "</p>"
    }

    private static func words(_ verdict: PairOutcome.Verdict) -> String {
        switch verdict {
        case .inSync: "in sync"
        case .drift: "differences"
        case .unproven: "not proven"
        }
    }

    // MARK: Text

    static func escaped(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            case "'": result += "&#39;"
            default:
                // Control characters, and marks that turn the direction of text around, are shown as what they are: nothing.
                let isHidden = scalar.properties.generalCategory == .control || scalar.properties.isBidiControl
                result.unicodeScalars.append(isHidden ? "\u{FFFD}" : scalar)
            }
        }
        return result
    }

    private static func moment(_ seconds: Int64) -> String {
        let text = CivilTime(secondsSince1970: seconds).rfc3339
        return "<time datetime=\"\(text)\">\(text.replacing("T", with: " ").dropLast()) UTC</time>"
    }

    private static func time(_ seconds: Int64, _ now: Int64) -> String {
        let relative = seconds <= now ? "\(span(now - seconds)) ago" : "in \(span(seconds - now))"
        return "\(relative) <small>\(moment(seconds))</small>"
    }

    private static func span(_ seconds: Int64) -> String { Duration.seconds(seconds).text }

    private static func count(_ number: Int) -> String {
        var text = ""
        for (index, digit) in String(number).reversed().enumerated() {
            if index > 0, index % 3 == 0, digit != "-" { text.append(",") }
            text.append(digit)
        }
        return String(text.reversed())
    }

    private static func size(_ bytes: Int64) -> String {
        guard bytes >= 1024 else { return "\(bytes) B" }
        var value = Double(bytes)
        var unit = -1
        let units = ["KiB", "MiB", "GiB", "TiB", "PiB"]
        repeat {
            value /= 1024
            unit += 1
        } while value >= 1024 && unit < units.count - 1
        let tenths = Int64((value * 10).rounded())
        return "\(tenths / 10).\(tenths % 10) \(units[unit])"
    }

    private static let style = """
        :root{color-scheme:light dark;--back:#f4f5f7;--card:#fff;--ink:#16191d;--soft:#5b636d;--line:#d9dde2;\
        --good:#00618f;--warn:#8a5a00;--bad:#b23c00;--calm:#5b636d;--badback:#fdeee6}
        @media (prefers-color-scheme:dark){:root{--back:#101317;--card:#1a1f25;--ink:#eceff2;--soft:#a3adb8;--line:#343c45;\
        --good:#62bdf0;--warn:#f0b040;--bad:#ff8c52;--calm:#a3adb8;--badback:#3a2013}}
        *{box-sizing:border-box}
        body{margin:0;padding:clamp(12px,2vw,32px);background:var(--back);color:var(--ink);\
        font:clamp(16px,0.6vw + 10px,24px)/1.45 system-ui,sans-serif}
        header{margin-bottom:1em}h1{margin:0;font-size:1.7em;line-height:1.2}header p,footer{margin:.2em 0;color:var(--soft)}
        h1.good{color:var(--good)}h1.bad{color:var(--bad)}h1.calm{color:var(--ink)}
        main{display:grid;gap:1em;grid-template-columns:repeat(auto-fill,minmax(min(100%,23em),1fr))}
        article{background:var(--card);border:1px solid var(--line);border-left:.5em solid var(--tone);border-radius:.4em;padding:1em}
        article.good{--tone:var(--good)}article.warn{--tone:var(--warn)}article.bad{--tone:var(--bad)}article.calm{--tone:var(--calm)}
        h2{margin:0;font-size:1.25em;overflow-wrap:anywhere}
        .state{margin:.1em 0 .4em;font-weight:700;color:var(--tone)}
        .mark{display:inline-block;min-width:1.5em;text-align:center;border:2px solid;border-radius:50%;line-height:1.4}
        .places{margin:0 0 .6em;color:var(--soft);overflow-wrap:anywhere}
        .problem{background:var(--badback);margin:.5em 0;padding:.5em .7em;border-radius:.3em;overflow-wrap:anywhere}
        .advice,.running{margin:.5em 0}.running{font-weight:600}
        dl{margin:.6em 0 0}dl div{display:flex;justify-content:space-between;gap:1em;border-top:1px solid var(--line);padding:.3em 0}
        dt{color:var(--soft);flex:none}dd{margin:0;text-align:right}small{display:block;color:var(--soft)}
        .banner{background:var(--badback);border:1px solid var(--bad);padding:.6em 1em;border-radius:.3em}
        a{color:var(--good)}footer{margin-top:1.5em}code{font-size:.95em}
        """
}
