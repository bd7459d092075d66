import ObjectStores

/// Parts of the contract that a service may lack. What a store cannot do by its own account is left out by itself;
/// what only the service behind a fixture lacks is named in the fixture, with the reason.
package enum ConformanceGroup: String, Sendable, CaseIterable, CustomStringConvertible {
    /// Writes that must find no object.
    case createOnly
    /// Writes that must find a version.
    case compareAndSwap
    /// Conditions on completing an upload.
    case conditionalCompletion
    case conditionalCopy
    case conditionalDelete
    /// Of several writers at the same time exactly one wins.
    case racingWriters
    /// A read names the version it wants.
    case pinnedReads
    case attributes
    /// Bytes that differ from the checksum sent with them are refused.
    case wrongDigest
    case wrongPartDigest
    /// Receipts carry the checksum of the whole object.
    case reportedChecksums
    case multipart
    case listParts
    case openUploads
    /// An upload that one process aborts is gone for all.
    case sharedAborts
    case copy
    case partCopy
    case startAfter
    case oddKeys
    /// More keys than one page holds.
    case manyKeys
    case cancellation

    package var description: String { rawValue }

    /// Why a store leaves the group out by its own account, or nil when it has to pass.
    func missing(in capabilities: StoreCapabilities) -> String? {
        switch self {
        case .createOnly, .compareAndSwap, .conditionalCompletion, .conditionalCopy, .racingWriters:
            capabilities.conditionalWrites == .ignored ? "the store says that it ignores conditions" : nil
        case .reportedChecksums: capabilities.reportsChecksums ? nil : "the store says that it reports no checksums"
        case .copy: capabilities.maxCopySize > 0 ? nil : "the store says that it cannot copy"
        case .partCopy: capabilities.copiesParts ? nil : "the store says that it cannot copy parts"
        default: nil
        }
    }
}
