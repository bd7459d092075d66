import Buffers
import Digests
import Manifests
import ObjectStores
import ReplicationModel

/// Feeds an upload with parts that are cut by content: what the target holds already is copied there, the rest is sent.
///
/// The whole source is read all the same, pinned to its version: that is how it is known what it holds.
struct DeltaUploader {
    let upload: MultipartUpload
    let plan: DeltaPlan
    let lanes: DeltaLanes

    /// What the target has confirmed, and what the ledger may say about it once it is verified.
    struct Outcome: Sendable {
        var digest: ContentDigest
        var blake3: [UInt8]?
        var receipt: WriteReceipt
        var segments: [ContentSegment]
        /// Whose bytes it was partly made of.
        var origins: Set<TargetVersion>
    }

    /// One version of one object at the target.
    struct TargetVersion: Hashable, Sendable {
        var key: ObjectKey
        var version: VersionToken
    }

    /// nil when the target has turned out not to take such parts, so that the object has to be sent whole.
    func run() async throws -> Outcome? {
        var pass: DeltaPass?
        do {
            let made = try await upload.run { opened in
                let (parts, made) = try await send(opened)
                pass = made
                return MultipartUpload.Content(parts: parts, blake3: made.blake3)
            }
            return Outcome(
                digest: made.digest, blake3: made.blake3, receipt: made.receipt, segments: pass?.segments ?? [],
                origins: pass?.origins ?? [])
        } catch let failure as TransferFailure
            where failure.side == .target && failure.code == .store(.checksumMismatch)
        {
            try await upload.context.forgetSegments(of: pass?.origins ?? [])
            throw failure
        } catch let failure as TransferFailure where failure.side == .target && failure.code == .store(.invalidRequest)
        {
            // Some servers find out at the end that they want all parts to be of one size.
            lanes.tell(
                .unequalParts,
                "\(upload.context.target.name) refused an upload of parts that content cuts, so it was sent whole: "
                    + "\(failure.message)", upload.context)
            return nil
        }
    }

    private func send(_ opened: MultipartUpload.Opened) async throws -> ([PartReceipt], DeltaPass) {
        try await lanes.withMemory(for: plan, upload.context.pool) { memory in
            // Not on the transport's thread, which many transfers wait for: here every byte is hashed.
            try await withTaskExecutorPreference(globalConcurrentExecutor) {
                try await withThrowingTaskGroup(of: DeltaPass.Arrival.self) { group in
                    var pass = DeltaPass(upload: upload, opened: opened, plan: plan, memory: memory)
                    let receipts = try await pass.run(in: &group)
                    return (receipts, pass)
                }
            }
        }
    }
}

extension RunContext {
    /// What the ledger says of these objects' segments has proven wrong: it is not to be used again.
    func forgetSegments(of origins: Set<DeltaUploader.TargetVersion>) async throws {
        for origin in origins { try await ledger.record(.segments([], of: origin.key, at: origin.version)) }
    }
}
