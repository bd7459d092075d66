/// The generation conditions of one request, on the target or on a source of a copy.
struct GCSPreconditions {
    var generationMatch: Int64?
    var generationNotMatch: Int64?
    var metagenerationMatch: Int64?
    var metagenerationNotMatch: Int64?

    enum Verdict {
        case holds
        case failed
        /// Only a "not match" condition failed: 304 where nothing is changed.
        case notModified
    }

    var isEmpty: Bool {
        generationMatch == nil && generationNotMatch == nil && metagenerationMatch == nil
            && metagenerationNotMatch == nil
    }

    /// What the conditions say of the live version; an absent object has generation 0.
    func verdict(on object: StoredObject?) -> Verdict {
        let generation = object?.attributes.generation ?? 0
        if let generationMatch, generationMatch != generation { return .failed }
        if let metagenerationMatch, metagenerationMatch != object?.attributes.metageneration { return .failed }
        if let generationNotMatch, generationNotMatch == generation { return .notModified }
        if let metagenerationNotMatch, metagenerationNotMatch == object?.attributes.metageneration {
            return .notModified
        }
        return .holds
    }

    /// Throws 412 for a write whose conditions do not hold.
    func requireForWrite(on object: StoredObject?) throws {
        guard case .holds = verdict(on: object) else { throw GCSError.conditionNotMet }
    }

    /// Throws 412 or 304 for a read whose conditions do not hold.
    func requireForRead(on object: StoredObject) throws {
        switch verdict(on: object) {
        case .holds: break
        case .failed: throw GCSError.conditionNotMet
        case .notModified: throw GCSError.notModified
        }
    }
}
