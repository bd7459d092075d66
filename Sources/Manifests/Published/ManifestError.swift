/// What is wrong with a published manifest, or why none can be published. Failures of stores and ledgers keep their own errors.
package struct ManifestError: Error, Sendable, CustomStringConvertible {
    package enum Code: String, Sendable, CaseIterable {
        /// The location holds no manifest, or not the one asked for.
        case noManifest

        // The manifest is not what was published.
        case damagedHead, damagedPage, missingHead, missingPage
        /// A head does not name the one before it.
        case brokenChain
        /// A head's signature is not that of the key it names.
        case badSignature
        /// Signed by another key than the trusted ones.
        case wrongSigner
        /// Another head than the one that was seen under this number.
        case replacedHead
        /// The newest head is older than one that was seen.
        case rolledBack

        // Publishing.
        /// Somebody else publishes in this place.
        case foreignHead
        /// Somebody else took this number at the same time.
        case conflict
        case tooLarge
        /// The pool of buffers is too small.
        case memory

        /// A file of the state (key, anchor, note) cannot be used.
        case badState
    }

    package var code: Code
    /// What happened, to which head, page or file, and what to do.
    package var message: String

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { message }

    /// Whether the manifest differs from what was published, as opposed to not being readable or not being there.
    package var isDrift: Bool {
        switch code {
        case .damagedHead, .damagedPage, .missingHead, .missingPage, .brokenChain, .badSignature, .wrongSigner,
            .replacedHead, .rolledBack:
            true
        case .noManifest, .foreignHead, .conflict, .tooLarge, .memory, .badState: false
        }
    }
}
