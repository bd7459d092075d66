extension FaultAction {
    /// The request kinds on which the action can do anything; nil means all.
    var kinds: [RequestTarget.Kind]? {
        switch self {
        case .shortBody, .longBody: [.read, .list]
        case .wrongContentRange, .ignoreRange, .replaceObjectBetweenRanges, .deleteObjectBetweenRanges: [.read]
        case .dropReplyAfterCommit: [.write, .delete, .commit]
        case .errorIn200: [.commit, .delete]
        case .believeChecksums: [.write, .commit]
        case .listRepeatToken, .listNoToken, .listUnsorted, .listDuplicate, .listHideKey, .listEmptyPage: [.list]
        case .noPartCopy: [.partCopy]
        default: nil
        }
    }

    /// The `key` pattern of these names listed keys, not the request's.
    var patternIsForListedKeys: Bool {
        self == .listHideKey || self == .listDuplicate || self == .listUnsorted
    }

    /// These are counted when their effect happens, not when the request matches.
    var firesWhenApplied: Bool {
        switch self {
        case .listRepeatToken, .listNoToken, .listUnsorted, .listDuplicate, .listHideKey, .listEmptyPage, .rateLimit,
            .replaceObjectBetweenRanges, .deleteObjectBetweenRanges, .wrongETag, .missingETag, .wrongChecksum,
            .wrongContentRange, .flipBit, .resetAfterBytes, .stallAfterBytes, .shortBody, .longBody, .ignoreRange,
            .believeChecksums:
            true
        default: false
        }
    }
}

extension FaultRule {
    func matches(_ requestCloud: Cloud, _ target: RequestTarget, method requestMethod: String) -> Bool {
        if let cloud, cloud != requestCloud { return false }
        if let method, method != requestMethod { return false }
        if let bucket, bucket != target.bucket { return false }
        if let operation {
            guard Glob(operation).matches(target.operation.utf8) else { return false }
        } else if let kinds = action.kinds {
            guard kinds.contains(target.kind) else { return false }
        }
        if let key, !action.patternIsForListedKeys {
            guard let name = target.key, Glob(key).matches(name.bytes) else { return false }
        }
        return true
    }
}
