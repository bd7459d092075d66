import NIOHTTP1

/// The encryption scope that a blob is under. Every well-formed name counts as one that exists; a blob without one is under the
/// account's key.
struct AzureEncryptionScope {
    let name: String

    /// The attribute of a blob that holds it.
    private static let extra = "encryptionScope"

    /// Nil when the request names none.
    init?(_ request: AzureRequest) throws(AzureError) {
        guard let name = request.header("x-ms-encryption-scope") else { return nil }
        let isName =
            (3...63).contains(name.utf8.count)
            && name.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"):
                    true
                default: false
                }
            }
        guard isName, request.version >= AzureVersion.scopesOnRequests else {
            throw .invalidHeader("x-ms-encryption-scope", name)
        }
        self.name = name
    }

    /// Nil when the blob has none of its own.
    init?(_ attributes: ObjectAttributes) {
        guard let name = attributes.extras[Self.extra] else { return nil }
        self.name = name
    }

    func store(in attributes: inout ObjectAttributes) {
        attributes.extras[Self.extra] = name
    }

    func addHeader(to headers: inout HTTPHeaders) {
        headers.add(name: "x-ms-encryption-scope", value: name)
    }
}
