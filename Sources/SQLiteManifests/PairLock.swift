package import Manifests
package import ObjectStores

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// One run per pair: a lock on a file that ends with the process, however it ends.
package final class PairLock: Sendable {
    private let descriptor: Int32

    /// - Returns: nil when another process holds the lock.
    package static func take(path: String) throws(LedgerError) -> PairLock? {
        let descriptor = try PrivateFile.open(path)
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let reason = errno
            Self.closeDescriptor(descriptor)
            guard reason == EWOULDBLOCK else {
                throw LedgerError(
                    .inaccessible, path: path, message: "the lock cannot be taken: \(String(cString: strerror(reason)))"
                )
            }
            return nil
        }
        return PairLock(descriptor)
    }

    /// Waits until the other run has ended.
    package static func wait(path: String, time: any Timekeeper) async throws -> PairLock {
        while true {
            if let lock = try take(path: path) { return lock }
            try await time.sleep(for: .milliseconds(500))
        }
    }

    private init(_ descriptor: Int32) {
        self.descriptor = descriptor
    }

    deinit {
        Self.closeDescriptor(descriptor)
    }

    private static func closeDescriptor(_ descriptor: Int32) {
        _ = close(descriptor)
    }
}
