import ObjectStores
import ReplicationModel

/// Whether attributes and metadata come back as they were written, up to the size that the store promises.
struct MetadataProbe: DoctorProbe {
    var subject: String { "metadata" }

    /// More than any store takes of one object.
    private static let plenty = 16 << 10

    func examine(_ bench: DoctorBench) async throws(StoreError) {
        let wanted = ObjectAttributes(
            contentType: "text/plain; charset=utf-8", contentLanguage: "de",
            contentDisposition: "attachment; filename=\"a b.txt\"", cacheControl: "no-transform, max-age=60",
            userMetadata: [
                "doctor": "plain", "doctor_blanks": "two  blanks, and a comma",
                "doctor_unicode": "\u{E9}\u{65E5}\u{672C}\u{1F600}",
            ])
        let (kept, dropped) = bench.store.rules.fit(wanted)
        let found = try await roundTrip("metadata", kept, bench)
        if let name = Self.difference(kept, found) {
            bench.tell(
                .failure, subject, "`\(name)` does not come back as it was written",
                engine: "objects would lose attributes, and nobody would be told")
            return
        }
        guard dropped.isEmpty else {
            bench.tell(
                .instead, subject,
                "not kept: \(dropped.joined(separator: ", ")); the rest comes back as it was written",
                engine: "attributes that cannot be kept are named when an object is copied")
            return
        }
        bench.tell(.ok, subject, "attributes and metadata come back as they were written, also beyond ASCII")
        try await examineLimit(bench)
    }

    private func examineLimit(_ bench: DoctorBench) async throws(StoreError) {
        var most = ObjectAttributes()
        for index in 100..<(100 + Self.plenty / 128) {
            most.userMetadata["doctor_\(index)"] = String(repeating: "m", count: 117)
        }
        let kept = bench.store.rules.fit(most).kept
        let size = kept.userMetadata.reduce(0) { $0 + $1.key.utf8.count + $1.value.utf8.count }
        guard size > 0 else { return }
        do throws(StoreError) {
            let found = try await roundTrip("metadata-limit", kept, bench)
            guard let name = Self.difference(kept, found) else {
                bench.tell(.ok, "metadata-size", "\(size) bytes of metadata come back whole")
                return
            }
            bench.tell(
                .failure, "metadata-size", "of \(size) bytes of metadata, `\(name)` does not come back",
                engine: "objects would lose attributes, and nobody would be told")
        } catch {
            guard !error.isNoAnswer else { throw error }
            bench.forget(bench.key("metadata-limit"))
            bench.tell(
                .instead, "metadata-size", "\(size) bytes of metadata are refused: \(error.message)",
                engine: "objects with so much metadata fail, and each is named")
        }
    }

    private func roundTrip(
        _ name: String, _ attributes: ObjectAttributes, _ bench: DoctorBench
    ) async throws(StoreError) -> ObjectAttributes {
        let content = try await bench.content(64, seed: 8)
        _ = try await bench.put(bench.key(name), content, .unconditional, attributes: attributes)
        return try await bench.store.head(bench.key(name)).attributes
    }

    /// The name of an attribute that is not as it was; what was not asked for may be anything.
    private static func difference(_ wanted: ObjectAttributes, _ found: ObjectAttributes) -> String? {
        if let value = wanted.contentType, value != found.contentType { return "Content-Type" }
        if let value = wanted.contentLanguage, value != found.contentLanguage { return "Content-Language" }
        if let value = wanted.contentDisposition, value != found.contentDisposition { return "Content-Disposition" }
        if let value = wanted.cacheControl, value != found.cacheControl { return "Cache-Control" }
        return wanted.userMetadata.keys.sorted().first { wanted.userMetadata[$0] != found.userMetadata[$0] }
    }
}
