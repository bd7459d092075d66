import CCurl
import Glibc

/// Waits for the sockets of one loop (epoll) and for a wake-up from other threads.
///
/// A kept connection stays registered between requests, so a request on it costs no system call here. That is safe only for sockets
/// whose closing we see: the ones that we opened ourselves. The library's own descriptors (the resolver's) are removed at once.
final class SocketPoller {
    private let epoll: Int32
    private let alarm: Int32
    private var interests: [Interest] = []
    private let events: UnsafeMutablePointer<epoll_event>

    private static let eventCapacity = 64

    private struct Interest {
        /// What the kernel was told; 0 when the socket is not registered.
        var registered: UInt32 = 0
        /// What the library waits for now.
        var wanted: UInt32 = 0
        /// Opened by us, so that we learn when it is closed.
        var isOwn = false
    }

    init() {
        epoll = epoll_create1(Int32(EPOLL_CLOEXEC))
        alarm = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
        precondition(epoll >= 0 && alarm >= 0, "no file descriptor is left to start the transport with")
        events = .allocate(capacity: Self.eventCapacity)
        // Edge-triggered: each write to the alarm wakes once and nobody has to read it.
        let status = control(EPOLL_CTL_ADD, alarm, EPOLLIN.rawValue | EPOLLET.rawValue)
        precondition(status == 0, "the transport cannot wait for its alarm")
    }

    deinit {
        close(epoll)
        close(alarm)
        events.deallocate()
    }

    /// Ends a wait that is going on or comes next. From any thread.
    func wake() {
        eventfd_write(alarm, 1)
    }

    /// Calls `ready` for each socket with the conditions as the library names them. Nanoseconds are rounded up to milliseconds.
    func wait(nanoseconds: UInt64?, _ ready: (Int32, Int32) -> Void) {
        let timeout = nanoseconds.map { Int32(clamping: ($0 + 999_999) / 1_000_000) } ?? -1
        let count = Int(epoll_wait(epoll, events, Int32(Self.eventCapacity), timeout))
        // Interrupted: the caller looks around and waits again.
        guard count > 0 else { return }
        for index in 0..<count {
            let event = events[index]
            let socket = event.data.fd
            if socket == alarm { continue }
            if let conditions = conditions(event.events, of: socket) { ready(socket, conditions) }
        }
    }

    // MARK: What the library asks for

    func opened(_ socket: Int32) {
        withInterest(socket) { $0 = Interest(isOwn: true) }
    }

    /// The kernel forgets a closed socket by itself.
    func closed(_ socket: Int32) {
        withInterest(socket) { $0 = Interest() }
    }

    func want(_ socket: Int32, reading: Bool, writing: Bool) {
        let wanted = (reading ? EPOLLIN.rawValue : 0) | (writing ? EPOLLOUT.rawValue : 0)
        withInterest(socket) { interest in
            interest.wanted = wanted
            if wanted == 0, interest.isOwn { return }
            register(socket, &interest, wanted)
        }
    }

    // MARK: Private

    /// Nil where nobody waits for the socket any more.
    private func conditions(_ happened: UInt32, of socket: Int32) -> Int32? {
        withInterest(socket) { interest in
            guard interest.wanted != 0 else {
                // A kept connection was closed by the server, or is being talked to out of turn.
                register(socket, &interest, 0)
                return nil
            }
            let broken = happened & (EPOLLERR.rawValue | EPOLLHUP.rawValue) != 0
            // A reply that came before the connection broke must be read before anything more is written.
            if broken, interest.wanted & EPOLLIN.rawValue != 0 { return CURL_CSELECT_IN }
            var conditions: Int32 = 0
            if broken || happened & EPOLLIN.rawValue != 0 { conditions |= CURL_CSELECT_IN }
            if broken || happened & EPOLLOUT.rawValue != 0 { conditions |= CURL_CSELECT_OUT }
            return conditions
        }
    }

    private func register(_ socket: Int32, _ interest: inout Interest, _ wanted: UInt32) {
        guard wanted != interest.registered else { return }
        let operation =
            if wanted == 0 { EPOLL_CTL_DEL } else if interest.registered == 0 { EPOLL_CTL_ADD } else { EPOLL_CTL_MOD }
        if control(operation, socket, wanted) != 0, operation != EPOLL_CTL_DEL {
            // The number was closed and given out again behind our back, or the other way round.
            let other = operation == EPOLL_CTL_ADD ? EPOLL_CTL_MOD : EPOLL_CTL_ADD
            _ = control(other, socket, wanted)
        }
        interest.registered = wanted
    }

    private func control(_ operation: Int32, _ socket: Int32, _ wanted: UInt32) -> Int32 {
        var event = epoll_event(events: wanted, data: epoll_data_t(fd: socket))
        return epoll_ctl(epoll, operation, socket, &event)
    }

    private func withInterest<R>(_ socket: Int32, _ body: (inout Interest) -> R) -> R {
        let index = Int(socket)
        while interests.count <= index { interests.append(Interest()) }
        return body(&interests[index])
    }
}
