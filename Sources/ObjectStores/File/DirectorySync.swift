import ReplicationModel

/// Makes changed directories durable: one fsync for all who wait for the same directory, as databases do with their log.
///
/// A caller is served by an fsync that started after its own change. It also remembers which directories are durably
/// linked into the ones above, so that the chain up to the root is written once and not for every file.
final class DirectorySync: @unchecked Sendable {
    struct Identity: Hashable {
        var device: UInt64
        var inode: UInt64

        init(_ facts: FileFacts) {
            device = facts.device
            inode = facts.inode
        }
    }

    private struct Work {
        /// Callers so far, in the order in which they came.
        var asked = 0
        /// Callers served by an fsync that has ended, with its outcome.
        var served = 0
        var failure: Errno?
        var isRunning = false
        var waiting = 0
    }

    /// Directories remembered as durable, at most.
    private static let knownLimit = 1 << 16

    /// Everything below is guarded by it.
    private let monitor = Monitor()
    private var works: [Identity: Work] = [:]
    private var known: Set<Identity> = []

    func isKnown(_ directory: Identity) -> Bool { monitor.locked { known.contains(directory) } }

    func remember(_ directories: [Identity]) {
        monitor.locked {
            if known.count + directories.count > Self.knownLimit { known.removeAll() }
            known.formUnion(directories)
        }
    }

    func forget(_ directory: Identity) { monitor.locked { _ = known.remove(directory) } }

    /// Returns when every change that was made in the directory before the call is on the disk.
    func synchronize(_ directory: FileDescriptor, _ identity: Identity) throws(Errno) {
        let ticket: Int = monitor.locked {
            works[identity, default: Work()].asked += 1
            works[identity]!.waiting += 1
            return works[identity]!.asked
        }
        while true {
            let leads: Bool? = monitor.locked {
                while works[identity]!.served < ticket {
                    if !works[identity]!.isRunning {
                        works[identity]!.isRunning = true
                        return true
                    }
                    monitor.wait()
                }
                return nil
            }
            guard leads != nil else { break }
            // Those who came until now have made their changes.
            let covered = monitor.locked { works[identity]!.asked }
            var failure: Errno?
            do throws(Errno) { try directory.synchronize() } catch { failure = error }
            monitor.locked {
                works[identity]!.isRunning = false
                works[identity]!.served = covered
                // A failed fsync may have lost what later ones then report as written: the failure stays for all who wait.
                if let failure { works[identity]!.failure = failure }
                monitor.signalAll()
            }
        }
        let failure: Errno? = monitor.locked {
            let failure = works[identity]!.failure
            works[identity]!.waiting -= 1
            if works[identity]!.waiting == 0 { works[identity] = nil }
            return failure
        }
        if let failure { throw failure }
    }
}
