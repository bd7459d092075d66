/// What a blob remembers of the copy that made it. Copies are over before they are answered.
struct AzureCopyRecord {
    let id: String
    /// The source's URL without its query, which may hold a signature.
    let source: String
    let progress: String
    let completed: SimTime

    init(id: String, source: String, count: Int, completed: SimTime) {
        self.id = id
        self.source = source
        progress = "\(count)/\(count)"
        self.completed = completed
    }

    /// Nil for a blob that was not copied.
    init?(_ attributes: ObjectAttributes) {
        guard let id = attributes.extras["copyID"], let source = attributes.extras["copySource"],
            let progress = attributes.extras["copyProgress"],
            let time = attributes.extras["copyCompleted"].flatMap({ Int64($0) })
        else { return nil }
        self.id = id
        self.source = source
        self.progress = progress
        completed = SimTime(nanoseconds: time)
    }

    func store(in attributes: inout ObjectAttributes) {
        attributes.extras["copyID"] = id
        attributes.extras["copySource"] = source
        attributes.extras["copyProgress"] = progress
        attributes.extras["copyCompleted"] = String(completed.nanoseconds)
    }
}
