/// What a document may have at most; a longer one is refused before it costs more.
package struct XMLLimits: Sendable {
    /// The document as a whole, before it is looked at.
    package var bytes: Int
    /// Elements within one another.
    package var depth: Int
    package var elements: Int

    package init(bytes: Int, depth: Int, elements: Int) {
        self.bytes = bytes
        self.depth = depth
        self.elements = elements
    }

    /// Far above the longest answers of the stores: 5,000 blobs with all their properties, 50,000 blocks.
    package static let `default` = XMLLimits(bytes: 64 << 20, depth: 32, elements: 2_000_000)
}
