import Cryptography
import Digests
import Foundation
import ObjectStores
import Replication
import ReplicationModel
import Vault

/// Proves one place as the engine will use it: what it is made of, and of a vault what opens it.
struct PlaceExamination {
    /// The pair of the configuration that the place belongs to.
    struct Pair: Sendable {
        var name: String
        /// `source`, `target` or `control`.
        var side: String
    }

    let place: PairRequest.Place
    let use: Doctor.Use
    var pair: Pair?
    let isReadOnly: Bool
    let isJSON: Bool
    let context: CommandContext

    /// The worst of exit codes, in the order in which findings count.
    static func worst(_ codes: [Int32]) -> Int32 {
        let order: [ExitStatus] = [.ok, .partial, .temporary, .configuration, .drift]
        func rank(_ code: Int32) -> Int { order.firstIndex { $0.rawValue == code } ?? order.count }
        return codes.max { rank($0) < rank($1) } ?? ExitStatus.ok.rawValue
    }

    /// Tells what it finds; the result is an exit code.
    func run() async throws -> Int32 {
        // What a vault is made of are plain objects: its place needs what every place of its use needs.
        let plain = (place.connection.origin?.root ?? place.location).underlying
        try requireDirectory(plain)
        let transport = ObservedTransport(context.transport, time: context.time)
        let stores = context.stores(over: transport)
        let started = context.time.monotonic()
        let output = DoctorOutput(
            console: context.console, time: context.time, place: plain, pair: pair, isJSON: isJSON)
        output.begin(use.rawValue, readOnly: isReadOnly)
        let opened = try stores.openPlain(plain, place.connection, for: isReadOnly ? .reading : .writing)
        let hasPrefix = plain.service != .file && !plain.prefix.isEmpty
        let doctor = Doctor(
            store: hasPrefix ? PrefixedStore.rooted(opened.meter, at: plain.prefix) : opened.meter,
            around: hasPrefix ? opened.meter : nil, use: use, isReadOnly: isReadOnly,
            nonce: Hex.encode(SecureRandom.bytes(8)), who: plain.service == .file ? "this user" : "the credentials",
            time: context.time, clock: { transport.traffic.clock })
        var report = await doctor.examine { output.tell($0) }
        if place.location.isVault, report.verdict != .denied, report.verdict != .unavailable {
            for finding in await VaultExamination(place: place, isNeeded: pair != nil, stores: stores).findings() {
                output.tell(finding)
                report.findings.append(finding)
            }
        }
        let summary = DoctorOutput.Summary(
            report: report, learned: opened.learned(), meter: opened.meter.meter, traffic: transport.traffic,
            elapsed: context.time.monotonic() - started)
        let code = context.interruption.exitCode ?? ExitStatus(report).rawValue
        output.finish(summary, exitCode: code)
        return code
    }

    /// A directory that is not there is a typo or a disk that is not mounted: nothing is proven of one that would be made here.
    private func requireDirectory(_ place: ObjectLocation) throws(CommandFailure) {
        guard place.service == .file else { return }
        var isDirectory: ObjCBool = false
        guard !FileManager.default.fileExists(atPath: place.bucket, isDirectory: &isDirectory) || !isDirectory.boolValue
        else { return }
        throw CommandFailure(
            .configuration,
            "\(place) is not a directory; is its disk mounted? A new target is made first: mkdir -p \(place.bucket)")
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
