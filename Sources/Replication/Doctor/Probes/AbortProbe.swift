import Digests
import ObjectStores
import ReplicationModel

/// Whether a part with a wrong checksum is refused, unfinished uploads can be found, and those that were given up are gone.
struct AbortProbe: DoctorProbe {
    var subject: String { "abort" }

    func examine(_ bench: DoctorBench) async throws(StoreError) {
        let session = try await bench.begin(
            bench.key("aborted"), size: 2 * bench.partSize + 1, partSize: bench.partSize)
        // A sequential session counts by whole parts.
        let isFree = bench.store.capabilities.partsMayDiffer && session.partOrder == .parallel
        let content = try await bench.content(isFree ? DoctorBench.smallPart : bench.partSize, seed: 9)
        let isRefused = try await refusesWrongPart(session, content, bench)
        let part = try await bench.send(content, 1, at: 0, of: session)
        let listed = try await bench.store.listParts(of: session)
        guard listed.map(\.number) == [1], listed.map(\.size) == [part.size] else {
            bench.tell(
                .failure, "list-parts", "one part was sent, and \(listed.count) are listed, or another than was sent",
                engine: "an upload that was cut off would go on wrongly")
            return
        }
        try await compareOpenUploads(session, bench)
        try await abort(session, bench)
        if !isRefused { try await completeWrongly(bench) }
    }

    private func refusesWrongPart(
        _ session: UploadSession, _ content: DoctorContent, _ bench: DoctorBench
    ) async throws(StoreError) -> Bool {
        do throws(StoreError) {
            _ = try await bench.send(content, 1, at: 0, of: session, digest: content.wrongDigest, through: bench.once)
            return false
        } catch {
            guard error.refusesBytes else { throw error }
            bench.tell(.ok, "part-checksums", "a part with a wrong checksum is refused")
            return true
        }
    }

    /// The part was taken: whether its upload can be completed decides what that means.
    private func completeWrongly(_ bench: DoctorBench) async throws(StoreError) {
        let content = try await bench.content(DoctorBench.smallPart, seed: 10)
        let session = try await bench.begin(bench.key("checksum-part"), size: content.count, partSize: bench.partSize)
        do throws(StoreError) {
            let part = try await bench.send(
                content, 1, at: 0, of: session, digest: content.wrongDigest, through: bench.once)
            let receipt = try await bench.complete(
                session, [part], digest: content.wrongDigest, through: bench.once)
            ChecksumProbe().tellAccepted(bench, "part-checksums", receipt, content, "a part")
        } catch {
            guard error.refusesBytes else { throw error }
            bench.tell(
                .instead, "part-checksums",
                "a part with a wrong checksum is taken, and refused when the upload is completed",
                engine: "a part that was damaged on its way is found later, and the whole object is sent again")
        }
    }

    private func compareOpenUploads(_ session: UploadSession, _ bench: DoctorBench) async throws(StoreError) {
        let shown: [OpenUpload]
        do throws(StoreError) {
            shown = try await bench.store.openUploads(ListRequest(prefix: bench.folder)).uploads
        } catch {
            guard error.code == .forbidden || error.code == .unsupportedOperation else { throw error }
            bench.tell(
                .warning, "open-uploads", "\(error)", engine: "`lockstep sweep` cannot find what nobody goes on with")
            return
        }
        if shown.contains(where: { $0.session.key == session.key }) {
            bench.tell(
                .ok, "open-uploads", "unfinished uploads are listed",
                engine: "`lockstep sweep` finds what nobody goes on with")
        } else if session.partOrder == .sequential {
            bench.tell(
                .instead, "open-uploads", "the server cannot list this kind of upload, and drops it by itself",
                engine: "the pair's state is what remembers it")
        } else {
            bench.tell(
                .warning, "open-uploads", "an unfinished upload is not listed",
                engine: "`lockstep sweep` cannot find what nobody goes on with; set a rule of the bucket for it")
        }
    }

    private func abort(_ session: UploadSession, _ bench: DoctorBench) async throws(StoreError) {
        try await bench.abort(session)
        guard bench.store.capabilities.discardsUploads else {
            bench.tell(
                .instead, subject, "parts of an upload that is given up stay, unseen, until the service drops them",
                engine: "nobody can free them earlier; on Azure that takes a week")
            return
        }
        do throws(StoreError) {
            let left = try await bench.store.listParts(of: session)
            bench.tell(
                .warning, subject, "an upload that was given up still holds \(counted(left.count, "part"))",
                engine: "they may be paid for; set a rule of the bucket that removes unfinished uploads")
        } catch {
            guard error.code == .missingUpload || error.code == .notFound else { throw error }
            bench.tell(.ok, subject, "an upload that was given up is gone")
        }
    }
}
