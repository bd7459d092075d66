import NIOHTTP1

/// The query parameters of a call, and those headers of the XML API that mean the same.
struct GCSParameters {
    private let request: Request
    /// Set by a fault: every condition is treated as if it were not there.
    private let ignoresConditions: Bool
    /// The same of those that name a version.
    private let ignoresVersions: Bool

    init(_ request: Request, ignoresConditions: Bool = false, ignoresVersions: Bool = false) {
        self.request = request
        self.ignoresConditions = ignoresConditions
        self.ignoresVersions = ignoresVersions
    }

    subscript(name: String) -> String? { request.queryValue(name) }

    func header(_ name: String) -> String? { request.header(name) }

    /// Python's client writes `True`.
    func isTrue(_ name: String) -> Bool { self[name]?.lowercased() == "true" }

    /// A number, or 400 for anything else.
    func int64(_ name: String) throws -> Int64? {
        guard let text = request.queryValue(name) else { return nil }
        guard let value = Int64(text) else { throw GCSError.invalid("Invalid value for \(name): \(text)") }
        return value
    }

    func int(_ name: String, in range: ClosedRange<Int>) throws -> Int? {
        guard let value = try int64(name) else { return nil }
        guard range.contains(Int(value)) else { throw GCSError.invalid("Invalid value for \(name): \(value)") }
        return Int(value)
    }

    /// `ifGenerationMatch` and its siblings; with `source` `ifSourceGenerationMatch` and its.
    func preconditions(source: Bool = false) throws -> GCSPreconditions {
        guard !ignoresConditions else { return GCSPreconditions() }
        let prefix = source ? "ifSource" : "if"
        return GCSPreconditions(
            generationMatch: try int64(prefix + "GenerationMatch").flatMap { ignoresVersions && $0 > 0 ? nil : $0 },
            generationNotMatch: try int64(prefix + "GenerationNotMatch"),
            metagenerationMatch: try int64(prefix + "MetagenerationMatch"),
            metagenerationNotMatch: try int64(prefix + "MetagenerationNotMatch"))
    }

    /// `x-goog-if-generation-match` and its siblings; with `source` those about the object copied from.
    func headerPreconditions(source: Bool = false) throws -> GCSPreconditions {
        guard !ignoresConditions else { return GCSPreconditions() }
        let prefix = source ? "x-goog-copy-source-if-" : "x-goog-if-"
        func number(_ name: String) throws -> Int64? {
            guard let text = request.header(prefix + name) else { return nil }
            guard let value = Int64(text) else { throw GCSError.invalid("Invalid \(prefix)\(name): \(text)") }
            return value
        }
        return GCSPreconditions(
            generationMatch: try number("generation-match"),
            metagenerationMatch: try number("metageneration-match"))
    }

    /// Checksums in headers: `x-goog-hash`, once or more, and Content-MD5.
    func hashes() throws -> GCSHashes {
        var hashes = GCSHashes()
        for value in request.headers[canonicalForm: "x-goog-hash"] { try hashes.add(header: String(value)) }
        if let md5 = request.header("content-md5") { try hashes.add(md5: md5) }
        return hashes
    }
}
