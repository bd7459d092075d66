import Cryptography
import Foundation
import Manifests
import Replication
import ReplicationModel

extension ValueType {
    /// A location; relative paths start from the directory of the file.
    static func location(directory: String) -> ValueType {
        ValueType(name: "a location such as s3://bucket/prefix", json: [.string]) { text throws(ValueError) in
            do throws(LocationError) {
                return try ObjectLocation(parsing: text, directory: directory)
            } catch {
                throw ValueError(Self.locationAdvice(text))
            }
        }
    }

    /// Without the text: what should be a location may be anything.
    private static func locationAdvice(_ text: String) -> String {
        let known = "s3://bucket/prefix, gs://bucket/prefix, az://account/container/prefix, file:///dir or a path"
        guard let separator = text.firstRange(of: "://") else { return "must be a location: \(known)" }
        let scheme = text[..<separator.lowerBound].lowercased().replacing("vault+", with: "")
        if ["s3", "gs", "gcs", "az", "azure"].contains(scheme),
            text.split(separator: "/").contains(where: { $0 == "." || $0 == ".." })
        {
            return "has . or .. between its slashes, which keys of a cloud take literally; write the folder itself"
        }
        switch scheme {
        case "s3", "gs", "gcs": return "names no bucket; write \(known)"
        case "az", "azure": return "names no account and container; write az://account/container/prefix"
        case "file": return "is not absolute; write file:///dir"
        default: return "is no kind of location that is known; write \(known), and vault+ before it for one in a vault"
        }
    }

    static let glob = ValueType(name: "a pattern such as **/*.tmp", json: [.string]) { text throws(ValueError) in
        do throws(GlobPattern.SyntaxError) {
            return try GlobPattern(text)
        } catch {
            throw ValueError(error.description)
        }
    }

    static let folderGlob = ValueType(name: "a pattern for folders such as models/*/", json: [.string]) {
        text throws(ValueError) in
        do throws(GlobPattern.SyntaxError) {
            return try ArtifactSets.folderPattern(text)
        } catch {
            throw ValueError(error.description)
        }
    }

    static let timeZone = ValueType(name: "a time zone such as Europe/Berlin", json: [.string]) {
        text throws(ValueError) in
        do throws(ScheduleError) {
            _ = try ZoneClock(text)
            return text
        } catch {
            throw ValueError(
                "must be the name of a time zone, such as Europe/Berlin or UTC",
                suggestion: Nearest.of(text, in: TimeZone.knownTimeZoneIdentifiers))
        }
    }

    static let cron = ValueType(name: "a cron line such as */15 * * * *", json: [.string]) { text throws(ValueError) in
        do throws(ScheduleError) { _ = try CronSchedule(text) } catch { throw ValueError(error.description) }
        return text
    }

    static let interval = ValueType(
        name: "a time of a minute or more such as 15m", json: [.string, .integer], pattern: ValueType.duration.pattern,
        minimum: 60
    ) { text throws(ValueError) in
        guard let quantity = TimeQuantity(text) else { throw ValueError("must be a time such as 15m or 2h30m") }
        do throws(ScheduleError) { _ = try Schedule.every(quantity.duration) } catch {
            throw ValueError(error.description)
        }
        return quantity
    }

    static let timeOfDay = ValueType(
        name: "a time of day such as 08:30", json: [.string], pattern: "^([01]?[0-9]|2[0-3]):[0-5]?[0-9]$|^24:00?$"
    ) { text throws(ValueError) in
        do throws(ScheduleError) { _ = try RateWindow.minute(text) } catch {
            throw ValueError("must be a time of day from \"00:00\" to \"24:00\"")
        }
        return text
    }

    static let weekdays = ValueType(name: "days such as mon-fri, as in a cron line", json: [.string]) {
        text throws(ValueError) in
        do throws(ScheduleError) { _ = try CronField.weekday.parse(text[...]) } catch {
            throw ValueError("must be days as in a cron line: mon-fri, sat,sun or *")
        }
        return text
    }

    static let secret = ValueType(
        name: "a secret: ${env:NAME} or file:PATH", json: [.string],
        pattern: #"\$\{env:[A-Za-z_][A-Za-z0-9_]*\}|^file:.+"#,
        takesFile: true, isSecret: true
    ) { text throws(ValueError) in Secret(text) }

    /// An address of a web service: what is in it may be worth keeping secret.
    static let webhook = ValueType(name: "a URL, best as ${env:NAME} or file:PATH", json: [.string], takesFile: true) {
        text throws(ValueError) in
        guard let url = URL(string: text), ["http", "https"].contains(url.scheme?.lowercased()), url.host() != nil
        else { throw ValueError("must be a URL that begins with https:// or http://") }
        return Secret(text)
    }

    static let endpoint = ValueType(name: "a URL such as https://s3.example.com", json: [.string]) {
        text throws(ValueError) in
        guard let url = URL(string: text), ["http", "https"].contains(url.scheme?.lowercased()), url.host() != nil
        else { throw ValueError("must be a URL that begins with https:// or http://") }
        return text
    }

    static let snapshot = ValueType(
        name: "a snapshot's number, latest, or a time", json: [.string, .integer]
    ) { text throws(ValueError) in text }

    static let listen = ValueType(name: "an address such as 127.0.0.1:9464", json: [.string]) {
        text throws(ValueError) in
        guard let colon = text.lastIndex(of: ":"), colon != text.startIndex,
            let port = UInt16(text[text.index(after: colon)...])
        else { throw ValueError("must be HOST:PORT, such as 127.0.0.1:9464") }
        var host = String(text[..<colon])
        if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
        return ListenAddress(host: host, port: port)
    }

    static let evidence = ValueType(name: "1, 2 or 3", json: [.integer], minimum: 1, maximum: 3) {
        text throws(ValueError) in
        guard let level = Int(text).flatMap({ EvidenceLevel(rawValue: $0) }), level != EvidenceLevel.none else {
            throw ValueError("must be 1, 2 or 3")
        }
        return level
    }

    static let comparison = ValueType(
        name: "versions, size_only or checksum", json: [.string], choices: ["versions", "size_only", "checksum"]
    ) { text throws(ValueError) in
        switch text {
        case "versions": return ReplicationOptions.Comparison.versions
        case "size_only": return ReplicationOptions.Comparison.sizeOnly
        case "checksum": return ReplicationOptions.Comparison.checksum
        default:
            throw ValueError(
                "must be versions, size_only or checksum",
                suggestion: Nearest.of(text, in: ["versions", "size_only", "checksum"]))
        }
    }
}

/// Where the daemon answers.
package struct ListenAddress: Sendable, Hashable {
    package let host: String
    package let port: UInt16

    package init(host: String, port: UInt16) {
        self.host = host
        self.port = port
    }
}
