package import ReplicationModel

/// What a store can do and what it needs, so that the engine never asks which cloud it talks to.
package struct StoreCapabilities: Sendable {
    package enum ConditionalWrites: Sendable, Hashable {
        /// The service documents and enforces them.
        case enforced
        /// A custom endpoint: the engine finds out before it relies on them.
        case unproven
        /// Known to ignore them: the engine looks before each write and after it, and says so.
        case ignored
    }

    package enum ListingOrder: Sendable, Hashable {
        /// By the bytes of the keys.
        case bytewise
        /// No order to rely on.
        case unordered
    }

    /// Bytes of a part (all but the last).
    package var partSize: ClosedRange<Int64>
    /// Parts must be multiples of this many bytes (all but the last).
    package var partSizeMultiple: Int64
    package var maxParts: Int
    /// Largest object in bytes.
    package var maxObjectSize: Int64
    /// Largest object that `put` takes, in bytes.
    package var maxPutSize: Int64
    /// Largest object that `copy` takes, in bytes; 0 when the store cannot copy.
    package var maxCopySize: Int64
    /// Whether `copyPart` works.
    package var copiesParts: Bool
    /// Whether the parts of one upload may be of any sizes within `partSize`, so that content can decide where they end.
    package var partsMayDiffer: Bool
    /// Whether `abortUpload` frees what was sent; else the store drops it by itself after some days.
    package var discardsUploads: Bool
    package var conditionalWrites: ConditionalWrites
    package var listingOrder: ListingOrder
    /// Most entries of one listing page.
    package var listPageLimit: Int
    /// Most requests of one `delete` call.
    package var deleteBatch: Int
    /// Whether a change of attributes alone changes the version token. Where false, the engine also compares modification times.
    package var versionCoversAttributes: Bool
    /// Whether writes report a whole-object checksum that the store computed or verified.
    package var reportsChecksums: Bool
    /// Whether attributes vouch for the bytes they are found with, because who replaces the bytes replaces the attributes too.
    /// Not so for files: a program that writes into one leaves its extended attributes.
    package var attributesFollowBytes: Bool
    /// A bound on how many requests make sense at the same time (files: few; clouds: many).
    package var maxConcurrency: Int

    package init(
        partSize: ClosedRange<Int64>, partSizeMultiple: Int64 = 1, maxParts: Int, maxObjectSize: Int64,
        maxPutSize: Int64,
        maxCopySize: Int64, copiesParts: Bool, partsMayDiffer: Bool = true, discardsUploads: Bool = true,
        conditionalWrites: ConditionalWrites,
        listingOrder: ListingOrder = .bytewise,
        listPageLimit: Int, deleteBatch: Int, versionCoversAttributes: Bool, reportsChecksums: Bool,
        attributesFollowBytes: Bool = true,
        maxConcurrency: Int = 256
    ) {
        self.partSize = partSize
        self.partSizeMultiple = partSizeMultiple
        self.maxParts = maxParts
        self.maxObjectSize = maxObjectSize
        self.maxPutSize = maxPutSize
        self.maxCopySize = maxCopySize
        self.copiesParts = copiesParts
        self.partsMayDiffer = partsMayDiffer
        self.discardsUploads = discardsUploads
        self.conditionalWrites = conditionalWrites
        self.listingOrder = listingOrder
        self.listPageLimit = listPageLimit
        self.deleteBatch = deleteBatch
        self.versionCoversAttributes = versionCoversAttributes
        self.reportsChecksums = reportsChecksums
        self.attributesFollowBytes = attributesFollowBytes
        self.maxConcurrency = maxConcurrency
    }
}

/// What a store cannot hold, found before anything is sent.
package protocol ObjectRules: Sendable {
    /// Why the store cannot hold this key, for people, or nil when it can.
    func problem(with key: ObjectKey) -> String?

    /// The attributes that the store keeps of these, and the names of those it cannot hold (reported, never dropped silently).
    func fit(_ attributes: ObjectAttributes) -> (kept: ObjectAttributes, dropped: [String])
}
