import ReplicationModel

/// A pointer that waits for its set, as a listing showed it.
struct PendingPointer {
    var joined: JoinedKey
    var decision: SyncDecision
}

/// The sets that the planner is inside of, from the whole location inwards. Listings are in key order, so a set that was left is complete.
struct SetStack {
    struct Frame {
        let set: ArtifactSet
        /// To be written when the set is complete.
        var pending: [PendingPointer] = []
        /// Whether the set has pointers of its own at all, changed or not, on either side.
        var hasPointers = false
        /// Whether objects below may be deleted at the target.
        var hasDeletions = false

        /// Whether the set must be looked at again: before its pointers are written, and before anything is deleted that its
        /// pointers may have named when they were listed.
        var needsStep: Bool { !pending.isEmpty || (hasDeletions && hasPointers) }
    }

    private let sets: ArtifactSets
    private var frames: [Frame]

    init(_ sets: ArtifactSets) {
        self.sets = sets
        frames = [Frame(set: ArtifactSet(prefix: ObjectKey([]), parent: nil))]
    }

    /// The innermost set, to which the key that was entered last belongs.
    var current: ArtifactSet { frames[frames.count - 1].set }

    /// Moves on to a key; returns the sets that end before it, inner ones first.
    mutating func enter(_ key: ObjectKey) -> [Frame] {
        var left: [Frame] = []
        while !key.hasPrefix(current.prefix) { left.append(pop()) }
        var end = current.prefix.bytes.count
        while frames.count <= sets.maxDepth, let slash = key.bytes[end...].firstIndex(of: UInt8(ascii: "/")) {
            end = slash + 1
            frames.append(Frame(set: ArtifactSet(prefix: ObjectKey(Array(key.bytes[..<end])), parent: current)))
        }
        return left
    }

    /// The end of the listings: every set ends.
    mutating func leaveAll() -> [Frame] {
        var left: [Frame] = []
        while !frames.isEmpty { left.append(pop()) }
        return left
    }

    /// Notes what the planner has decided on the key that was entered last. Returns whether the key is a pointer that must wait.
    @discardableResult
    mutating func take(_ joined: JoinedKey, _ decision: SyncDecision) -> Bool {
        if decision == .deleteCandidate || decision == .settleDeletion { frames[frames.count - 1].hasDeletions = true }
        guard let rank = sets.rank(of: joined.key) else { return false }
        frames[rank.depth].hasPointers = true
        guard decision.isWork else { return false }
        frames[rank.depth].pending.append(PendingPointer(joined: joined, decision: decision))
        return true
    }

    private mutating func pop() -> Frame {
        let frame = frames.removeLast()
        if frame.hasDeletions, !frames.isEmpty { frames[frames.count - 1].hasDeletions = true }
        return frame
    }
}

extension SyncDecision {
    /// Whether an object of the source may have to be written.
    var isWork: Bool {
        switch self {
        case .copy, .compare, .settleConflict: true
        default: false
        }
    }
}
