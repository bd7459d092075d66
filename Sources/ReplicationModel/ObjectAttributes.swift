/// What travels with an object's bytes: the headers a reader sees and the user's metadata.
///
/// Values are kept exactly as the source store reports them. `nil` means that the store reports none.
package struct ObjectAttributes: Hashable, Sendable, Codable {
    package var contentType: String?
    package var contentEncoding: String?
    package var contentLanguage: String?
    package var contentDisposition: String?
    package var cacheControl: String?
    /// User metadata. Names are lower-case where the store folds them (S3, Azure) and as written elsewhere.
    package var userMetadata: [String: String]

    package init(
        contentType: String? = nil, contentEncoding: String? = nil, contentLanguage: String? = nil,
        contentDisposition: String? = nil, cacheControl: String? = nil, userMetadata: [String: String] = [:]
    ) {
        self.contentType = contentType
        self.contentEncoding = contentEncoding
        self.contentLanguage = contentLanguage
        self.contentDisposition = contentDisposition
        self.cacheControl = cacheControl
        self.userMetadata = userMetadata
    }
}
