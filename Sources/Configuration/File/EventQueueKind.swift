package import ReplicationModel

/// Which cloud's queue a text names.
package enum EventQueueKind: Sendable, Hashable {
    case sqs, pubSub, storageQueue

    /// Emulators have the account in the path, as an account of Amazon's is: but that is a number.
    private static var emulatedStorageQueue: Regex<Substring> {
        /https?:\/\/(?:localhost|127\.0\.0\.1|\[::1\])(?::[0-9]+)?\/[a-z0-9]*[a-z][a-z0-9]*\/[^\/]+/
    }

    package init?(_ text: String) {
        if text.wholeMatch(of: /projects\/[^\/]+\/subscriptions\/[^\/]+/) != nil {
            self = .pubSub
        } else if text.wholeMatch(of: /https?:\/\/[^\/]+\.queue\.[^\/]+\/[^\/]+/) != nil {
            self = .storageQueue
        } else if text.wholeMatch(of: Self.emulatedStorageQueue) != nil {
            self = .storageQueue
        } else if text.wholeMatch(of: /https?:\/\/[^\/]+\/[0-9]+\/[^\/]+/) != nil {
            self = .sqs
        } else {
            return nil
        }
    }

    package var service: ObjectLocation.Service {
        switch self {
        case .sqs: .s3
        case .pubSub: .gs
        case .storageQueue: .az
        }
    }
}
