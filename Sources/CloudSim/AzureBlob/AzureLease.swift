/// A lease on a blob: while it lasts, only those who name its id may change the blob.
struct AzureLease {
    var id: String
    /// Nil for a lease without end.
    var seconds: Int64?
    var expiry: SimTime?

    /// - Parameter duration: -1 for a lease without end, else 15 to 60 seconds.
    init(id: String, duration: String?, now: SimTime) throws(AzureError) {
        guard let duration, let seconds = Int64(duration), seconds == -1 || (15...60).contains(seconds) else {
            throw .invalidHeader("x-ms-lease-duration", duration ?? "")
        }
        self.id = id
        self.seconds = seconds == -1 ? nil : seconds
        renew(now: now)
    }

    mutating func renew(now: SimTime) {
        expiry = seconds.map { SimTime(nanoseconds: now.nanoseconds + $0 * 1_000_000_000) }
    }

    func isActive(now: SimTime) -> Bool { expiry.map { now < $0 } ?? true }
}
