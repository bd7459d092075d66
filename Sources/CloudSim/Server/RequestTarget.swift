/// What a request is about, known from its head alone: what counters and fault rules go by.
package struct RequestTarget: Sendable {
    /// What faults can apply to it.
    package enum Kind: Sendable {
        /// Reads an object's bytes or attributes.
        case read
        case list
        /// Takes a body for an object, a part or a block.
        case write
        /// Completes an upload or copies an object: answers that may carry an error in a 200.
        case commit
        /// A server-side copy of a part or a block.
        case partCopy
        case delete
        case other
    }

    /// The API's own name: `GetObject`, `UploadPart`; GCS `objects.get`; Azure `PutBlock`.
    package var operation: String
    package var kind: Kind
    /// As in the storage; nil for requests about the whole service.
    package var bucket: String?
    package var key: ObjectName?

    package init(_ operation: String, _ kind: Kind, bucket: String? = nil, key: ObjectName? = nil) {
        self.operation = operation
        self.kind = kind
        self.bucket = bucket
        self.key = key
    }
}
