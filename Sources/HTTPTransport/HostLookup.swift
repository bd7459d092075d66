import Glibc

/// Asks the resolver why a name leads nowhere, which the library does not tell: a name that does not exist is a typo, a resolver that does
/// not answer comes back.
enum HostLookup {
    /// Passed to the thread that waits for the resolver.
    private final class Question {
        let host: String
        let continuation: CheckedContinuation<Bool, Never>

        init(_ host: String, _ continuation: CheckedContinuation<Bool, Never>) {
            self.host = host
            self.continuation = continuation
        }
    }

    /// - Parameter failure: `.resolve`, as the library told it.
    static func explain(_ failure: HTTPFailure, of host: String) async -> HTTPFailure {
        guard await isUnknown(host) else { return failure }
        return HTTPFailure(code: .unknownHost, message: "there is no host \(host)", mayHaveBeenProcessed: false)
    }

    /// Takes as long as the resolver does, on a thread of its own: its waits cannot be ended.
    private static func isUnknown(_ host: String) async -> Bool {
        await withCheckedContinuation { continuation in
            let question = Unmanaged.passRetained(Question(host, continuation))
            var thread = pthread_t()
            guard pthread_create(&thread, nil, answer, question.toOpaque()) == 0 else {
                return question.takeRetainedValue().continuation.resume(returning: false)
            }
            pthread_detach(thread)
        }
    }

    private static let answer: @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? = { pointer in
        let question = Unmanaged<Question>.fromOpaque(pointer!).takeRetainedValue()
        var found: UnsafeMutablePointer<addrinfo>?
        let status = getaddrinfo(question.host, nil, nil, &found)
        if status == 0 { freeaddrinfo(found) }
        question.continuation.resume(returning: status == EAI_NONAME || status == -5)
        return nil
    }
}
