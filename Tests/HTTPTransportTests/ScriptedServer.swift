import Foundation
import Glibc
import Synchronization

/// A server on loopback that does to each connection what a test says, byte by byte.
///
/// The script runs on a thread of its own for each connection and may block; when it returns the connection is closed.
final class ScriptedServer: Sendable {
    typealias Script = @Sendable (Connection) throws -> Void

    let port: Int
    private let listener: Int32
    private let accepted = Mutex<[Connection]>([])

    /// - Parameter backlog: connections that the kernel accepts before the server does.
    init(backlog: Int32 = 256, accepting: Bool = true, _ script: @escaping Script = { _ in }) throws {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard listener >= 0 else { throw ScriptError.system("socket", errno) }
        var address = Self.loopback(port: 0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let status = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                bind(listener, address, length) | Glibc.listen(listener, backlog)
                    | getsockname(listener, address, &length)
            }
        }
        guard status == 0 else { throw ScriptError.system("listen", errno) }
        self.listener = listener
        port = Int(UInt16(bigEndian: address.sin_port))
        if accepting { start(script) }
    }

    deinit {
        // Wakes the thread out of `accept`.
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
    }

    var url: String { "http://127.0.0.1:\(port)" }

    /// Connections accepted so far.
    var connections: [Connection] { accepted.withLock { $0 } }

    static func loopback(port: Int) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr = in_addr(s_addr: UInt32(0x7F00_0001).bigEndian)
        address.sin_port = UInt16(port).bigEndian
        return address
    }

    private func start(_ script: @escaping Script) {
        Thread.detachNewThread { [listener, weak self] in
            var number = 0
            while true {
                let socket = accept(listener, nil, nil)
                guard socket >= 0, let self else { return }
                // Not into the children that other tests start.
                _ = fcntl(socket, F_SETFD, FD_CLOEXEC)
                let connection = Connection(socket, number: number)
                number += 1
                self.accepted.withLock { $0.append(connection) }
                Thread.detachNewThread { connection.run(script) }
            }
        }
    }
}

enum ScriptError: Error {
    case system(String, Int32)
    /// The client closed where the script wanted more.
    case closed
}

/// One connection of a `ScriptedServer`, seen from the server.
final class Connection: Sendable {
    /// 0 for the first connection of the server.
    let number: Int
    /// Set when the script has returned and the connection is closed.
    let isClosed = Event()
    private let socket: Int32
    private let unread = Mutex<[UInt8]>([])
    private let heads = Mutex<[String]>([])

    init(_ socket: Int32, number: Int) {
        self.socket = socket
        self.number = number
        // A test that waits for what never comes fails instead of hanging.
        var limit = timeval(tv_sec: 30, tv_usec: 0)
        setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    /// Heads of the requests read so far.
    var requests: [String] { heads.withLock { $0 } }

    func run(_ script: ScriptedServer.Script) {
        // The client's going away ends a script; what the client saw is what the test looks at.
        do { try script(self) } catch {}
        close(socket)
        isClosed.set()
    }

    /// The next request's head, without the empty line.
    func readHead() throws -> String {
        let end: [UInt8] = [13, 10, 13, 10]
        while true {
            let head: String? = unread.withLock { bytes in
                guard let range = bytes.firstRange(of: end) else { return nil }
                let head = String(decoding: bytes[..<range.lowerBound], as: UTF8.self)
                bytes.removeSubrange(..<range.upperBound)
                return head
            }
            if let head {
                heads.withLock { $0.append(head) }
                return head
            }
            guard try receive() > 0 else { throw ScriptError.closed }
        }
    }

    func read(_ count: Int) throws -> [UInt8] {
        while unread.withLock({ $0.count }) < count {
            guard try receive() > 0 else { throw ScriptError.closed }
        }
        return unread.withLock { bytes in
            defer { bytes.removeFirst(count) }
            return Array(bytes[..<count])
        }
    }

    /// The next request and its body by Content-Length.
    func readRequest() throws -> (head: String, body: [UInt8]) {
        let head = try readHead()
        return (head, try read(Self.field("content-length", of: head).flatMap { Int($0) } ?? 0))
    }

    func write(_ text: String) throws {
        try write(Array(text.utf8))
    }

    func write(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes {
                send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw ScriptError.closed }
            sent += count
        }
    }

    /// A 200 with a body.
    func reply(_ body: [UInt8] = []) throws {
        try write(Array("HTTP/1.1 200 OK\r\nContent-Length: \(body.count)\r\n\r\n".utf8) + body)
    }

    /// Says no more but listens, until the client closes.
    func drain() throws {
        while try receive() > 0 { unread.withLock { $0 = [] } }
    }

    /// Makes the close that follows a reset.
    func resetOnClose() {
        var now = linger(l_onoff: 1, l_linger: 0)
        setsockopt(socket, SOL_SOCKET, SO_LINGER, &now, socklen_t(MemoryLayout<linger>.size))
    }

    /// The value of a header field, or nil.
    static func field(_ name: String, of head: String) -> String? {
        for line in head.split(separator: "\r\n") {
            let parts = line.split(separator: ":", maxSplits: 1)
            if parts.count == 2, parts[0].lowercased() == name {
                return parts[1].trimmingCharacters(in: .whitespaces)
            }
        }
        return nil
    }

    /// 0 when the client has closed.
    private func receive() throws -> Int {
        var piece = [UInt8](repeating: 0, count: 64 << 10)
        let count = recv(socket, &piece, piece.count, 0)
        guard count >= 0 else { throw ScriptError.closed }
        unread.withLock { $0.append(contentsOf: piece[..<count]) }
        return count
    }
}

/// Something that happens once and that a test waits for.
final class Event: Sendable {
    private struct State {
        var isSet = false
        var waiters: [CheckedContinuation<Void, Never>] = []
    }
    private let state = Mutex(State())

    func set() {
        let waiters = state.withLock { state in
            state.isSet = true
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }

    func wait() async {
        await withCheckedContinuation { continuation in
            let isSet = state.withLock { state in
                if !state.isSet { state.waiters.append(continuation) }
                return state.isSet
            }
            if isSet { continuation.resume() }
        }
    }
}
