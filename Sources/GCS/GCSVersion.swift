import HTTPTransport
import ReplicationModel

/// A version of an object: its generation (the bytes) and metageneration (the attributes of these bytes).
struct GCSVersion: Sendable, Hashable {
    var generation: Int64
    var metageneration: Int64

    init(generation: Int64, metageneration: Int64) {
        self.generation = generation
        self.metageneration = metageneration
    }

    /// nil for tokens that another kind of store made.
    init?(_ token: VersionToken) {
        let numbers = token.text.split(separator: "/", omittingEmptySubsequences: false)
        guard numbers.count == 2, let generation = Int64(numbers[0]), let metageneration = Int64(numbers[1]),
            generation > 0,
            metageneration > 0
        else { return nil }
        self.init(generation: generation, metageneration: metageneration)
    }

    /// From a reply's headers; nil where the server does not name both.
    init?(_ headers: HTTPHeaders) {
        guard let generation = headers["x-goog-generation"].flatMap({ Int64($0) }),
            let metageneration = headers["x-goog-metageneration"].flatMap({ Int64($0) })
        else { return nil }
        self.init(generation: generation, metageneration: metageneration)
    }

    var token: VersionToken { VersionToken("\(generation)/\(metageneration)") }
}
