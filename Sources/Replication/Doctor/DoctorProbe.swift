import ObjectStores

/// One question to a place, and how its answer is told apart from a wrong one.
///
/// A probe touches only keys that the bench has made for it, tells every finding to the bench, and makes a bounded number of calls.
/// Errors that are no answer to its question it throws: `Doctor` makes findings of them.
protocol DoctorProbe: Sendable {
    /// The stable word under which a thrown error is reported.
    var subject: String { get }

    func examine(_ bench: DoctorBench) async throws(StoreError)
}

extension StoreError {
    /// Whether the call said nothing about the server's behaviour: it did not come to an answer, or the right is missing.
    var isNoAnswer: Bool {
        switch code {
        case .throttled, .unavailable, .unreachable, .network, .cancelled, .unauthenticated, .forbidden,
            .missingContainer,
            .local, .noSpace, .quotaExceeded:
            true
        default: false
        }
    }
}
