package import ObjectStores

/// One thing that the doctor found out about a place.
package struct DoctorFinding: Sendable, Hashable {
    package enum Mark: String, Sendable, CaseIterable {
        /// Proven: the engine relies on it.
        case ok
        /// The server lacks something, and the engine does something else instead.
        case instead
        /// It works, and somebody should know this.
        case warning
        /// Could not be found out here.
        case unknown
        /// The server does something wrong that would endanger data.
        case failure
        /// The credentials lack a right that the place's use needs, or there is no such place.
        case denied
        /// The server could not be asked.
        case unavailable
    }

    package var mark: Mark
    /// A stable word for programs: `list-order`.
    package var subject: String
    /// What was found.
    package var found: String
    /// What follows from it for the engine; empty when nothing does.
    package var engine: String
    /// The call that is refused; of `denied` only.
    package var operation: StoreOperation?

    package init(
        _ mark: Mark, _ subject: String, _ found: String, engine: String = "", operation: StoreOperation? = nil
    ) {
        self.mark = mark
        self.subject = subject
        self.found = found
        self.engine = engine
        self.operation = operation
    }
}

/// What the doctor says in the end.
package struct DoctorReport: Sendable {
    package enum Verdict: String, Sendable {
        /// All that was asked is as the engine wants it.
        case usable
        /// Usable; the findings name what the engine does instead, and what could not be found out.
        case restricted
        /// The server does something wrong that would endanger data.
        case unsafe
        /// Rights are missing, or the place is.
        case denied
        /// The server could not be asked, or the examination was interrupted.
        case unavailable
    }

    package var findings: [DoctorFinding]
    /// Keys and uploads of the doctor's own that could not be removed, with the reason.
    package var leftBehind: [(name: String, reason: String)]
    /// The examination was cancelled before its end.
    package var wasCancelled: Bool

    package var verdict: Verdict {
        let marks = Set(findings.map(\.mark))
        if marks.contains(.failure) { return .unsafe }
        if marks.contains(.denied) { return .denied }
        if marks.contains(.unavailable) || wasCancelled { return .unavailable }
        return marks.contains(.instead) || marks.contains(.unknown) || marks.contains(.warning)
            ? .restricted : .usable
    }
}
