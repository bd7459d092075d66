import ObjectStores
import ReplicationModel

/// Whether writes and deletions happen only under their conditions: each is asked for what must not happen, and the answer counts.
enum ConditionProbes {
    /// A second object of the same name must not be created.
    struct Create: DoctorProbe {
        var subject: String { "conditional-create" }

        func examine(_ bench: DoctorBench) async throws(StoreError) {
            guard let object = bench.subject else { return }
            let intruder = try await bench.content(100, seed: 4)
            do throws(StoreError) {
                let receipt = try await bench.put(object.key, intruder, .absent, through: bench.once)
                bench.ignoresConditions = true
                bench.replaceSubject(by: intruder, receipt)
                bench.tellIgnored(
                    subject, "an object was created where one was already",
                    danger: "the engine could overwrite what somebody else has just written")
            } catch {
                guard error.code == .preconditionFailed else { throw error }
                guard try await bench.subjectStands(subject) else { return }
                bench.tell(
                    .ok, subject, "an object is not created where one is already",
                    engine: "what somebody else writes meanwhile is never overwritten")
            }
        }
    }

    /// An object must not be replaced by who has seen an older version.
    struct Replace: DoctorProbe {
        var subject: String { "conditional-replace" }

        func examine(_ bench: DoctorBench) async throws(StoreError) {
            guard let object = bench.subject else { return }
            let intruder = try await bench.content(101, seed: 5)
            do throws(StoreError) {
                let receipt = try await bench.put(
                    object.key, intruder, .matches(object.oldVersion), through: bench.once)
                bench.ignoresConditions = true
                bench.replaceSubject(by: intruder, receipt)
                bench.tellIgnored(
                    subject, "an object was replaced under the condition that an older version is there",
                    danger: "the engine could overwrite what somebody else has just written")
            } catch {
                guard error.code == .preconditionFailed else { throw error }
                guard try await bench.subjectStands(subject) else { return }
                bench.heedsReplacing = true
                bench.tell(
                    .ok, subject, "an object is replaced only by who has seen its version",
                    engine: "what somebody else has changed meanwhile is kept, and reported as a conflict")
            }
        }
    }

    /// An upload must not be completed where an object has appeared.
    struct Complete: DoctorProbe {
        var subject: String { "conditional-complete" }

        func examine(_ bench: DoctorBench) async throws(StoreError) {
            guard let object = bench.subject else { return }
            let intruder = try await bench.content(DoctorBench.smallPart, seed: 6)
            var session: UploadSession?
            do throws(StoreError) {
                let begun = try await bench.begin(object.key, size: intruder.count, partSize: bench.partSize)
                session = begun
                let part = try await bench.send(intruder, 1, at: 0, of: begun)
                let receipt = try await bench.complete(begun, [part], digest: intruder.digest, through: bench.once)
                bench.replaceSubject(by: intruder, receipt)
                bench.tellIgnored(
                    subject, "an upload was completed where an object was already",
                    danger: "the engine could overwrite with a large object what somebody else has just written")
            } catch {
                guard error.code == .preconditionFailed else { throw error }
                if let session { try await bench.abort(session) }
                guard try await bench.subjectStands(subject) else { return }
                bench.tell(.ok, subject, "an upload is not completed where an object is already")
            }
        }
    }

    /// An object must not be deleted by who has seen an older version.
    struct Delete: DoctorProbe {
        var subject: String { "conditional-delete" }

        func examine(_ bench: DoctorBench) async throws(StoreError) {
            guard let object = bench.subject else { return }
            let result = await bench.once.delete([DeleteRequest(key: object.key, version: object.oldVersion)])[0]
            do throws(StoreError) {
                try result.get()
            } catch {
                guard error.code == .preconditionFailed else { throw error }
                guard try await bench.subjectStands(subject) else { return }
                bench.tell(
                    .ok, subject, "an object is deleted only by who has seen its version",
                    engine: "what somebody else has changed meanwhile is not deleted")
                return
            }
            do throws(StoreError) {
                _ = try await bench.store.head(object.key)
                bench.tell(
                    .failure, subject, "a deletion that did not happen is answered as done",
                    engine: "deletions would be reported that did not happen")
            } catch {
                guard error.code == .notFound else { throw error }
                bench.subject = nil
                bench.tellIgnored(
                    subject, "an object was deleted under the condition that an older version is there",
                    danger: "the engine could delete what somebody else has just written")
            }
        }
    }
}

extension DoctorBench {
    /// A condition was not heeded: something else is there now.
    fileprivate func replaceSubject(by content: DoctorContent, _ receipt: WriteReceipt) {
        subject?.content = content
        subject?.version = receipt.version
        subject?.attributes = ObjectAttributes()
    }

    /// Whether what was refused has really not happened; else a finding.
    fileprivate func subjectStands(_ name: String) async throws(StoreError) -> Bool {
        guard let object = subject else { return false }
        let found: VersionToken?
        do throws(StoreError) {
            found = try await store.head(object.key).object.version
        } catch {
            guard error.code == .notFound else { throw error }
            found = nil
        }
        guard found != object.version else { return true }
        tell(
            .failure, name, "what was refused because of its condition has happened all the same",
            engine: "conflicts would be reported for objects that are overwritten")
        return false
    }
}
