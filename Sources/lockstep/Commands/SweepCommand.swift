import ArgumentParser
import Configuration
import Foundation
import Manifests
import ObjectStores
import Replication
import ReplicationModel
import SQLiteManifests

/// `lockstep sweep LOCATION`: discards uploads that were begun and that no ledger knows.
struct SweepCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sweep",
        abstract: "Discards unfinished uploads that no ledger knows: their parts are invisible, and are paid for.",
        discussion: """
            Uploads of every program are listed, not only those of lockstep; --older-than keeps what may still be under way. What the
            ledgers of this machine know is left to the next run of its pair. Cloud Storage does not list its resumable sessions, and Azure
            drops uncommitted blocks after a week by itself. What runs left behind inside a vault is for lockstep vault gc.

            EXAMPLES
              lockstep sweep s3://models-replica --dry-run
              lockstep sweep gs://models-replica --older-than 2d
            """)

    @Argument(help: "s3://bucket/prefix, gs://bucket/prefix, az://account/container/prefix, file:///dir or a path.")
    var location: String
    @OptionGroup var endpoint: EndpointOptions
    @Option(help: ArgumentHelp("Only uploads begun at least so long ago (7d).", valueName: "time"))
    var olderThan: TimeQuantity?
    @Flag(name: [.customShort("n"), .long], help: "Only list them.")
    var dryRun = false
    @Option(help: ArgumentHelp("Directory of the ledgers ($XDG_STATE_HOME/lockstep).", valueName: "dir"))
    var state: String?
    @Flag(help: "One JSON object a line.")
    var json = false

    func run() async throws {
        let context = CommandContext()
        let command = self
        try await context.run(about: location) { try await command.sweep(context) }
    }

    private func sweep(_ context: CommandContext) async throws -> Int32 {
        let place = try endpoint.place(location, context)
        guard !place.location.isVault else { throw sealed(place) }
        let opened = try await context.stores.open(
            place.location, place.connection, for: dryRun ? .reading : .writing)
        let sweep = UploadSweep(
            store: opened.store, time: context.time, minimumAge: olderThan?.duration ?? .seconds(7 * 86_400),
            owned: try owned(opened, in: state ?? place.connection.vault.state, context))
        let console = context.console
        var (discarded, kept, failed) = (0, 0, 0)
        try await sweep.forEach { found in
            var action = found.verdict.rawValue
            if found.verdict == .orphan {
                action = dryRun ? "would discard" : "discarded"
                if !dryRun {
                    do throws(StoreError) {
                        try await opened.store.abortUpload(found.session)
                    } catch {
                        failed += 1
                        console.error("\(found.session.key): \(error)")
                        return
                    }
                }
                discarded += 1
            } else {
                kept += 1
            }
            console.data(json ? try line(found, action) : "\(action)\t\(began(found))\t\(found.session.key)")
        }
        if !json {
            console.say(
                "\(dryRun ? "would discard" : "discarded") \(Format.count(discarded)), kept \(Format.count(kept))"
                    + (failed > 0 ? ", failed \(Format.count(failed))" : ""))
        }
        return (failed > 0 ? ExitStatus.partial : .ok).rawValue
    }

    private func sealed(_ place: PairRequest.Place) -> CommandFailure {
        let connection = place.connection
        return CommandFailure(
            .usage,
            "what runs left behind in a vault is collected by: lockstep vault gc \(connection.arguments(for: place.location)). Uploads of "
                + "packs that were never completed are swept where the vault lies: lockstep sweep "
                + connection.arguments(for: place.location.underlying))
    }

    /// The uploads that pairs on this machine have open: their keys as seen from the location, and their handles, which are theirs under
    /// whatever address the service is asked.
    private func owned(
        _ opened: OpenStore, in state: String?, _ context: CommandContext
    ) throws -> (keys: Set<ObjectKey>, handles: Set<String>) {
        let path = context.statePath(state)
        if state != nil, !FileManager.default.fileExists(atPath: path) {
            context.console.warn("there is no state directory \(path): no upload is known to be owned")
        }
        do throws(LedgerError) {
            let uploads = try StateDirectory.openUploads(in: path)
            return (
                Set(uploads.compactMap { opened.key($0.record.session.key, ofStore: $0.target) }),
                Set(uploads.map(\.record.session.handle))
            )
        } catch {
            throw CommandFailure(ExitStatus(error.code), error.description)
        }
    }

    private func began(_ found: UploadSweep.Found) -> String {
        found.initiated > 0 ? Format.time(found.initiated) : "-"
    }

    private struct Line: Encodable {
        var schema = "lockstep.sweep/1"
        var key: String
        var initiated: String?
        var action: String
    }

    private func line(_ found: UploadSweep.Found, _ action: String) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let line = Line(
            key: found.session.key.text, initiated: found.initiated > 0 ? Format.time(found.initiated) : nil,
            action: action.replacing(" ", with: "-"))
        return String(decoding: try encoder.encode(line), as: UTF8.self)
    }
}
