#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Shows other processes that a run is under way: a lock on a file, held for as long as this lives, which ends with the process however
/// that ends.
package final class RunMark: Sendable {
    private let descriptor: Int32

    /// nil when another run has it, or when nobody can tell.
    init?(_ path: String) {
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        // An object that is not made still ends as one.
        guard descriptor >= 0, flock(descriptor, LOCK_EX | LOCK_NB) == 0 else { return nil }
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
    }
}
