import ObjectStores
import ReplicationModel

/// Writes an object, replaces it, and looks each time whether reads see what was written. What is there then, other probes ask about.
struct WriteProbe: DoctorProbe {
    let use: Doctor.Use
    var subject: String { "read-after-write" }

    func examine(_ bench: DoctorBench) async throws(StoreError) {
        let key = bench.key("subject")
        let first = try await bench.content(DoctorBench.subjectSize, seed: 1)
        // Of the same size, so that no shortcut by size can pass for a comparison.
        let second = try await bench.content(DoctorBench.subjectSize, seed: 2)
        let attributes = bench.store.rules.fit(ObjectAttributes(contentType: "application/octet-stream")).kept
        let before = bench.time.now()
        let old: WriteReceipt
        do throws(StoreError) {
            old = try await bench.put(key, first, .absent, attributes: attributes)
        } catch {
            guard error.code == .forbidden else { throw error }
            bench.forget(key)
            if use == .source {
                bench.tell(.ok, "rights", "\(bench.who) cannot write, and a source needs only to be read")
            } else {
                bench.tell(.denied, "rights", "\(error)", operation: .put)
            }
            return
        }
        let after = bench.time.now()
        if use == .source {
            bench.tell(
                .warning, "rights", "\(bench.who) may write, and a source needs only to be read",
                engine: "the engine never writes to a source; whoever takes over these rights can")
        }
        let seen = try await sees(key, old, first, bench)
        bench.written = seen.map { (before, after, $0.modified) }
        let new = try await replace(key, old.version, second, attributes, bench)
        let seenAgain = try await sees(key, new, second, bench)
        guard new.version != old.version else {
            bench.tell(
                .failure, "versions", "the object was replaced by other bytes and kept its version \(old.version)",
                engine: "the engine could not notice that an object has changed")
            return
        }
        if seen != nil, seenAgain != nil {
            bench.tell(
                .ok, subject, "a new object and a replaced one are seen at once",
                engine: "what a run has written is looked at without waiting")
        }
        bench.subject = DoctorBench.Subject(
            key: key, oldVersion: old.version, version: new.version, content: second, oldContent: first,
            attributes: attributes)
    }

    /// Replaces what is there under the condition that it is there.
    private func replace(
        _ key: ObjectKey, _ version: VersionToken, _ content: DoctorContent, _ attributes: ObjectAttributes,
        _ bench: DoctorBench
    ) async throws(StoreError) -> WriteReceipt {
        do throws(StoreError) {
            return try await bench.put(key, content, .matches(version), attributes: attributes)
        } catch {
            guard error.code == .preconditionFailed || error.code == .unsupportedOperation else { throw error }
            bench.tell(
                .failure, "conditional-replace", "the version that is there does not count as such: \(error)",
                engine: "no changed object could be copied")
            return try await bench.put(key, content, .unconditional, attributes: attributes)
        }
    }

    /// What is there when it is what was written; else nil and a finding.
    private func sees(
        _ key: ObjectKey, _ receipt: WriteReceipt, _ content: DoctorContent, _ bench: DoctorBench
    ) async throws(StoreError) -> ListedObject? {
        let size = Int64(content.count)
        do throws(StoreError) {
            let found = try await bench.store.head(key).object
            guard found.version == receipt.version, found.size == size else {
                bench.tell(
                    .failure, subject,
                    "after a write, version \(found.version) of \(found.size) bytes is there, not \(receipt.version) of \(size)",
                    engine: "a run could not tell its own objects from those of others")
                return nil
            }
            let reply = try await bench.read(
                key, ByteRange(offset: 0, length: size), version: receipt.version, size: size)
            guard reply.digest == content.digest else {
                bench.tell(
                    .failure, subject, "other bytes are read than were written",
                    engine: "nothing that is stored here could be trusted")
                return nil
            }
            return found
        } catch {
            guard error.code == .notFound || error.code == .versionChanged else { throw error }
            bench.tell(
                .failure, subject, "what was written is not seen at once: \(error)",
                engine: "a run could not tell its own objects from those of others")
            return nil
        }
    }
}
